"""UNIO24 before the conformance suite: its sandbox, and a person who works in its store."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path

import yaml
from pydantic import SecretStr

from tieline.connectors.kit.sandboxing.answers import Answer
from tieline.connectors.kit.sandboxing.cases import AMOUNT, CURRENCY, Case, Opening, Trial, World
from tieline.connectors.kit.sandboxing.door import Door
from tieline.connectors.kit.sandboxing.faults import Faults, Sight
from tieline.connectors.unio24 import sandbox_assets as assets
from tieline.connectors.unio24.sandbox import PLAYABLE, Handler, Sandbox, build, subscribe
from tieline.connectors.unio24.sandbox_assets import Call
from tieline.connectors.unio24.sandbox_store import Store
from tieline.connectors.unio24.sandbox_webhooks import Messenger
from tieline.kernel.asset_records import AssetFields, PhysicalStatus
from tieline.kernel.book_records import BookFields, ScheduleLine
from tieline.kernel.command_records import WriteAsset, WriteBook
from tieline.kernel.protocols import Connector
from tieline.kernel.vocabulary import Dispatch, Money

PROFILE = Path(__file__).parents[3] / "deploy" / "local" / "unio24.profile.yaml"
TOKEN = "case-token-of-the-sandbox"  # noqa: S105  - of a sandbox that lives as long as a test
WEBHOOK_SECRET = "case-webhook-secret"  # noqa: S105  - as above


@dataclass(frozen=True, slots=True)
class Unio24World:
    store: Store
    messenger: Messenger
    faults: Faults
    settings: Mapping[str, object]

    async def create(self, number: int) -> str:
        cost = {"purchase_cost": format(AMOUNT, "f"), "currency": CURRENCY, "company": "1000"}
        return str(self.do(assets.create_asset, {"name": f"Pump {number}", **cost}))

    async def edit(self, native_id: str, number: int) -> None:
        self.do(assets.patch_asset, {"site": f"HALL-{number}"}, native_id)

    async def delete(self, native_id: str) -> None:
        self.do(assets.delete_asset, {}, native_id)

    def journal(self) -> Sequence[Mapping[str, object]]:
        return self.store.journal(0, 100_000)

    def do(self, handler: Handler, body: dict[str, object], native_id: str = "") -> object:
        """Somebody at a screen does it; the id of what came of it."""
        with self.store.transaction() as transaction:
            answer: Answer = handler(self.store, Call({"id": native_id}, {}, body))
        self.messenger.tell(transaction.changes, self.faults.strike(Sight("POST", "/"), "webhook"))
        return answer.body["id"] if isinstance(answer.body, dict) else None


@cache
def slim_profile() -> str:
    """The demo's profile without the streams that one may leave out: a poll is two calls, and the suite quick."""
    content = yaml.safe_load(PROFILE.read_text(encoding="utf-8"))
    for name in ("audits", "equipment_links", "references"):
        del content[name]
    streams = content["webhook"]["streams"]
    content["webhook"]["streams"] = {k: v for k, v in streams.items() if v in ("assets", "cost-documents")}
    return yaml.safe_dump(content)


@asynccontextmanager
async def open_sandbox(opening: Opening) -> AsyncIterator[World]:
    """The sandbox on a port of the machine's choice."""
    profile = opening.folder / "profile.yaml"
    profile.write_text(slim_profile(), encoding="utf-8")
    store, door = Store(opening.folder / "sandbox.sqlite", opening.clock), Door("127.0.0.1", 0)
    if opening.webhook_url is not None:
        with store.transaction():
            subscribe(store, Call({}, {}, {"url": opening.webhook_url, "secret": WEBHOOK_SECRET}))
    messenger = Messenger(store)
    await messenger.outbox.start()
    try:
        port = await door.open(build(Sandbox(store, messenger, opening.faults, TOKEN, door)))
        settings = {
            "endpoint": f"http://127.0.0.1:{port}",
            "profile": str(profile),
            "token": SecretStr(TOKEN),
            "webhook_secret": SecretStr(WEBHOOK_SECRET),
            "webhook_port": 1,  # the suite receives in its place
            "read_timeout_secs": 0.3,
        }
        yield Unio24World(store, messenger, opening.faults, settings)
    finally:
        await messenger.outbox.stop()
        await door.close()
        store.close()


def fields(number: int) -> AssetFields:
    """The n-th asset, as an ERP books it."""
    return AssetFields(
        description=f"Press {number}",
        serial_number=f"SN-{number}",
        physical_status=PhysicalStatus.ORDERED,
        company="1000",
        cost_centre="CC-1",
        quantity=Decimal(1),
        acquisition_cost=Money(amount=AMOUNT, currency=CURRENCY),
        acquisition_date=dt.date(2026, 5, 4),
    )


async def adopt(world: World, _connector: Connector, number: int) -> Trial:
    """A record that somebody typed before the hub knew of it, with the same serial number."""
    if not isinstance(world, Unio24World):
        raise TypeError("another world")
    world.do(assets.create_asset, {"name": "Typed by hand", "serial": f"SN-{number}"})
    command = WriteAsset(
        dispatch=Dispatch(command_id=f"adopt-{number}", target="am", version=1),
        asset_id=f"adopted-{number}",
        fields=fields(number),
        writable_fields=tuple(AssetFields.model_fields),
    )
    return Trial(command)


async def replace_book(_world: World, connector: Connector, number: int) -> Trial:
    """An asset that is there, and its book of one posted line."""
    dispatch = Dispatch(command_id=f"book-{number}", target="am", version=1)
    asset = WriteAsset(
        dispatch=dispatch, asset_id=f"booked-{number}", fields=fields(number), writable_fields=("description",)
    )
    written = await connector.sink.write(asset, None)
    line = ScheduleLine(
        date=dt.date(2026, 1, 31),
        posting_period="2026-001",
        depreciation=Decimal("10.00"),
        accumulated_after=Decimal("10.00"),
        net_book_value_after=Decimal("90.00"),
        posted=True,
        document="M-1",
    )
    book = BookFields(
        book_id="main",
        currency=CURRENCY,
        method="SL",
        gross_cost=Decimal(100),
        salvage=Decimal(0),
        accumulated=Decimal(10),
        net_book_value=Decimal(90),
        as_of=dt.date(2026, 1, 31),
        lines=(line,),
    )
    command = WriteBook(dispatch=dispatch, asset_id=asset.asset_id, native_id=written.native_id, fields=book)
    return Trial(command, written.native_id)


CASE = Case(
    open=open_sandbox,
    stream="assets",
    golden="asset-unknown-status",
    playable=PLAYABLE,
    fields=fields,
    trials={"asset.adopt": adopt, "book.replace": replace_book},
    small_pages={"page_size": 2},
    short_answers={"max_answer_bytes": 10_000},
)
