"""NetBox before the conformance suite: its sandbox, and a person who works in its store."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal

from pydantic import SecretStr

from tieline.connectors.kit.sandboxing.cases import AMOUNT, CURRENCY, Case, Opening, Trial, World
from tieline.connectors.kit.sandboxing.door import Door
from tieline.connectors.netbox import sandbox as acts
from tieline.connectors.netbox.sandbox import PLAYABLE, Sandbox, build, open_sandbox
from tieline.kernel.asset_records import AssetFields, PhysicalStatus
from tieline.kernel.book_records import BookFields
from tieline.kernel.command_records import WriteAsset, WriteBook
from tieline.kernel.protocols import Connector
from tieline.kernel.vocabulary import Dispatch, Money

TOKEN = "nbt_case.token-of-the-sandbox"  # noqa: S105  - of a sandbox that lives as long as a test
SECRET = "case-secret-of-the-webhook"  # noqa: S105  - as above
PLACES = ("hq", "hq/store", "works/hall-1")


@dataclass(frozen=True, slots=True)
class NetBoxWorld:
    sandbox: Sandbox
    settings: Mapping[str, object]

    async def create(self, number: int) -> str:
        custom = {"cost": str(AMOUNT), "bought_on": "2026-05-04"}
        body = {"name": f"pump-{number}", "device_type": 1, "role": 1, "site": 1, "serial": f"P-{number}"}
        return str(self.sandbox.do(acts.create_device, {**body, "custom_fields": custom})["id"])

    async def edit(self, native_id: str, number: int) -> None:
        # The description is what the suite writes; the serial number is the person's.
        self.sandbox.do(acts.update_device, {"serial": f"edited-{native_id}-{number}"}, native_id)

    async def delete(self, native_id: str) -> None:
        self.sandbox.do(acts.delete_device, {}, native_id)

    def journal(self) -> Sequence[Mapping[str, object]]:
        return self.sandbox.journal.read(0, 100_000)


@asynccontextmanager
async def open_world(opening: Opening) -> AsyncIterator[World]:
    """The sandbox on a port of the machine's choice."""
    door = Door("127.0.0.1", 0)
    webhook = (opening.webhook_url, SECRET) if opening.webhook_url else None
    sandbox = open_sandbox(opening.clock, token=TOKEN, faults=opening.faults, door=door, webhook=webhook)
    port = await door.open(build(sandbox))
    try:
        settings = {
            "endpoint": f"http://127.0.0.1:{port}",
            "token": SecretStr(TOKEN),
            "webhook_secret": SecretStr(SECRET),
            "webhook_port": 8080,
            "currency": CURRENCY,
            "reference_field": "hub_reference",
            "reference_is_unique": True,
            "custom_fields": {
                "cost_centre": "cost_centre",
                "asset_number": "asset_number",
                "acquisition_cost": "cost",
                "acquisition_date": "bought_on",
            },
            "book_fields": {
                "book_id": "book",
                "accumulated": "accumulated",
                "net_book_value": "net_book_value",
                "as_of": "as_of",
            },
            "default_kind": {"device_type": 1, "role": 1},
            "read_timeout_secs": 0.3,
        }
        yield NetBoxWorld(sandbox, settings)
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
    small_pages={"page_size": 2},
    short_answers={"max_answer_bytes": 10_000},
)
