"""Older states of a SQLite file: by changes, by seconds, and gone when they are dropped."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tieline.connectors.kit.sandboxing.faults import Age
from tieline.connectors.kit.sandboxing.snapshots import KEPT_CHANGES, Snapshots


class File:
    """One table with one row, at a time that the test sets."""

    def __init__(self, path: Path) -> None:
        self.secs = 0.0
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("CREATE TABLE asset (name TEXT)")
        self.db.execute("INSERT INTO asset VALUES ('start')")
        self.snapshots = Snapshots(path, monotonic=lambda: self.secs)

    def write(self, name: str) -> None:
        self.snapshots.begin()
        self.db.execute("UPDATE asset SET name = ?", (name,))

    def name(self, age: Age) -> str:
        seen = self.snapshots.find(age) or self.db
        return str(seen.execute("SELECT name FROM asset").fetchone()[0])


@pytest.fixture
def file(tmp_path: Path) -> Iterator[File]:
    made = File(tmp_path / "sandbox.db")
    yield made
    made.snapshots.clear()
    made.db.close()


def test_by_changes_and_by_seconds(file: File) -> None:
    for file.secs, name in ((10.0, "one"), (20.0, "two")):
        file.write(name)
    file.secs = 25.0
    assert [file.name(Age(changes=n)) for n in (1, 2, 3)] == ["one", "start", "start"]
    assert [file.name(Age(secs=secs)) for secs in (0.0, 5.0, 5.1, 15.0, 15.1)] == ["two", "two", "one", "one", "start"]


def test_a_change_of_nothing_is_forgotten_and_all_of_them_at_will(file: File) -> None:
    file.write("one")
    file.snapshots.begin()
    file.snapshots.forget_last()
    assert file.name(Age(changes=1)) == "start"
    file.snapshots.clear()
    assert file.name(Age(changes=1)) == "one"


def test_only_so_many_are_kept(file: File) -> None:
    for number in range(KEPT_CHANGES + 3):
        file.write(f"name {number}")
    assert file.name(Age(changes=KEPT_CHANGES * 2)) == "name 2"
