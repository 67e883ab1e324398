"""T27: a target that trims, upper-cases, rounds and truncates: writes stop after the first cycle, losses are reported.

Two systems are joined by the real identify, accept and route, the real sink, its settling and its ledger. Both sources
read everything again in every cycle.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, cast

import pytest
from tests.unit.connectors.unio24.memory_api import MemoryApi
from tests.unit.processors.bench import AM, ERP, Hub, conflicts, ticking

from tieline.connectors.unio24.mapping import map_item
from tieline.connectors.unio24.profile import Profile, parse_profile
from tieline.connectors.unio24.sink import Unio24Sink
from tieline.kernel.command_records import CommandSettled, WriteAsset
from tieline.kernel.errors import Rejected
from tieline.kernel.memory import LedgerEntry
from tieline.kernel.recording import Recorder
from tieline.kernel.records import Typed
from tieline.kernel.settling import Confirmed, is_superseded, ledger_key, settle
from tieline.kernel.tables import Table

TEXT = (Path(__file__).parents[4] / "deploy" / "local" / "unio24.profile.yaml").read_text(encoding="utf-8")
PLAIN = parse_profile(TEXT, name="plain.yaml")
DECLARED = parse_profile(
    TEXT.replace("{path: name, max_length: 120}", "{path: name, max_length: 30, letter_case: upper}")
    .replace("{path: site, max_length: 50}", "{path: site, letter_case: upper}")
    .replace("currency_path: currency}", "currency_path: currency, decimals: 2}"),
    name="declared.yaml",
)
CYCLES = 20
KEPT_CHARACTERS = 30


def normalised(record: dict[str, object]) -> dict[str, object]:
    """Trimmed, upper case, two digits after the point, 30 characters: all without a word."""
    kept = dict(record)
    for key in ("name", "site"):
        if key in kept:
            kept[key] = str(kept[key]).strip().upper()[:KEPT_CHARACTERS]
    if "purchase_cost" in kept:
        kept["purchase_cost"] = str(Decimal(str(kept["purchase_cost"])).quantize(Decimal("0.01"), ROUND_HALF_UP))
    return kept


class Office:
    """One system with its source and its sink, as the loops run them."""

    def __init__(self, hub: Hub, name: str, api: MemoryApi, profile: Profile) -> None:
        self.hub, self.name, self.api, self.profile = hub, name, api, profile
        self.sink = Unio24Sink(api.client(), profile, name)
        self.ledger: Table[LedgerEntry] = Table("hub.delivery-ledger.state.v1", LedgerEntry)
        self.recorder = Recorder(name, self.ledger, ticking())
        self.failed: list[Rejected] = []
        self.read = 0

    def poll(self) -> None:
        for native_id in list(self.api.records):
            for report in map_item(self.profile, self.name, self.api.item(native_id)):
                self.hub.say(report)

    async def deliver(self) -> None:
        while self.read < len(self.hub.commands[self.name]):
            command = self.hub.commands[self.name][self.read]
            self.read += 1
            assert isinstance(command, WriteAsset)
            entry = self.ledger.get(ledger_key(command))
            if is_superseded(command, entry):
                continue
            known = command.native_id or (entry.native_id if entry else None)
            outcome = await settle(command, known, self.sink, uncertain=False)
            if isinstance(outcome, Confirmed):
                written = self.recorder.confirm(command, outcome.written)
            else:
                self.failed.append(outcome.rejection)
                written = self.recorder.reject(command, outcome.rejection)
            self.ledger.commit()
            for value in (out.value for out in written if isinstance(out.value, Typed)):
                if isinstance(value.body, LedgerEntry):
                    self.hub.follow(value.body)
                else:
                    self.hub.say(cast("CommandSettled", value.body))


async def cycles(
    first: str, keep: Callable[..., Any], profile: Profile, **record: object
) -> tuple[Hub, Office, Office]:
    """20 cycles from one record in the system ``first``; the other one normalises. Fails if the second still writes."""
    hub = Hub()
    second = ERP if first == AM else AM
    source = Office(hub, first, MemoryApi(), PLAIN)
    target = Office(hub, second, MemoryApi(keep), profile)
    source.api.edit("S1", **record)
    for number in range(CYCLES):
        before = len(source.api.writes), len(target.api.writes)
        for office in (source, target):
            office.poll()
            await source.deliver()
            await target.deliver()
        assert number == 0 or (len(source.api.writes), len(target.api.writes)) == before, f"still writing in {number}"
    return hub, source, target


RECORD: dict[str, object] = {
    "name": "Pump, hall three",
    "site": "hall 3",
    "status": "in_use",
    "company": "ACME",
    "category": "MACHINE",
    "purchase_cost": "1234.56",
    "currency": "EUR",
    "in_service_date": "2026-05-01",
    "serial": "S-1",
}
LONG = "Pump, centrifugals, stainless, hall three, second row"


@pytest.mark.parametrize("profile", [PLAIN, DECLARED], ids=["undeclared", "declared"])
@pytest.mark.parametrize("first", [AM, ERP])
async def test_t27_writes_stop_after_the_first_cycle(first: str, profile: Profile) -> None:
    hub, source, target = await cycles(first, normalised, profile, **RECORD)
    assert len(target.api.writes) == 1
    [held] = target.api.records.values()
    assert (held["name"], held["site"]) == ("PUMP, HALL THREE", "HALL 3")
    assert target.failed == []
    assert conflicts(hub) == set()
    assert hub.the_asset().fields.description == "Pump, hall three"
    assert source.api.records["S1"]["name"] == "Pump, hall three"


@pytest.mark.parametrize("first", [AM, ERP])
async def test_t27_a_declared_limit_refuses_before_anything_is_written(first: str) -> None:
    _, source, target = await cycles(first, normalised, DECLARED, **RECORD | {"name": LONG})
    assert target.api.writes == []
    [rejection] = target.failed
    assert (rejection.field, rejection.reason) == ("description", "is longer than the 30 characters they keep")
    assert rejection.remedy
    assert source.api.records["S1"]["name"] == LONG


@pytest.mark.parametrize("first", [AM, ERP])
@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"name": LONG}, "fields.description", "30 of 53 characters"),
        ({"purchase_cost": "1234.5678"}, "fields.acquisition_cost", "1234.57 instead of 1234.5678"),
    ],
)
async def test_t27_an_undeclared_loss_is_reported_once_and_never_comes_back(
    first: str, change: dict[str, object], field: str, words: str
) -> None:
    hub, source, target = await cycles(first, normalised, PLAIN, **RECORD | change)
    assert len(target.api.writes) == 1
    [rejection] = target.failed
    assert (rejection.field, rejection.reason) == (field, f"they kept less of it than was sent: {words}")
    # Invariant 8: what the target made of it is our echo, even where the target owns the field.
    assert {key: source.api.records["S1"][key] for key in change} == change
    fields = hub.the_asset().fields
    assert fields.description == (RECORD | change)["name"]
    assert fields.acquisition_cost is not None
    assert fields.acquisition_cost.amount == Decimal(str((RECORD | change)["purchase_cost"]))
