"""What a sandbox in memory holds: whole changes or none, older states, and a journal that only grows."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from tieline.connectors.kit.sandboxing.answers import Refusal
from tieline.connectors.kit.sandboxing.faults import Age
from tieline.connectors.kit.sandboxing.journal import Effect, Journal, asked_page
from tieline.connectors.kit.sandboxing.records import KEPT_CHANGES, Records
from tieline.kernel.errors import Stop

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)


def clock() -> dt.datetime:
    return NOW


class World:
    """Records with a journal in memory, at a time that the test sets."""

    def __init__(self) -> None:
        self.secs = 0.0
        self.journal = Journal(clock)
        self.records = Records(self.journal, monotonic=lambda: self.secs)

    def put(self, key: str | int, name: str, *, keep: bool = True) -> None:
        with self.records.transaction(keep=keep) as change:
            self.records.put("asset", key, {"name": name})
            change.note(Effect("written", "asset", key, reference=f"ref-{key}"))

    def name(self, key: str | int, age: Age | None = None) -> object:
        row = self.records.get("asset", key, age)
        return None if row is None else row["name"]


def test_rows_are_kept_replaced_removed_and_listed_by_key() -> None:
    world = World()
    for key in (10, 9, 2):
        world.put(key, f"row {key}")
    world.put(9, "again")
    with world.records.transaction():
        world.records.remove("asset", 2)
        world.records.remove("asset", 77)
    assert world.records.rows("asset") == [{"name": "again"}, {"name": "row 10"}]
    assert world.records.rows("order") == []


def test_an_error_or_a_dropped_write_leaves_neither_row_nor_witness() -> None:
    world = World()
    world.put(1, "first")

    def fail_half_way() -> None:
        with world.records.transaction() as change:
            world.records.put("asset", 1, {"name": "second"})
            world.records.put("asset", 2, {"name": "new"})
            world.records.remove("asset", 1)
            change.note(Effect("written", "asset", 1))
            raise ValueError("half-way")

    with pytest.raises(ValueError, match="half-way"):
        fail_half_way()
    world.put(1, "dropped", keep=False)
    assert world.records.rows("asset") == [{"name": "first"}]
    assert len(world.journal.read(0, 10)) == 1
    world.put(1, "after")
    assert world.name(1) == "after"


def test_rows_change_within_one_transaction_only() -> None:
    records = World().records
    with pytest.raises(RuntimeError, match="within a transaction"):
        records.put("asset", 1, {})
    with pytest.raises(RuntimeError, match="one change at a time"), records.transaction(), records.transaction():
        pass


def test_an_older_state_lies_behind_by_changes() -> None:
    world = World()
    world.put(1, "one")
    world.put(1, "two")
    with world.records.transaction():
        world.records.remove("asset", 1)
        world.records.put("asset", 2, {"name": "other"})
    with world.records.transaction():
        pass  # a change of nothing is none
    seen = [(world.name(1, Age(changes=n)), world.name(2, Age(changes=n))) for n in range(5)]
    assert seen == [(None, "other"), ("two", None), ("one", None), (None, None), (None, None)]
    assert (world.name(1), world.name(2)) == (None, "other"), "looking back changes nothing"


def test_an_older_state_lies_behind_by_seconds() -> None:
    world = World()
    for world.secs, name in ((10.0, "one"), (20.0, "two")):
        world.put(1, name)
    world.secs = 25.0
    assert [world.name(1, Age(secs=secs)) for secs in (0.0, 4.9, 5.0, 5.1, 15.0, 15.1)] == [
        *("two", "two", "two", "one", "one", None)
    ]


def test_only_so_many_changes_are_kept() -> None:
    world = World()
    for number in range(KEPT_CHANGES + 5):
        world.put(1, f"name {number}")
    assert world.name(1, Age(changes=KEPT_CHANGES * 2)) == "name 4"


def test_the_journal_tells_every_effect_in_order() -> None:
    world = World()
    world.put("a", "one")
    world.put("b", "two")
    expected = {
        "seq": 2,
        "at": "2026-11-21T12:00:00+00:00",
        "action": "written",
        "object": "asset",
        "object_id": "b",
        "reference": "ref-b",
        "request_id": None,
        "detail": {},
    }
    assert world.journal.read(1, 10) == [expected]
    assert [entry["seq"] for entry in world.journal.read(0, 1)] == [1]


def test_the_journal_outlives_the_process_and_a_line_cut_short(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    with Journal(clock, file) as journal:
        journal.note(Effect("created", "asset", 1))
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"seq": 2, "act')
    with Journal(clock, file) as journal:
        journal.note(Effect("created", "asset", 2, request_id="r-2"))
    assert file.read_bytes().startswith(whole), "what was written stays as it is"
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [(line["seq"], line["object_id"], line["request_id"]) for line in lines] == [(1, 1, None), (2, 2, "r-2")]
    assert journal.read(0, 10) == lines


@pytest.mark.parametrize("notes", ["my notes\nmore", "my notes", '["seq", 1]\n', '{"seq": 7}\n'])
def test_a_file_that_is_no_journal_is_left_alone(tmp_path: Path, notes: str) -> None:
    file = tmp_path / "notes.txt"
    file.write_text(notes, encoding="utf-8")
    with pytest.raises(Stop, match=r"notes\.txt is no journal"):
        Journal(clock, file)
    assert file.read_text(encoding="utf-8") == notes


def test_pages_of_the_journal_are_bounded() -> None:
    assert asked_page({}) == (0, 1000)
    assert asked_page({"after": "7", "limit": "20000"}) == (7, 10_000)
    for bad in ({"after": "-1"}, {"limit": "x"}, {"limit": "9" * 16}):
        with pytest.raises(Refusal) as refused:
            asked_page(bad)
        assert refused.value.status == 400
