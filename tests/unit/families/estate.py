"""A whole estate on a table: two sandboxes over HTTP, their connectors, the processors, a log with the real codec."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestServer

from tieline.connectors.kit.sandboxing.faults import Faults
from tieline.connectors.kit.sandboxing.script import read_script
from tieline.connectors.unio24 import sandbox_records
from tieline.connectors.unio24.sandbox import PLAYABLE, Sandbox, build
from tieline.connectors.unio24.sandbox_assets import Call
from tieline.connectors.unio24.sandbox_store import Document, Store
from tieline.connectors.unio24.sandbox_webhooks import Messenger
from tieline.kernel.capturing import mapping_processor, raw_record
from tieline.kernel.codecs import Codec
from tieline.kernel.command_records import Command
from tieline.kernel.consuming import Processor
from tieline.kernel.declarations import Topic, subject, topics_for
from tieline.kernel.errors import Rejected
from tieline.kernel.family_records import FamilyCommand, FamilyEvent, FamilyState
from tieline.kernel.landscape import load_landscape
from tieline.kernel.memory import Conflict, LedgerEntry, XRef
from tieline.kernel.protocols import Connector
from tieline.kernel.recording import Recorder
from tieline.kernel.records import Inbound, Outbound, Typed
from tieline.kernel.settling import Confirmed, Failed, is_superseded, ledger_key, needs_read_back, settle
from tieline.kernel.shapes import shapes_of
from tieline.kernel.tables import Table
from tieline.kernel.vocabulary import Model
from tieline.processors.wiring import build_processor
from tieline.wiring import Hub

LANDSCAPE = Path(__file__).parents[2] / "families" / "landscape.yaml"
TOKEN = "sandbox-token"  # noqa: S105  - of a sandbox that lives as long as a test
START = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)


class Registry:
    """The schemas of these topics, registered. See ``SchemaIds``."""

    def __init__(self, topics: Mapping[str, Topic], text_of: Mapping[str, str]) -> None:
        self._ids: dict[str, int] = {}
        self._subjects: dict[int, set[str]] = {}
        for topic in topics.values():
            for record in topic.records:
                known = self._ids.setdefault(text_of[record], len(self._ids) + 1)
                self._subjects.setdefault(known, set()).add(subject(topic, record))

    def id_of(self, subject_name: str, text: str) -> int | None:
        known = self._ids.get(text)
        return known if known is not None and subject_name in self._subjects[known] else None

    def find(self, schema_id: int) -> tuple[str, frozenset[str]] | None:
        texts = [text for text, known in self._ids.items() if known == schema_id]
        return (texts[0], frozenset(self._subjects[schema_id])) if texts else None


@dataclass(slots=True)
class Clock:
    """The time, as the test sets it."""

    now: dt.datetime = START

    def __call__(self) -> dt.datetime:
        return self.now

    def tick(self) -> None:
        self.now += dt.timedelta(seconds=1)


@dataclass(slots=True)
class Screen:
    """Somebody at one sandbox, and what it holds."""

    store: Store
    collection: str
    faults: Faults

    def create(self, **fields: object) -> Document:
        return self._do(sandbox_records.create_record, {}, fields)

    def edit(self, number: object, **fields: object) -> Document:
        return self._do(sandbox_records.patch_record, {"id": str(number)}, fields)

    def held(self) -> list[Document]:
        return self.store.find("record", collection=self.collection)

    def writes(self) -> list[str]:
        return [str(entry["action"]) for entry in self.store.journal(0, 1000) if entry["object"] == "record"]

    def fail(self, **rule: object) -> None:
        self.faults.rules.extend(read_script([rule], PLAYABLE))

    def _do(self, handler: Any, path: Mapping[str, str], fields: Document) -> Document:
        with self.store.transaction():
            answer = handler(self.store, Call({"collection": self.collection, **path}, {}, fields))
        found: Document = answer.body
        return found


@dataclass(slots=True)
class Estate:
    """Everything that runs, and everything that was written, oldest first."""

    hub: Hub
    clock: Clock
    connectors: Mapping[str, Connector]
    screens: Mapping[str, Screen]
    processors: list[Processor] = field(init=False)
    ledgers: dict[str, Table[LedgerEntry]] = field(init=False)
    positions: dict[str, Mapping[str, str]] = field(default_factory=dict)
    log: list[Inbound] = field(default_factory=list)
    dead: list[Rejected] = field(default_factory=list)

    def __post_init__(self) -> None:
        names = ("identify", "accept", "route")
        self.processors = [build_processor(name, self.hub.landscape, self.clock) for name in names]
        self.processors += [mapping_processor(system, one) for system, one in self.connectors.items()]
        self.ledgers = {system: Table("hub.delivery-ledger.state.v1", LedgerEntry) for system in self.connectors}

    async def run(self) -> list[Typed]:
        """Read the systems, let the hub work, deliver, read again, until nothing moves. Returns what was written."""
        before, moved = len(self.log), True
        while moved:
            length = len(self.log)
            for system, connector in self.connectors.items():
                page = await connector.source.read_changes(self.positions.get(system, {}), 200)
                self.positions[system] = page.position
                for item in page.items:
                    await self.publish(raw_record(system, item))
            moved = len(self.log) > length
        return self.typed(before)

    def typed(self, since: int = 0) -> list[Typed]:
        """The records with a schema, from a place of the log on."""
        found = [r for r in self.log[since:] if r.value is not None and not self.hub.codec.is_raw(r.topic)]
        return [self.hub.codec.decode(record.topic, record.value or b"") for record in found]

    async def publish(self, outbound: Outbound) -> None:
        """Write one record, and let everybody who reads its topic handle it and what follows from it."""
        value = outbound.value
        data = self.hub.codec.encode(outbound.topic, value) if isinstance(value, Typed) else value
        headers = tuple((k, v.encode() if isinstance(v, str) else v) for k, v in outbound.headers.items())
        key = outbound.key.encode() if isinstance(outbound.key, str) else outbound.key
        record = Inbound(outbound.topic, 0, len(self.log), key, data, headers)
        self.log.append(record)
        await self.handle(record)

    async def handle(self, record: Inbound) -> None:
        """Let everybody who reads the record's topic handle it; also to do it once more."""
        raw = self.hub.codec.is_raw(record.topic)
        typed = None if record.value is None or raw else self.hub.codec.decode(record.topic, record.value)
        for processor in self.processors:
            for table in processor.followed:
                if table.topic == record.topic and typed is not None:
                    table.load(record.key_text, typed.body)
            if record.topic in processor.inputs and (typed is not None or raw):
                for outbound in self._handled(processor, record, typed):
                    await self.publish(outbound)
        part = record.topic.split(".")
        if typed is not None and part[0] == "sink" and part[2] == "command":
            for outbound in await self._deliver(part[1], typed.body):
                await self.publish(outbound)

    def _handled(self, processor: Processor, record: Inbound, typed: Typed | None) -> list[Outbound]:
        try:
            written = list(processor.handle(record, typed or Typed("raw", Model())))
        except Rejected as rejection:
            self.dead.append(rejection)
            for table in processor.tables:
                table.drop_record()
            return []
        for table in processor.tables:
            written += table.drain()
            table.commit()
        return written

    async def _deliver(self, system: str, command: Model) -> list[Outbound]:
        """What the delivery loop does with one command, without Kafka."""
        assert isinstance(command, FamilyCommand)
        ledger, clock = self.ledgers[system], self.clock
        recorder, entry = Recorder(system, ledger, clock), ledger.get(ledger_key(command))
        if entry is not None and is_superseded(command, entry):
            return recorder.supersede(command, entry)
        written = recorder.intend(command)
        native_id = (entry.native_id if entry else None) or command.native_id
        uncertain = needs_read_back(command, entry)
        outcome = await settle(command, native_id, self.connectors[system].sink, uncertain=uncertain, sleep=_no_pause)
        match outcome:
            case Confirmed(answer):
                return [*written, *recorder.confirm(command, answer)]
            case Failed(rejection, _, in_doubt):
                self.dead.append(rejection)
                return [*written, *recorder.reject(command, rejection, in_doubt=in_doubt)]
            case _:
                raise AssertionError(outcome)

    def rows(self, kind: type[Model]) -> list[Any]:
        """Rows of the tables of this kind that a processor owns."""
        tables = [t for p in self.processors for t in p.tables if issubclass(t.kind, kind)]
        return [row for table in tables for _, row in table.items()]

    def state(self) -> Any:
        """The only record of a declared family that there is."""
        [row] = self.rows(FamilyState)
        return row

    def conflicts(self) -> dict[tuple[str, str], tuple[str | None, str | None]]:
        """Field and system of every conflict, with the owner's value and the other one."""
        return {(c.field, c.system): (c.owned_value, c.foreign_value) for c in self.rows(Conflict)}

    def links(self) -> dict[str, str]:
        """Canonical id by system/entity/native id."""
        return {f"{x.system}/{x.entity}/{x.native_id}": x.canonical_id for x in self.rows(XRef)}


async def _no_pause(_secs: float) -> None:
    """A test waits for nothing."""


def events(written: list[Typed]) -> list[Any]:
    """The families' events among what was written."""
    return [value.body for value in written if isinstance(value.body, FamilyEvent)]


def commands(written: list[Typed]) -> list[Command]:
    """The families' commands among what was written."""
    return [value.body for value in written if isinstance(value.body, FamilyCommand)]


def in_memory(path: Path, environ: Mapping[str, str]) -> Hub:
    """The hub of a landscape with every schema registered, and no Kafka."""
    landscape = load_landscape(path, environ)
    shapes = shapes_of(landscape.families)
    topics = {topic.name: topic for topic in topics_for(landscape)}
    texts = {record: shapes.schema_text(record) for topic in topics.values() for record in topic.records}
    codec = Codec(topics, Registry(topics, texts), shapes)
    return Hub(path, landscape, topics, codec, dict.fromkeys(topics, 1), lambda: None)


@asynccontextmanager
async def start_estate(folder: Path, path: Path = LANDSCAPE) -> AsyncIterator[Estate]:
    """The estate of the landscape, its two systems served on the loopback; SHOP_TOKEN and UNIO24_TOKEN are needed."""
    clock, environ, screens, servers = Clock(), {}, {}, []
    ports = count(1)
    for system, collection in (("shop", "orders"), ("unio24", "sales-orders")):
        store, faults = Store(folder / f"{system}-{next(ports)}.db", clock), Faults()
        server = TestServer(build(Sandbox(store, Messenger(store), faults, TOKEN)))
        await server.start_server()
        servers.append(server)
        environ[f"TIELINE_ENDPOINT_{system.upper()}"] = str(server.make_url("")).rstrip("/")
        screens[system] = Screen(store, collection, faults)
    hub = in_memory(path, environ)
    connectors = {system: hub.connect(system) for system in screens}
    try:
        yield Estate(hub, clock, connectors, screens)
    finally:
        for connector in connectors.values():
            closing: Any = connector.close()
            await closing
        for server in servers:
            await server.close()
        for screen in screens.values():
            screen.store.close()
