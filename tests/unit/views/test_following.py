"""The changelogs as each process reads them in whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import faust

from tieline.kernel.records import Inbound
from tieline.views.entries import Change
from tieline.views.following import read_change


def recorded(key: bytes | None, value: bytes | None) -> Inbound:
    return Inbound("tieline.views-assets-changelog", 3, 7, key, value)


def test_an_entry_is_read_as_faust_writes_it(tmp_path: Path) -> None:
    app = faust.App("test", store="memory://", datadir=tmp_path, autodiscover=False)
    store = cast("Any", app.Table("assets", key_type=str)).data
    entry = {"version": 3, "tag": "Größe 5", "amount": "1000.10", "currency": None}
    record = recorded(store._encode_key("tryton/asset/a1|main/7"), store._encode_value(entry))
    assert read_change("assets", record) == Change("assets", "tryton/asset/a1|main/7", entry)


def test_a_tombstone_says_nothing() -> None:
    assert read_change("assets", recorded(b'"a1"', None)) is None
