"""An ERPNext that runs in the test's own process, and its connector."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from inspect import isawaitable
from itertools import count

from tieline.connectors.erpnext.connector import connect
from tieline.connectors.erpnext.sandbox import PLAYABLE, Sandbox, build, open_sandbox
from tieline.connectors.kit.sandboxing.door import Door
from tieline.connectors.kit.sandboxing.faults import Faults
from tieline.connectors.kit.sandboxing.records import Row
from tieline.connectors.kit.sandboxing.script import read_script
from tieline.kernel.asset_records import AssetFields, AssetReport
from tieline.kernel.command_records import Command, PostCost, WriteAsset
from tieline.kernel.cost_records import CostFields, CostKind, CostLine
from tieline.kernel.errors import Retryable, Unavailable
from tieline.kernel.protocols import Connector, RawItem, Written
from tieline.kernel.settling import Confirmed, Failed, settle
from tieline.kernel.vocabulary import Dispatch, Money

KEY, SECRET = "unit-key", "unit-secret"
REFERENCE = "custom_hub_reference"
ALL = tuple(AssetFields.model_fields)
BOUGHT, IN_SERVICE = dt.date(2026, 5, 4), dt.date(2026, 5, 11)
numbers = count(1)


@dataclass
class Part:
    """One sandbox that answers, its clock, and whoever works in it."""

    sandbox: Sandbox
    url: str
    faults: Faults
    moved: dt.timedelta = dt.timedelta()
    opened: list[Connector] = field(default_factory=list)

    def connect(self, **more: object) -> Connector:
        settings: dict[str, object] = {
            "endpoint": self.url,
            "api_key": KEY,
            "api_secret": SECRET,
            "currency": "EUR",
            "companies": {"1000": "Acme"},
            "default_item": "PRESS",
            "reference_is_unique": True,
            "cost_accounts": {CostKind.SERVICE: "Repairs - A"},
            "clearing_account": "Clearing - A",
            "read_timeout_secs": 1,
            **more,
        }
        self.opened.append(connect("erp", settings, clock=self.sandbox.store.clock))
        return self.opened[-1]

    def fail(self, **rule: object) -> None:
        self.faults.rules.extend(read_script([{"seconds": 0, "retry_after": 0, **rule}], PLAYABLE))

    def create(self, **body: object) -> str:
        """A person makes an asset; its name."""
        plain: dict[str, object] = {
            "item_code": "PRESS",
            "asset_name": "Drill",
            "company": "Acme",
            "location": "Hall 1",
        }
        plain |= {"purchase_date": BOUGHT.isoformat(), "gross_purchase_amount": Decimal("100.10")}
        whole = {**plain, "is_existing_asset": 1, **body}
        store = self.sandbox.store
        return str(self.sandbox.do(lambda change: store.insert("Asset", whole, change)["name"]))

    def save(self, name: str, **body: object) -> None:
        store = self.sandbox.store
        self.sandbox.do(lambda change: store.update("Asset", name, body, change))

    def delete(self, name: str) -> None:
        store = self.sandbox.store
        self.sandbox.do(lambda change: store.delete("Asset", name, change))

    def rows(self, kind: str) -> list[Row]:
        return self.sandbox.store.records.rows(kind)

    def effects(self) -> list[tuple[object, object]]:
        return [(entry["action"], entry["object"]) for entry in self.sandbox.journal.read(0, 100_000)]


@asynccontextmanager
async def running(**site: object) -> AsyncIterator[Part]:
    """A sandbox behind its door; every connector is closed with it."""
    door, faults = Door("127.0.0.1", 0), Faults()
    holder: list[Part] = []

    def clock() -> dt.datetime:
        return dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC) + (holder[0].moved if holder else dt.timedelta())

    sandbox = open_sandbox(clock, token=f"{KEY}:{SECRET}", faults=faults, door=door, **site)  # type: ignore[arg-type]
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
        location="Hall 1",
        company="1000",
        cost_centre="Plant - A",
        acquisition_cost=Money(amount=Decimal(number) + Decimal("0.07"), currency="EUR"),
        acquisition_date=BOUGHT,
        in_service_date=IN_SERVICE,
    ).model_copy(update=changed)


def write(asset_id: str, wanted: AssetFields, *, version: int = 1, writable: tuple[str, ...] = ALL) -> WriteAsset:
    dispatch = Dispatch(command_id=f"c-{next(numbers)}", target="erp", version=version)
    return WriteAsset(dispatch=dispatch, asset_id=asset_id, fields=wanted, writable_fields=writable)


def cost(number: int, amount: str = "", **changed: object) -> PostCost:
    line = CostLine(line_no=1, kind=CostKind.SERVICE, description="Oil", amount=Decimal(amount or f"{number}.11"))
    document = CostFields(
        work_order=f"WO-{number}",
        company="1000",
        currency="EUR",
        cost_centre="Main - A",
        effective_date=dt.date(2026, 11, 2),
        total=line.amount,
        lines=(line,),
    ).model_copy(update=changed)
    dispatch = Dispatch(command_id=f"p-{next(numbers)}", target="erp", version=1)
    return PostCost(dispatch=dispatch, cost_doc_id=f"cost-{number}", fields=document)


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


async def report_of(connector: Connector, name: str) -> AssetReport:
    """What it says of an asset now."""
    item = await connector.source.read_one("assets", name)
    assert item is not None
    report = connector.map_item(item)[0]
    assert isinstance(report, AssetReport)
    return report
