"""ERPNext before the conformance suite: its sandbox, and a person who works at its screens."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal

from pydantic import SecretStr

from tieline.connectors.erpnext.sandbox import PLAYABLE, Sandbox, build, open_sandbox
from tieline.connectors.kit.sandboxing.cases import AMOUNT, CURRENCY, Case, Opening, Trial, World
from tieline.connectors.kit.sandboxing.door import Door
from tieline.kernel.asset_records import AssetFields, DisposalKind
from tieline.kernel.command_records import PostCost, WriteAsset
from tieline.kernel.cost_records import CostFields, CostKind, CostLine
from tieline.kernel.protocols import Connector
from tieline.kernel.vocabulary import Dispatch, Money

KEY, SECRET, SIGNING = "case-key-of-the-site", "case-secret-of-the-site", "case-signing-of-the-site"
PLACES = ("Hall 1", "Hall 2", "Yard & Gate")
BOUGHT = dt.date(2026, 5, 4)


@dataclass(frozen=True, slots=True)
class ErpNextWorld:
    sandbox: Sandbox
    settings: Mapping[str, object]

    async def create(self, number: int) -> str:
        body = {
            "item_code": "PRESS",
            "asset_name": f"Pump {number}",
            "company": "Acme",
            "location": "Hall 1",
            "purchase_date": BOUGHT.isoformat(),
            "gross_purchase_amount": AMOUNT,
            "is_existing_asset": 1,
        }
        made = self.sandbox.do(lambda change: self.sandbox.store.insert("Asset", body, change)["name"])
        return str(made)

    async def edit(self, native_id: str, number: int) -> None:
        # The name is what the suite writes; the place is the person's.
        body = {"location": PLACES[number % 3], "comprehensive_insurance": f"edited {number}"}
        self.sandbox.do(lambda change: self.sandbox.store.update("Asset", native_id, body, change))

    async def delete(self, native_id: str) -> None:
        self.sandbox.do(lambda change: self.sandbox.store.delete("Asset", native_id, change))

    def journal(self) -> Sequence[Mapping[str, object]]:
        return self.sandbox.journal.read(0, 100_000)


@asynccontextmanager
async def open_world(opening: Opening) -> AsyncIterator[World]:
    """The sandbox on a port of the machine's choice. It keeps amounts exactly: what a real one loses is no clause."""
    door = Door("127.0.0.1", 0)
    sandbox = open_sandbox(
        opening.clock,
        token=f"{KEY}:{SECRET}",
        faults=opening.faults,
        has_doubles=False,
        door=door,
        webhook=(opening.webhook_url, SIGNING) if opening.webhook_url else None,
    )
    port = await door.open(build(sandbox))
    try:
        settings = {
            "endpoint": f"http://127.0.0.1:{port}",
            "api_key": SecretStr(KEY),
            "api_secret": SecretStr(SECRET),
            "currency": CURRENCY,
            "reference_is_unique": True,
            "companies": {"1000": "Acme", "2000": "Beta"},
            "default_item": "PRESS",
            "cost_accounts": {CostKind.SERVICE: "Repairs - A"},
            "clearing_account": "Clearing - A",
            "webhook_secret": SecretStr(SIGNING),
            "webhook_port": 1,
            "read_timeout_secs": 0.3,
        }
        yield ErpNextWorld(sandbox, settings)
    finally:
        await door.close()


def fields(number: int) -> AssetFields:
    """The n-th asset as asset management knows it; without a day in service it stays a draft."""
    return AssetFields(
        description=f'Press "{number}" <A&B>',
        location=PLACES[number % 3],
        company="1000",
        cost_centre="Plant - A",
        acquisition_cost=Money(amount=AMOUNT, currency=CURRENCY),
        acquisition_date=BOUGHT,
    )


def write(number: int, version: int, **changed: object) -> WriteAsset:
    """The command that brings asset n to its fields, with these changed."""
    return WriteAsset(
        dispatch=Dispatch(command_id=f"case-{number}-{version}", target="erp", version=version),
        asset_id=f"asset-{number}",
        fields=fields(number).model_copy(update=changed),
        writable_fields=tuple(AssetFields.model_fields),
    )


IN_SERVICE = {"in_service_date": dt.date(2026, 5, 11)}


async def submit(_world: World, connector: Connector, number: int) -> Trial:
    """A draft whose day in service becomes known."""
    written = await connector.sink.write(write(number, 1), None)
    return Trial(write(number, 2, **IN_SERVICE), written.native_id)


async def transfer(_world: World, connector: Connector, number: int) -> Trial:
    """A submitted asset that goes to another place."""
    written = await connector.sink.write(write(number, 1, **IN_SERVICE), None)
    return Trial(write(number, 2, location=PLACES[(number + 1) % 3], **IN_SERVICE), written.native_id)


async def retire(_world: World, connector: Connector, number: int) -> Trial:
    """A submitted asset that leaves."""
    written = await connector.sink.write(write(number, 1, **IN_SERVICE), None)
    left = {"disposal_date": dt.date(2026, 11, 2), "disposal_kind": DisposalKind.SCRAP}
    return Trial(write(number, 2, **left, **IN_SERVICE), written.native_id)


async def post(_world: World, _connector: Connector, number: int) -> Trial:
    """What a work order cost."""
    line = CostLine(line_no=1, kind=CostKind.SERVICE, description="Bearing", amount=Decimal("41.99"))
    document = CostFields(
        work_order=f"WO-{number}",
        company="1000",
        currency=CURRENCY,
        cost_centre="Plant - A",
        effective_date=dt.date(2026, 11, 2),
        total=line.amount,
        lines=(line,),
    )
    dispatch = Dispatch(command_id=f"cost-{number}", target="erp", version=1)
    return Trial(PostCost(dispatch=dispatch, cost_doc_id=f"cost-{number}", fields=document))


CASE = Case(
    open=open_world,
    stream="assets",
    golden="asset-unknown-status",
    playable=PLAYABLE,
    fields=fields,
    trials={"asset.submit": submit, "asset.transfer": transfer, "asset.retire": retire, "cost-document.post": post},
    small_pages={"page_size": 2},
    short_answers={"max_answer_bytes": 10_000},
)
