"""The landscape's fiscal section: which calendar holds, and what is refused with which words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.processors.bench import landscape

from tieline.kernel.calendars import CALENDAR_YEAR, MonthCalendar, WeekCalendar
from tieline.kernel.errors import Stop
from tieline.kernel.landscape import Fiscal, Landscape, Late, load_landscape
from tieline.kernel.landscape_schema import schema_text

FISCAL: dict[str, Any] = {
    "calendars": {
        "april": {"kind": "months", "start_month": 4},
        "retail": {
            "kind": "weeks",
            "pattern": "4-5-4",
            "last_weekday": "saturday",
            "last_month": 1,
            "year_end": "nearest",
            "named_after": "start",
        },
    },
    "companies": {"INDIA": {"calendar": "april", "books": {"tax": "calendar-year", "group": "retail"}}},
}


def test_without_the_section_every_company_keeps_the_calendar_year() -> None:
    fiscal = landscape().fiscal
    assert fiscal.calendar_of("ANY") == fiscal.calendar_of("ANY", "main") == CALENDAR_YEAR
    assert (fiscal.late, fiscal.periods) == (Late.NEXT_OPEN, "optional")


def test_a_book_has_its_own_calendar_or_the_companys() -> None:
    fiscal = Fiscal.model_validate(FISCAL)
    april = fiscal.calendar_of("INDIA")
    assert isinstance(april, MonthCalendar)
    assert april.start_month == 4
    assert fiscal.calendar_of("INDIA", "main") == april
    assert fiscal.calendar_of("INDIA", "tax") == CALENDAR_YEAR
    assert isinstance(fiscal.calendar_of("INDIA", "group"), WeekCalendar)
    assert fiscal.calendar_of("ELSEWHERE", "group") == CALENDAR_YEAR


def write(folder: Path, fiscal: object) -> Path:
    plain = landscape().model_dump(mode="json", exclude={"fiscal"})
    path = folder / "landscape.yaml"
    path.write_text(yaml.safe_dump({**plain, "fiscal": fiscal}, sort_keys=False), encoding="utf-8")
    return path


def test_a_landscape_with_the_section_is_read(tmp_path: Path) -> None:
    assert load_landscape(write(tmp_path, FISCAL)).fiscal == Fiscal.model_validate(FISCAL)


@pytest.mark.parametrize(
    ("fiscal", "words"),
    [
        ({"companies": {"INDIA": {"calendar": "apil"}}}, "company INDIA: there is no calendar 'apil'"),
        ({"companies": {"INDIA": {"books": {"tax": "x"}}}}, "company INDIA: there is no calendar 'x'"),
        ({"calendars": {"calendar-year": {"kind": "months", "start_month": 4}}}, "cannot be another"),
        ({"calendars": {"april": {"kind": "months", "start_month": 13}}}, "start_month"),
        ({"calendars": {"april": {"kind": "years"}}}, "fiscal.calendars.april"),
        ({"late": "drop"}, "fiscal.late"),
        ({"periods": "maybe"}, "fiscal.periods"),
        ({"perids": "required"}, "fiscal.perids"),
    ],
)
def test_a_wrong_section_is_refused_with_its_line_and_reason(tmp_path: Path, fiscal: object, words: str) -> None:
    path = write(tmp_path, fiscal)
    lines = path.read_text(encoding="utf-8").splitlines()
    with pytest.raises(Stop) as caught:
        load_landscape(path)
    assert words in str(caught.value)
    line = int(str(caught.value).removeprefix(f"{path}:").partition(":")[0])
    assert line > lines.index("fiscal:")


def test_editors_know_the_section() -> None:
    schema = json.loads(schema_text())
    assert "fiscal" in schema["properties"]
    assert "fiscal" not in schema["required"]
    assert set(schema["$defs"]["WeekCalendar"]["properties"]) >= {"pattern", "last_weekday", "extra_week_in"}
    assert Landscape.model_fields["fiscal"].default == Fiscal()
