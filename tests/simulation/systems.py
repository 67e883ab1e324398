"""Two systems of record in memory, with people at work in them and an API between them and the hub that fails.

The API strategies are the plain ones of the real connectors: find the record by its own id or by the hub's reference
that it carries, then create or change it. ``journal`` is the witness: every effect, in the order it took place.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from tests.simulation.virtual_time import VirtualTime

from tieline.kernel.asset_records import AssetFields, AssetReport
from tieline.kernel.command_records import Command, PostCost, WriteAsset
from tieline.kernel.cost_records import CostFields, CostReport
from tieline.kernel.digests import digest_fields
from tieline.kernel.errors import OutcomeUnknown, Retryable, Unavailable
from tieline.kernel.protocols import Connector, Page, RawItem, Written
from tieline.kernel.reports import Report
from tieline.kernel.vocabulary import Origin

T = TypeVar("T")
LATE_SECS = 0.2  # within the first pause before a read-back (kernel/settling.py); later than that no client can know
PERSON = "person"


@dataclass
class Record:
    """One asset record. ``changed`` counts the system's changes, as its modification stamp."""

    native_id: str
    fields: AssetFields
    changed: int
    changed_at: dt.datetime
    hub_ref: str | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """Something took place in a system. ``by`` is ``person`` or the command's id."""

    what: str
    native_id: str
    hub_id: str | None
    version: int
    by: str


@dataclass
class System:
    """A system. ``fate`` decides what becomes of each request; ``point`` marks where a process can be killed.

    ``latency_secs`` is how long a request takes to arrive, so that requests side by side arrive in any order.
    """

    name: str
    time: VirtualTime
    fate: Callable[[str], str]
    point: Callable[[str], None]
    latency_secs: Callable[[], float]
    records: dict[str, Record] = field(default_factory=dict)
    costs: dict[str, tuple[int, dt.datetime, CostFields]] = field(default_factory=dict)
    posted: dict[str, tuple[str, CostFields]] = field(default_factory=dict)
    journal: list[Effect] = field(default_factory=list)
    changes: int = 0

    def create(self, fields: AssetFields) -> str:
        """A person enters a record; its native id."""
        record = self._new(fields)
        self.journal.append(Effect("created", record.native_id, None, 0, PERSON))
        return record.native_id

    def edit(self, native_id: str, **fields: object) -> None:
        """A person changes a record."""
        record = self.records[native_id]
        record.fields = record.fields.model_copy(update=fields)
        self._touch(record)
        self.journal.append(Effect("changed", native_id, record.hub_ref, 0, PERSON))

    def enter_cost(self, fields: CostFields) -> str:
        """A person books costs; the document's native id."""
        self.changes += 1
        native_id = f"{self.name}-c{self.changes}"
        self.costs[native_id] = (self.changes, self.time.now(), fields)
        return native_id

    def write_asset(self, command: WriteAsset, native_id: str | None) -> Written:
        """Create or change, as the API does it."""
        record = self._find(command, native_id)
        by, version = command.dispatch.command_id, command.dispatch.version
        if record is None:
            record = self._new(command.fields)
            record.hub_ref = command.asset_id
            self.journal.append(Effect("created", record.native_id, command.asset_id, version, by))
            return self._written(record)
        update = {name: getattr(command.fields, name) for name in command.writable_fields}
        changed = record.fields.model_copy(update=update)
        if changed == record.fields and record.hub_ref == command.asset_id:
            return self._written(record, effect=False)
        record.fields, record.hub_ref = changed, command.asset_id
        self._touch(record)
        self.journal.append(Effect("changed", record.native_id, command.asset_id, version, by))
        return self._written(record)

    def find_asset(self, command: WriteAsset, native_id: str | None) -> Written | None:
        """The record if it holds what the command asks for."""
        record = self._find(command, native_id)
        if record is None or record.hub_ref != command.asset_id:
            return None
        wanted = {name: getattr(command.fields, name) for name in command.writable_fields}
        holds = record.fields.model_copy(update=wanted) == record.fields
        return self._written(record) if holds else None

    def post_cost(self, command: PostCost) -> Written:
        """Post a document once: its reference is unique, as in the real ledger it is not."""
        number = f"{self.name}-d{len(self.posted) + 1}"
        self.posted[number] = (command.cost_doc_id, command.fields)
        self.journal.append(
            Effect("posted", number, command.cost_doc_id, command.dispatch.version, command.dispatch.command_id)
        )
        return Written(number, number=number)

    def find_cost(self, command: PostCost) -> Written | None:
        """The posted document with the hub's reference."""
        found = [number for number, (ref, _) in self.posted.items() if ref == command.cost_doc_id]
        return Written(found[0], number=found[0]) if found else None

    def _find(self, command: WriteAsset, native_id: str | None) -> Record | None:
        if native_id is not None:
            return self.records.get(native_id)
        referred = [r for r in self.records.values() if r.hub_ref == command.asset_id]
        serial = command.fields.serial_number
        adopted = [r for r in self.records.values() if r.hub_ref is None and r.fields.serial_number == serial]
        return next(iter((*referred, *adopted)), None)

    def _new(self, fields: AssetFields) -> Record:
        record = Record(f"{self.name}-{len(self.records) + 1}", fields, 0, self.time.now())
        self.records[record.native_id] = record
        self._touch(record)
        return record

    def _touch(self, record: Record) -> None:
        self.changes += 1
        record.changed, record.changed_at = self.changes, self.time.now()

    @staticmethod
    def _written(record: Record, *, effect: bool = True) -> Written:
        digest = digest_fields(record.fields)
        return Written(record.native_id, source_version=str(record.changed), digest=digest, effect=effect)


@dataclass(frozen=True, slots=True)
class Api:
    """The hub's connector to a system: source, sink and mapping, over requests that fail."""

    system: System

    def connector(self) -> Connector:
        """As the kernel wants it."""
        return Connector(source=self, sink=self, map_item=self.map_item, snapshot_streams=())

    async def read_changes(self, position: Mapping[str, str], limit: int) -> Page:
        """See ``Source``."""
        return await self._request("read", lambda: self._changes(int(position.get("all", "0")), limit))

    async def read_one(self, stream: str, native_id: str) -> RawItem | None:
        """See ``Source``."""
        return self._item(stream, native_id)

    async def read_all(self, stream: str) -> AsyncIterator[RawItem]:
        """See ``Source``."""
        raise NotImplementedError(stream)
        yield RawItem("", "", b"")

    async def write(self, command: Command, native_id: str | None) -> Written:
        """See ``Sink``."""
        match command:
            case WriteAsset():
                return await self._request("write", lambda: self.system.write_asset(command, native_id))
            case PostCost():
                return await self._request("write", lambda: self.system.post_cost(command))
            case _:
                raise NotImplementedError

    async def read_back(self, command: Command, native_id: str | None) -> Written | None:
        """See ``Sink``."""
        match command:
            case WriteAsset():
                return await self._request("read", lambda: self.system.find_asset(command, native_id))
            case PostCost():
                return await self._request("read", lambda: self.system.find_cost(command))
            case _:
                raise NotImplementedError

    def map_item(self, item: RawItem) -> Sequence[Report]:
        """See ``Connector``."""
        content = json.loads(item.payload)
        origin = Origin.model_validate(content["origin"], strict=False)
        if item.stream == "costs":
            return [CostReport(origin=origin, fields=CostFields.model_validate(content["fields"], strict=False))]
        return [AssetReport(origin=origin, fields=AssetFields.model_validate(content["fields"], strict=False))]

    def _changes(self, after: int, limit: int) -> Page:
        records = [(r.changed, "assets", r.native_id) for r in self.system.records.values()]
        costs = [(changed, "costs", native_id) for native_id, (changed, _, _) in self.system.costs.items()]
        found = sorted(one for one in (*records, *costs) if one[0] > after)[:limit]
        position = str(found[-1][0] if found else after)
        return Page([self._item(stream, native_id) for _, stream, native_id in found], {"all": position})

    def _item(self, stream: str, native_id: str) -> RawItem:
        if stream == "costs":
            changed, at, fields = self.system.costs[native_id]
            content = {"origin": self._origin("cost-document", native_id, changed, at), "fields": fields}
        else:
            record = self.system.records[native_id]
            origin = self._origin("asset", native_id, record.changed, record.changed_at, record.hub_ref)
            content = {"origin": origin, "fields": record.fields}
        plain = {name: json.loads(part.model_dump_json()) for name, part in content.items()}
        return RawItem(stream, native_id, json.dumps(plain).encode())

    def _origin(self, entity: str, native_id: str, changed: int, at: dt.datetime, hub_ref: str | None = None) -> Origin:
        return Origin(
            system=self.system.name,
            entity=entity,
            native_id=native_id,
            source_version=str(changed),
            recorded_at=at,
            hub_ref=hub_ref,
        )

    async def _request(self, kind: str, act: Callable[[], T]) -> T:
        self.system.point(f"{self.system.name}:{kind}:before")
        await asyncio.sleep(self.system.latency_secs())
        fate = self.system.fate(kind)
        match fate:
            case "out":
                raise Unavailable(f"{self.system.name} does not answer")
            case "busy":
                raise Retryable("429", retry_after_secs=0.5)
            case "lost":
                raise OutcomeUnknown("connection reset before the request was read")
            case "late":
                asyncio.get_running_loop().call_later(LATE_SECS, act)
                raise OutcomeUnknown("timed out; the request is still at work")
        done = act()
        self.system.point(f"{self.system.name}:{kind}:after")
        if fate == "unanswered":
            raise OutcomeUnknown("timed out after it was done")
        return done
