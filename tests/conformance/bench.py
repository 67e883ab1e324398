"""A connector at its opened system: what every clause's test does with it."""

from __future__ import annotations

import datetime as dt
import importlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from inspect import isawaitable, signature
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from tests.conformance.fleet import GOLDEN, load_case

from tieline.connectors.kit.sandboxing.cases import Case, Opening, Prepare, Trial, World
from tieline.connectors.kit.sandboxing.faults import Faults, Rule, Sight
from tieline.connectors.kit.sandboxing.kinds import KINDS, Stage
from tieline.connectors.kit.sandboxing.script import read_script
from tieline.kernel.asset_records import AssetFields
from tieline.kernel.clock import utc_now
from tieline.kernel.command_records import Command, RemoveRecord, WriteAsset
from tieline.kernel.errors import OutcomeUnknown, Retryable, Unavailable
from tieline.kernel.manifests import Manifest, connector_folders, read_manifest
from tieline.kernel.protocols import Connector, RawItem, Written
from tieline.kernel.reports import Report
from tieline.kernel.vocabulary import Dispatch

TRIES = 8
MOST_PAGES = 60  # of one drain; more is a reader that turns in circles
BRIEF_SECS = 0.0  # of faults that end the connection: it ends at once
SLOW_SECS = 0.5  # longer than a case's time-outs
STORM = 3
NEVER = 1_000_000
_STORMS = ("error_429", "error_503")


class StandingClock:
    """Time that stands until it is moved: everything that happens meanwhile is dated the same."""

    def __init__(self) -> None:
        # A little ahead, so that a slow machine never makes what happens now look long settled.
        self.now = utc_now().replace(microsecond=0) + dt.timedelta(seconds=10)

    def __call__(self) -> dt.datetime:
        return self.now

    def move(self, secs: float = 1) -> None:
        """Later."""
        self.now += dt.timedelta(seconds=secs)


@dataclass(slots=True)
class WatchedFaults(Faults):
    """Rules in force, and every request that was let in to be struck."""

    seen: list[Sight] = field(default_factory=list)
    on_request: Callable[[], None] = lambda: None

    def strike(self, sight: Sight, stage: Stage) -> Rule | None:
        """See ``Faults``."""
        if stage == "request":
            self.seen.append(sight)
            self.on_request()
        return Faults.strike(self, sight, stage)


@dataclass
class Bench:
    """One connector, its system, and what is to be known of both."""

    name: str
    manifest: Manifest
    case: Case
    world: World
    faults: WatchedFaults
    clock: StandingClock
    stack: AsyncExitStack
    numbers: int = 0

    def connect(self, **more: object) -> Connector:
        """A connector to the system, closed after the test; ``more`` are further settings."""
        return self.connect_with({}, **more)

    def connect_as(self, system: str) -> Connector:
        """A connector under this name in the landscape, closed after the test."""
        module = importlib.import_module(f"tieline.connectors.{self.name}.connector")
        connector: Connector = module.connect(system, dict(self.world.settings))
        self.stack.push_async_callback(_close, connector)
        return connector

    def connect_with(self, extra: Mapping[str, object], **more: object) -> Connector:
        """The same with further arguments of ``connect``."""
        module = importlib.import_module(f"tieline.connectors.{self.name}.connector")
        connector: Connector = module.connect("sut", {**self.world.settings, **more}, **extra)
        self.stack.push_async_callback(_close, connector)
        return connector

    def takes(self, argument: str) -> bool:
        """Whether ``connect`` takes this argument."""
        module = importlib.import_module(f"tieline.connectors.{self.name}.connector")
        return argument in signature(module.connect).parameters

    def number(self) -> int:
        """One that no other thing of this test has."""
        self.numbers += 1
        return self.numbers

    async def create(self, count: int) -> list[str]:
        """Records of the case's stream, by a person."""
        return [await self.world.create(self.number()) for _ in range(count)]

    def fail(self, kind: str, **keys: object) -> Rule:
        """From now on only this fault is in force: once, brief, and without a wait, unless ``keys`` say otherwise."""
        self.mend()
        secs = {"slow": SLOW_SECS, "late_webhook": 0.05, "reorder_webhook": 0.05}.get(kind, BRIEF_SECS)
        rule = {"kind": kind, "seconds": secs, "retry_after": 0, **keys}
        self.faults.rules.extend(read_script([rule], KINDS))
        return self.faults.rules[0]

    def fail_at(self, kind: str) -> Callable[[int], None]:
        """Arms a fault, so that older states are kept from now on; the result lets it strike the n-th call from then.

        A refusal comes several times in a row, as in a storm.
        """
        rule = self.fail(kind, nth=NEVER, count=STORM if kind in _STORMS else 1)

        def strike(step: int) -> None:
            rule.nth = rule.calls + step

        return strike

    def mend(self) -> None:
        """No fault is in force."""
        self.faults.rules.clear()

    async def calls_of(self, work: Awaitable[object]) -> int:
        """Requests that the work makes."""
        before = len(self.faults.seen)
        await work
        return len(self.faults.seen) - before

    def request_kinds(self, *without: str) -> list[str]:
        """Fault kinds that the sandbox plays on a request, in order of their names."""
        playable = {kind for kind in self.case.playable if KINDS[kind].stage in ("request", "session")}
        return sorted(playable - {"refuse_connection", "answer", *without})

    # ---- reading

    async def whole(self, connector: Connector) -> list[RawItem]:
        """The case's stream, read whole."""
        return [item async for item in connector.source.read_all(self.case.stream)]

    async def versions(self, connector: Connector) -> set[tuple[str, str]]:
        """Native id and version of everything that the system holds now."""
        return set(self.said(connector, await self.whole(connector)))

    def said(self, connector: Connector, items: Sequence[RawItem]) -> list[tuple[str, str]]:
        """Native id and version of each item of the case's stream, as it is mapped."""
        found = []
        for item in items:
            if item.stream == self.case.stream:
                found += [(r.origin.native_id, r.origin.source_version) for r in connector.map_item(item)[:1]]
        return found

    async def page(self, connector: Connector, position: Mapping[str, str], limit: int) -> Any:
        """One page of changes, tried again as the kernel does where the system does not answer."""
        for _ in range(TRIES):
            try:
                return await connector.source.read_changes(position, limit)
            except (Retryable, Unavailable):
                continue
        raise AssertionError(f"{self.name}: no page after {TRIES} tries")

    async def drain(
        self, connector: Connector, position: Mapping[str, str], limit: int = 100, where: str = ""
    ) -> tuple[list[RawItem], Mapping[str, str]]:
        """Everything that changed since, and the position after it; ``where`` is for the message."""
        items: list[RawItem] = []
        for _ in range(MOST_PAGES):
            page = await self.page(connector, position, limit)
            items += page.items
            position = page.position
            if not page.more:
                return items, position
        raise AssertionError(f"{self.name}: more than {MOST_PAGES} pages; {where}")

    # ---- writing

    async def trial(self, connector: Connector, operation: str) -> Trial:
        """A command of this operation, ready to be written for the first time."""
        prepare = self.case.trials.get(operation) or self._standard(operation)
        return await prepare(self.world, connector, self.number())

    def _standard(self, operation: str) -> Prepare:
        if self.case.fields is None or operation not in ("asset.create", "asset.update", "asset.remove"):
            raise AssertionError(f"{self.name}: its case has no trial of {operation}, which its manifest declares")
        fields = self.case.fields

        async def prepare(_world: World, connector: Connector, number: int) -> Trial:
            create = write_asset(f"asset-{number}", fields(number))
            if operation == "asset.create":
                return Trial(create)
            written = await self.deliver(connector, create, None)
            if operation == "asset.remove":
                native_id = written.native_id
                dispatch = create.dispatch.model_copy(update={"command_id": f"remove-{number}"})
                remove = RemoveRecord(dispatch=dispatch, entity="asset", record_id=native_id, native_id=native_id)
                return Trial(remove, native_id)
            changed = fields(number).model_copy(update={"description": f"Renamed {number}"})
            return Trial(write_asset(f"asset-{number}", changed, version=2), written.native_id)

        return prepare

    async def deliver(self, connector: Connector, command: Command, native_id: str | None) -> Written:
        """As the kernel delivers: what may have happened is read back before anything is sent again (Invariant 5)."""
        unknown = False
        for _ in range(TRIES):
            try:
                if unknown:
                    found = await connector.sink.read_back(command, native_id)
                    unknown = False
                    if found is not None:
                        return found
                return await connector.sink.write(command, native_id)
            except OutcomeUnknown:
                unknown = True
            except (Retryable, Unavailable):
                continue
        raise AssertionError(f"{self.name}: not delivered after {TRIES} tries")

    def effects(self) -> list[Mapping[str, object]]:
        """The journal."""
        return list(self.world.journal())

    def net(self, effects: Sequence[Mapping[str, object]]) -> Counter[str]:
        """Records made, less those unmade, by kind of object."""
        found: Counter[str] = Counter()
        for effect in effects:
            kind = str(effect["object"])
            found[kind] += (effect["action"] in self.case.made) - (effect["action"] in self.case.unmade)
        return Counter({kind: count for kind, count in found.items() if count})


@dataclass
class Opener:
    """Opens one connector's system, as often as the test wants."""

    name: str
    folder: Path
    stack: AsyncExitStack
    opened: int = 0

    async def open(self, webhook_url: str | None = None) -> Bench:
        """A system in which nothing has happened."""
        self.opened += 1
        folder = self.folder / str(self.opened)
        folder.mkdir()
        case, clock, faults = load_case(self.name, GOLDEN), StandingClock(), WatchedFaults()
        world = await self.stack.enter_async_context(case.open(Opening(folder, faults, clock, webhook_url)))
        manifest = read_manifest(connector_folders()[self.name])
        return Bench(self.name, manifest, case, world, faults, clock, self.stack)


async def _close(connector: Connector) -> None:
    closing = connector.close()
    if isawaitable(closing):
        await closing


def write_asset(
    asset_id: str, fields: AssetFields, *, version: int = 1, writable: Sequence[str] = tuple(AssetFields.model_fields)
) -> WriteAsset:
    """The command that brings the asset there to these fields."""
    dispatch = Dispatch(command_id=f"{asset_id}-{version}", target="sut", version=version)
    return WriteAsset(dispatch=dispatch, asset_id=asset_id, fields=fields, writable_fields=tuple(writable))


def golden_folders(connector: str) -> list[Path]:
    """The connector's golden records, in order of their names."""
    return sorted(file.parent for file in (GOLDEN / connector).glob("*/expected.json"))


def golden_item(folder: Path) -> tuple[RawItem, dict[str, Any]]:
    """A golden record as it is read, and what is expected of it."""
    expected: dict[str, Any] = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    reports = reports_of(expected)
    native_id = reports[0]["origin"]["native_id"] if reports else "x"
    return RawItem(expected["stream"], native_id, (folder / "given.json").read_bytes()), expected


def reports_of(expected: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The reports that are expected of a golden record; none for one that is refused."""
    return list(expected["reports"]) if "reports" in expected else [expected["report"]] if "report" in expected else []


def values_of(report: Report | BaseModel) -> Iterator[object]:
    """Every plain value of a report, however deep."""
    for value in dict(report).values():
        yield from _plain(value)


def _plain(value: object) -> Iterator[object]:
    if isinstance(value, BaseModel):
        yield from values_of(value)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _plain(part)
    else:
        yield value


def amounts_of(report: Report) -> list[Decimal]:
    """Every exact number of a report."""
    return [value for value in values_of(report) if isinstance(value, Decimal)]
