"""A NetBox that runs in the test's own process, and its connector."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from inspect import isawaitable
from itertools import count

from tieline.connectors.kit.sandboxing.door import Door
from tieline.connectors.kit.sandboxing.faults import Faults
from tieline.connectors.kit.sandboxing.records import Row
from tieline.connectors.kit.sandboxing.script import read_script
from tieline.connectors.netbox import sandbox as acts
from tieline.connectors.netbox.connector import connect
from tieline.connectors.netbox.sandbox import PLAYABLE, Sandbox, build, open_sandbox
from tieline.connectors.netbox.sandbox_store import Instance
from tieline.kernel.asset_records import AssetFields, PhysicalStatus
from tieline.kernel.code_lists import SHARED, Codes
from tieline.kernel.command_records import Command, WriteAsset
from tieline.kernel.errors import Retryable, Unavailable
from tieline.kernel.protocols import Connector, RawItem, Written
from tieline.kernel.settling import Confirmed, Failed, settle
from tieline.kernel.vocabulary import Dispatch, Money

TOKEN = "nbt_unit.token"  # noqa: S105  - of a sandbox that lives as long as a test
ALL = tuple(AssetFields.model_fields)
numbers = count(1)


@dataclass
class Part:
    """One sandbox that answers, its clock, and whoever works in it."""

    sandbox: Sandbox
    url: str
    faults: Faults
    moved: dt.timedelta = dt.timedelta()
    opened: list[Connector] = field(default_factory=list)

    def settings(self, **more: object) -> dict[str, object]:
        return {
            "endpoint": self.url,
            "token": self.sandbox.token,
            "currency": "EUR",
            "reference_field": "hub_reference",
            "reference_is_unique": True,
            "custom_fields": {"acquisition_cost": "cost", "acquisition_date": "bought_on"},
            "default_kind": {"device_type": 1, "role": 2},
            "read_timeout_secs": 1,
            **more,
        }

    def connect(self, codes: Codes = SHARED, **more: object) -> Connector:
        self.opened.append(connect("am", self.settings(**more), codes=codes))
        return self.opened[-1]

    def fail(self, **rule: object) -> None:
        self.faults.rules.extend(read_script([{"seconds": 0, "retry_after": 0, **rule}], PLAYABLE))

    def do(self, handler: acts.Handler, body: Mapping[str, object], native_id: str = "") -> str:
        """A person does it; the id of what came of it."""
        return str(self.sandbox.do(handler, body, native_id).get("id", ""))

    def create(self, **body: object) -> str:
        return self.do(acts.create_device, {"device_type": 1, "role": 1, "site": 1, **body})

    def devices(self) -> list[Row]:
        return self.sandbox.store.records.rows("device")

    def effects(self) -> list[tuple[object, object]]:
        return [(entry["action"], entry["object_id"]) for entry in self.sandbox.journal.read(0, 100_000)]


@asynccontextmanager
async def running(instance: Instance | None = None, token: str = TOKEN) -> AsyncIterator[Part]:
    """A sandbox behind its door; every connector is closed with it."""
    door, faults = Door("127.0.0.1", 0), Faults()
    holder: list[Part] = []

    def clock() -> dt.datetime:
        return dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC) + (holder[0].moved if holder else dt.timedelta())

    sandbox = open_sandbox(clock, token=token, faults=faults, instance=instance, door=door)
    port = await door.open(build(sandbox))
    part = Part(sandbox, f"http://127.0.0.1:{port}", faults)
    holder.append(part)
    try:
        yield part
    finally:
        for connector in part.opened:
            closing = connector.close()
            if isawaitable(closing):
                await closing
        await door.close()


def fields(number: int, **changed: object) -> AssetFields:
    return AssetFields(
        description=f"Press {number}",
        serial_number=f"SN-{number}",
        physical_status=PhysicalStatus.ORDERED,
        location="hq/store",
        company="1000",
        acquisition_cost=Money(amount=Decimal(number) + Decimal("0.07"), currency="EUR"),
        acquisition_date=dt.date(2026, 5, 4),
    ).model_copy(update=changed)


def write(asset_id: str, wanted: AssetFields, *, version: int = 1, writable: tuple[str, ...] = ALL) -> WriteAsset:
    dispatch = Dispatch(command_id=f"c-{next(numbers)}", target="am", version=version)
    return WriteAsset(dispatch=dispatch, asset_id=asset_id, fields=wanted, writable_fields=writable)


async def deliver(connector: Connector, command: Command, native_id: str | None = None) -> Written:
    """As the delivery loop does: paused and taken up again where the system is out, read back where nobody knows."""
    uncertain = False
    for _ in range(20):
        try:
            outcome = await settle(command, native_id, connector.sink, uncertain=uncertain, sleep=_no_time)
        except Unavailable:
            uncertain = True
            continue
        if isinstance(outcome, Confirmed):
            return outcome.written
        assert isinstance(outcome, Failed)
        raise outcome.rejection
    raise AssertionError("never delivered")


async def _no_time(_secs: float) -> None:
    return None


async def drain(connector: Connector, position: Mapping[str, str]) -> tuple[list[RawItem], Mapping[str, str]]:
    """Everything that changed since."""
    items: list[RawItem] = []
    for _ in range(500):
        try:
            page = await connector.source.read_changes(position, 100)
        except (Retryable, Unavailable):
            continue
        items += page.items
        position = page.position
        if not page.more:
            return items, position
    raise AssertionError("it never ends")
