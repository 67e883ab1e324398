"""A year as files: reports (JSON lines, compressed), labels (JSON lines), their summary, and the landscape."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from tieline.kernel.codecs import model_of
from tieline.kernel.disk import writing
from tieline.kernel.errors import Stop
from tieline.kernel.records import Outbound, Typed
from tieline.synthetic.estate import landscape_text
from tieline.synthetic.labels import LABEL, Label, Summary
from tieline.synthetic.totals import summarise
from tieline.synthetic.year import Arrival, Year, outbound

REPORTS, LABELS, SUMMARY, LANDSCAPE = "reports.jsonl.gz", "labels.jsonl", "summary.json", "landscape.yaml"
FAST = 1
"""Compression: a year is gigabytes of text that is alike, and level 1 already makes a tenth of it."""


def write_year(year: Year, arrival: Arrival, folder: Path, say: Callable[[str], None]) -> Summary:
    """Write the files; ``say`` is told of each chapter. Memory does not grow with the number of reports.

    Raises ``Stop`` where the folder has no room; what is there is not whole then.
    """
    with writing(folder, "free space, or name another folder, and write the year anew: this one is not whole"):
        return _write_year(year, arrival, folder, say)


def _write_year(year: Year, arrival: Arrival, folder: Path, say: Callable[[str], None]) -> Summary:
    folder.mkdir(parents=True, exist_ok=True)
    reports, chapter = 0, ""
    with gzip.open(folder / REPORTS, "wt", encoding="utf-8", compresslevel=FAST) as out:
        for told in year.reports(arrival):
            if told.chapter.name != chapter:
                chapter = told.chapter.name
                say(f"{chapter}: after {reports} reports")
            out.write(_line(chapter, outbound(told.report, arrival.mint)))
            reports += 1
    with (folder / LABELS).open("w", encoding="utf-8") as out:
        for label in year.labels():
            out.write(label.model_dump_json(exclude_none=True) + "\n")
    summary = summarise(year, year.labels(), reports)
    (folder / SUMMARY).write_text(summary.model_dump_json(indent=2) + "\n", encoding="utf-8")
    (folder / LANDSCAPE).write_text(landscape_text(), encoding="utf-8")
    return summary


def read_reports(folder: Path) -> Iterator[tuple[str, Outbound]]:
    """Chapter and record, in the order they arrive. Raises ``Stop`` for a folder without a year."""
    with gzip.open(_existing(folder, REPORTS), "rt", encoding="utf-8") as lines:
        for line in lines:
            said = json.loads(line)
            body = model_of(said["record"]).model_validate_json(json.dumps(said["value"]))
            headers = {"ce_id": said["id"]}
            yield said["chapter"], Outbound(said["topic"], said["key"], Typed(said["record"], body), headers)


def read_labels(folder: Path) -> Iterator[Label]:
    """What the hub must hold. Raises ``Stop`` for a folder without a year."""
    with _existing(folder, LABELS).open(encoding="utf-8") as lines:
        for line in lines:
            yield LABEL.validate_json(line)


def read_summary(folder: Path) -> Summary:
    """Counts and sums. Raises ``Stop`` for a folder without a year."""
    return Summary.model_validate_json(_existing(folder, SUMMARY).read_text(encoding="utf-8"))


def _line(chapter: str, record: Outbound) -> str:
    assert isinstance(record.value, Typed)  # noqa: S101  - a report is never a tombstone
    head = {
        "chapter": chapter,
        "topic": record.topic,
        "key": record.key,
        "id": record.headers["ce_id"],
        "record": record.value.name,
    }
    text = record.value.body.model_dump_json(exclude_none=True)
    return f'{json.dumps(head)[:-1]}, "value": {text}}}\n'


def _existing(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise Stop(f"{path} does not exist; write a year first: tieline synthetic write --out {folder}")
    return path
