"""A year as files: what is read is what was told, and the landscape beside it describes the same calendars."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.parts.organisation import OFTEN
from typer.testing import CliRunner

from tieline.cli import app
from tieline.kernel.calendars import FiscalPeriodKey
from tieline.kernel.errors import Stop
from tieline.kernel.landscape import load_landscape
from tieline.synthetic.files import read_labels, read_reports, read_summary, write_year
from tieline.synthetic.shape import COMPANIES, Chapter, Kind, Shape, chapters
from tieline.synthetic.totals import summarise
from tieline.synthetic.year import Arrival, make_year, outbound

YEAR = make_year(Shape(assets=20, seed=2, months=5, rates=OFTEN))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_year(YEAR, Arrival(mint="/2"), tmp_path, lambda _: None)
    return tmp_path


def test_what_is_read_is_what_was_told(folder: Path) -> None:
    told = [(one.chapter.name, outbound(one.report, "/2")) for one in YEAR.reports(Arrival(mint="/2"))]
    assert list(read_reports(folder)) == told


def test_the_labels_are_read_as_they_were_written(folder: Path) -> None:
    labels = list(YEAR.labels())
    assert list(read_labels(folder)) == labels
    assert read_summary(folder) == summarise(YEAR, labels, len(list(YEAR.reports())))


def test_chapters_follow_one_another_in_the_file(folder: Path) -> None:
    names = [chapter for chapter, _ in read_reports(folder)]
    places = {one.name: place for place, one in enumerate(chapters(YEAR.shape))}
    assert sorted(names, key=places.__getitem__) == names
    assert {Chapter(1, Kind.OPENING).name, Chapter(5, Kind.TRADE).name} <= set(names)


def test_the_landscapes_calendars_are_those_of_the_year(folder: Path) -> None:
    fiscal = load_landscape(folder / "landscape.yaml", environ={}).fiscal
    for company in COMPANIES:
        calendar = fiscal.calendar_of(company.code)
        for month in range(1, 13):
            period = company.period(month)
            assert calendar.dates_of(FiscalPeriodKey.parse(period.name)) == (period.first, period.last)


def test_a_folder_without_a_year_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="tieline synthetic write"):
        next(read_reports(tmp_path))


def test_the_command_writes_a_year(tmp_path: Path) -> None:
    options = ["--assets", "5", "--months", "2", "--seed", "7", "--arrival", "shuffled", "--duplicates-percent", "20"]
    result = CliRunner().invoke(app, ["synthetic", "write", "--out", str(tmp_path), *options])
    assert result.exit_code == 0, result.output
    assert read_summary(tmp_path).reports == len(list(read_reports(tmp_path)))


def test_the_command_refuses_what_it_cannot_generate(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["synthetic", "write", "--out", str(tmp_path), "--book-reports-a-year", "5"])
    assert isinstance(result.exception, Stop)
    assert "12, 4 or 1" in str(result.exception)
