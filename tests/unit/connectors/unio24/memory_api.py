"""A UNIO24-style system in memory: as much of its API as the sink uses, with the normalisation a test gives it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import cast

from tieline.connectors.kit.strict_json import dump_json
from tieline.connectors.unio24.client import Client
from tieline.connectors.unio24.models import Answer, ListPage, Record
from tieline.connectors.unio24.resources import Resource
from tieline.kernel.protocols import RawItem

START = dt.datetime(2026, 8, 1, tzinfo=dt.UTC)


class MemoryApi:
    """``keep`` turns what is sent into what is kept. ``writes`` is every POST and PATCH, oldest first."""

    def __init__(self, keep: Callable[[dict[str, object]], dict[str, object]] = dict) -> None:
        self.keep = keep
        self.records: dict[str, dict[str, object]] = {}
        self.panels: dict[tuple[str, str], dict[str, object]] = {}
        self.writes: list[tuple[str, dict[str, object]]] = []
        self.now = START

    def client(self) -> Client:
        """What the sink talks to."""
        return cast("Client", self)

    def edit(self, native_id: str, **values: object) -> None:
        """Somebody at a screen makes or changes a record; it is normalised like any other."""
        held = self.records.get(native_id, {"id": native_id, "version": 0})
        self.now += dt.timedelta(seconds=1)
        version = cast("int", held["version"]) + 1
        stamp = self.now.isoformat()
        self.records[native_id] = {**held, **self.keep(dict(values)), "version": version, "updated_at": stamp}

    def item(self, native_id: str) -> RawItem:
        """The record as the source captures it."""
        return RawItem("assets", native_id, dump_json(self.records[native_id]))

    async def get(self, _resource: Resource, **ids: str) -> Record | None:
        return self.panels.get((ids["asset_id"], ids["book_id"])) if "book_id" in ids else self.records.get(ids["id"])

    async def list_page(self, _resource: Resource, *, size: int, where: Mapping[str, str]) -> ListPage:
        found = [r for r in self.records.values() if all(r.get(key) == value for key, value in where.items())]
        return ListPage(found[:size], None, self.now)

    async def send(
        self,
        method: str,
        path: str,
        *,
        body: dict[str, object],
        version: str | None = None,
        passed: tuple[int, ...] = (),
    ) -> Answer:
        assert method in {"POST", "PATCH", "PUT"}
        assert passed
        if method == "PUT":
            *_, asset_id, _, book_id = path.split("/")
            stamps = {"asset_id": asset_id, "book": book_id, "version": 1, "updated_at": self.now.isoformat()}
            self.panels[asset_id, book_id] = {**body, **stamps}
            return Answer(200, self.panels[asset_id, book_id], self.now)
        there = [key for key, held in self.records.items() if held.get("external_ref") == body.get("external_ref")]
        if method == "POST" and there:
            return Answer(409, {"existing_id": there[0]}, self.now)
        native_id = str(len(self.records) + 1) if method == "POST" else path.rpartition("/")[2]
        if version is not None:
            assert version == str(self.records[native_id]["version"])
        self.writes.append((method, body))
        self.edit(native_id, **body)
        return Answer(200, self.records[native_id], self.now)
