"""Example before the conformance suite: its sandbox, and a person who works in it."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from tieline.authoring.example import sandbox as simulator
from tieline.connectors.kit.sandboxing.cases import AMOUNT, CURRENCY, Case, Opening, World
from tieline.connectors.kit.sandboxing.door import Door
from tieline.kernel.asset_records import AssetFields, PhysicalStatus
from tieline.kernel.vocabulary import Money

TOKEN = "case-token-of-the-sandbox"  # noqa: S105  - of a sandbox that lives as long as a test


@dataclass(frozen=True, slots=True)
class ExampleWorld:
    """Somebody at a screen of the system: no fault strikes what is done here."""

    sandbox: simulator.Sandbox
    settings: Mapping[str, object]

    async def create(self, number: int) -> str:
        """See ``World``."""
        body = {"name": f"Pump {number}", "cost": format(AMOUNT, "f"), "currency": CURRENCY}
        return str(self.sandbox.create(body)["id"])

    async def edit(self, native_id: str, number: int) -> None:
        """See ``World``."""
        self.sandbox.change(int(native_id), {"site": f"HALL-{number}"})

    async def delete(self, native_id: str) -> None:
        """See ``World``."""
        self.sandbox.delete(int(native_id))

    def journal(self) -> Sequence[Mapping[str, object]]:
        """See ``World``."""
        return self.sandbox.journal.read(0, 100_000)


@asynccontextmanager
async def open_world(opening: Opening) -> AsyncIterator[World]:
    """The sandbox on a port of the machine's choice."""
    door = Door("127.0.0.1", 0)
    sandbox = simulator.open_sandbox(opening.clock, TOKEN, opening.faults, door)
    port = await door.open(simulator.build(sandbox))
    try:
        settings = {"endpoint": f"http://127.0.0.1:{port}", "token": SecretStr(TOKEN), "read_timeout_secs": 0.3}
        yield ExampleWorld(sandbox, settings)
    finally:
        await door.close()


def fields(number: int) -> AssetFields:
    """The n-th asset, as the hub would write it."""
    return AssetFields(
        description=f"Press {number}",
        serial_number=f"SN-{number}",
        physical_status=PhysicalStatus.ORDERED,
        company="1000",
        acquisition_cost=Money(amount=AMOUNT, currency=CURRENCY),
        acquisition_date=dt.date(2026, 5, 4),
    )


CASE = Case(
    open=open_world,
    stream="assets",
    golden="asset-unknown-status",
    playable=simulator.PLAYABLE,
    fields=fields,
    small_pages={"page_size": 2},
    short_answers={"max_answer_bytes": 10_000},
)
