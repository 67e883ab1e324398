"""Snipe-IT before the conformance suite: its sandbox, and a person who works in its store."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal

from pydantic import SecretStr

from tieline.connectors.kit.sandboxing.cases import AMOUNT, CURRENCY, Case, Opening, Trial, World
from tieline.connectors.kit.sandboxing.door import Door
from tieline.connectors.snipeit import sandbox_store as acts
from tieline.connectors.snipeit.sandbox import PLAYABLE, Sandbox, build, open_sandbox
from tieline.connectors.snipeit.sandbox_shapes import Instance
from tieline.kernel.asset_records import AssetFields, PhysicalStatus
from tieline.kernel.book_records import BookFields
from tieline.kernel.command_records import WriteAsset, WriteBook
from tieline.kernel.protocols import Connector
from tieline.kernel.vocabulary import Dispatch, Money

TOKEN = "case-token-of-the-sandbox"  # noqa: S105  - of a sandbox that lives as long as a test
PLACES = ("Headquarters", "Laboratory", "Warehouse & Yard")


@dataclass(frozen=True, slots=True)
class SnipeItWorld:
    sandbox: Sandbox
    settings: Mapping[str, object]

    async def create(self, number: int) -> str:
        cost = {"purchase_cost": AMOUNT, "company_id": 1, "location_id": 1}
        body = {"name": f"Pump {number}", "model_id": 1, "status_id": 2, "serial": f"P-{number}", **cost}
        made = self.sandbox.do(acts.create_asset, body)
        return str(made["id"]) if isinstance(made, dict) else ""

    async def edit(self, native_id: str, number: int) -> None:
        # The name is what the suite writes; the serial number is the person's.
        self.sandbox.do(acts.update_asset, {"serial": f"edited-{native_id}-{number}"}, native_id)

    async def delete(self, native_id: str) -> None:
        self.sandbox.do(acts.delete_asset, {}, native_id)

    def journal(self) -> Sequence[Mapping[str, object]]:
        return self.sandbox.journal.read(0, 100_000)


@asynccontextmanager
async def open_world(opening: Opening) -> AsyncIterator[World]:
    """The sandbox on a port of the machine's choice. Its own limit is the budget's test, not every other's."""
    door = Door("127.0.0.1", 0)
    instance = Instance(locations=PLACES)
    sandbox = open_sandbox(
        opening.clock, token=TOKEN, faults=opening.faults, instance=instance, per_minute=None, door=door
    )
    port = await door.open(build(sandbox))
    try:
        settings = {
            "endpoint": f"http://127.0.0.1:{port}",
            "token": SecretStr(TOKEN),
            "currency": CURRENCY,
            "reference_field": "_snipeit_hub_reference_1",
            "reference_is_unique": True,
            "custom_fields": {"cost_centre": "_snipeit_cost_centre_2", "asset_number": "_snipeit_asset_number_3"},
            "book_fields": {
                "book_id": "_snipeit_book_7",
                "accumulated": "_snipeit_accumulated_8",
                "net_book_value": "_snipeit_net_book_value_9",
                "as_of": "_snipeit_as_of_10",
            },
            "default_model": 1,
            "maintenance_cost_centre": "CC-1",
            "read_timeout_secs": 0.3,
        }
        yield SnipeItWorld(sandbox, settings)
    finally:
        await door.close()


def fields(number: int) -> AssetFields:
    """The n-th asset, as an ERP books it."""
    return AssetFields(
        description=f'Press "{number}" <A&B>',
        serial_number=f"SN-{number}",
        physical_status=PhysicalStatus.ORDERED,
        location=PLACES[number % 3],
        company="1000",
        cost_centre="CC-1",
        acquisition_cost=Money(amount=AMOUNT, currency=CURRENCY),
        acquisition_date=dt.date(2026, 5, 4),
    )


def write(number: int, version: int, **changed: object) -> WriteAsset:
    """The command that brings asset n to its fields, with these changed."""
    return WriteAsset(
        dispatch=Dispatch(command_id=f"case-{number}-{version}", target="am", version=version),
        asset_id=f"asset-{number}",
        fields=fields(number).model_copy(update=changed),
        writable_fields=tuple(AssetFields.model_fields),
    )


async def transfer(_world: World, connector: Connector, number: int) -> Trial:
    """An asset that goes to another place."""
    written = await connector.sink.write(write(number, 1), None)
    return Trial(write(number, 2, location=PLACES[(number + 1) % 3]), written.native_id)


async def retire(_world: World, connector: Connector, number: int) -> Trial:
    """An asset that leaves."""
    written = await connector.sink.write(write(number, 1), None)
    return Trial(write(number, 2, physical_status=PhysicalStatus.RETIRED), written.native_id)


async def replace_book(_world: World, connector: Connector, number: int) -> Trial:
    """An asset that is there, and its book."""
    written = await connector.sink.write(write(number, 1), None)
    book = BookFields(
        book_id="main",
        currency=CURRENCY,
        method="SL",
        gross_cost=Decimal(100),
        salvage=Decimal(0),
        accumulated=Decimal("10.00"),
        net_book_value=Decimal("90.00"),
        as_of=dt.date(2026, 1, 31),
        lines=(),
    )
    dispatch = Dispatch(command_id=f"book-{number}", target="am", version=1)
    command = WriteBook(dispatch=dispatch, asset_id=f"asset-{number}", native_id=written.native_id, fields=book)
    return Trial(command, written.native_id)


CASE = Case(
    open=open_world,
    stream="assets",
    golden="asset-unknown-status",
    playable=PLAYABLE,
    fields=fields,
    trials={"asset.transfer": transfer, "asset.retire": retire, "book.replace": replace_book},
    # Two rows do not reach back over two seconds of a busy register: every poll would read it whole.
    small_pages={"page_size": 2, "overlap_secs": 0},
    short_answers={"max_answer_bytes": 10_000},
)
