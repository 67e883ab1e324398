"""Who owns which field, by company and day, and what each policy does with two different words."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from tests.unit.processors.bench import AM, ERP, Hub, asset, asset_events, conflicts, landscape

from tieline.checking import check_landscape
from tieline.kernel.asset_records import AssetReport
from tieline.kernel.landscape import Landscape, OwnershipRule
from tieline.kernel.memory import Conflict
from tieline.kernel.ownership import load_ownership

DAY = dt.date(2026, 11, 21)
DEMO = Path("deploy/local/landscape.yaml")


def rule(**values: Any) -> OwnershipRule:
    shipped: dict[str, Any] = {"fields": ("description",), "valid_from": dt.date(2026, 1, 1), "owner": "erp"}
    return OwnershipRule(**(shipped | values))


def hub_with(*rules: OwnershipRule) -> Hub:
    estate = landscape()
    hub = Hub(Landscape.model_validate({**estate.model_dump(), "ownership": [r.model_dump() for r in rules]}))
    hub.say(asset(AM, "9", serial_number="S", company="ACME"), asset(ERP, "5", serial_number="S", company="ACME"))
    return hub


def at(minutes: int, report: AssetReport) -> AssetReport:
    moment = report.origin.recorded_at + dt.timedelta(minutes=minutes)
    return report.model_copy(update={"origin": report.origin.model_copy(update={"recorded_at": moment})})


def told(system: str, description: str, minutes: int = 0) -> AssetReport:
    return at(minutes, asset(system, {AM: "9", ERP: "5"}[system], serial_number="S", description=description))


@pytest.mark.parametrize(
    ("company", "day", "owner"),
    [
        ("ACME", dt.date(2025, 12, 31), "asset-management"),
        ("ACME", dt.date(2026, 1, 1), "erp"),
        ("OTHER", dt.date(2026, 1, 1), "asset-management"),
        (None, dt.date(2026, 1, 1), "asset-management"),
        ("ACME", dt.date(2027, 1, 1), "asset-management"),
    ],
)
def test_a_rule_holds_for_its_company_from_its_day_on(company: str | None, day: dt.date, owner: str) -> None:
    later = rule(company="ACME", valid_from=dt.date(2027, 1, 1), owner="asset-management")
    ownership = load_ownership([later, rule(company="ACME")])
    assert ownership.effective(company, day).owner_of("description") == owner
    assert ownership.effective(company, day).owner_of("location") == "asset-management"


def test_a_companys_own_rule_counts_before_a_later_one_for_all() -> None:
    ownership = load_ownership([rule(company="ACME"), rule(valid_from=dt.date(2026, 6, 1), owner="asset-management")])
    assert ownership.effective("ACME", DAY).owner_of("description") == "erp"
    assert ownership.effective("OTHER", DAY).owner_of("description") == "asset-management"


def test_the_owner_of_an_override_stands_and_writes_the_other() -> None:
    hub = hub_with(rule(company="ACME"))
    hub.say(told(ERP, "Pump"), told(AM, "Pumpe"))
    assert hub.the_asset().fields.description == "Pump"
    assert conflicts(hub) == {("description", AM)}
    assert "description" in hub.commands[AM][-1].model_dump()["writable_fields"]


def test_the_later_word_wins_whoever_says_it_and_the_owner_wins_a_draw() -> None:
    hub = hub_with(rule(proposers=("asset-management",), policy="LWW_BY_VERSION"))
    hub.say(told(ERP, "one", 1), told(AM, "two", 2))
    assert hub.the_asset().fields.description == "two"
    hub.say(told(ERP, "late news", 1))
    assert hub.the_asset().fields.description == "two"
    assert conflicts(hub) == {("description", ERP)}
    hub.say(told(ERP, "draw", 2))
    assert hub.the_asset().fields.description == "draw"
    hub.say(told(AM, "draw lost", 2))
    assert hub.the_asset().fields.description == "draw"


@pytest.mark.parametrize("policy", ["MANUAL", "IMMUTABLE"])
def test_a_value_that_stands_is_changed_by_nobody(policy: str) -> None:
    hub = hub_with(rule(proposers=("asset-management",), policy=policy))
    hub.say(told(AM, "first"), told(ERP, "owner's"), told(AM, "again"))
    assert hub.the_asset().fields.description == "first"
    assert conflicts(hub) == {("description", ERP), ("description", AM)}
    assert asset_events(hub.say(told(ERP, "first"), told(AM, "first"))) == []
    assert conflicts(hub) == set(), "people have made them agree"


def test_a_conflict_carries_both_versions() -> None:
    hub = hub_with(rule())
    hub.say(told(ERP, "Pump"))
    version = hub.the_asset().version
    report = told(AM, "Pumpe")
    hub.say(report.model_copy(update={"origin": report.origin.model_copy(update={"source_version": "etag-7"})}))
    [row] = hub.rows(Conflict).values()
    assert (row.owned_value, row.owned_version) == ("Pump", version)
    assert (row.foreign_value, row.foreign_version) == ("Pumpe", "etag-7")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"fields": ("colour",)}, "no field of an asset"),
        ({"policy": "ADDITIVE"}, "policy"),
        ({"owner": "people"}, "owner"),
        ({"fields": ()}, "fields"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(change: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        rule(**change)


def test_check_names_the_line_of_a_faulty_rule(tmp_path: Path) -> None:
    text = DEMO.read_text(encoding="utf-8")
    faulty = {"ownership": [{"fields": ["colour"], "valid_from": "2026-01-01", "owner": "erp"}]}
    path = tmp_path / "landscape.yaml"
    path.write_text(f"{text}\n{yaml.safe_dump(faulty)}", encoding="utf-8")
    [fault] = check_landscape(path)
    wanted = next(n for n, line in enumerate(path.read_text().splitlines(), 1) if "fields:" in line and n > 5)
    assert f"{path}:{wanted}: ownership.0.fields" in fault
    assert "colour" in fault


def test_the_same_field_cannot_be_claimed_twice_for_one_company_and_day() -> None:
    twice = [rule(company="ACME").model_dump(), rule(company="ACME", owner="asset-management").model_dump()]
    with pytest.raises(ValidationError, match="ownership of description stands twice"):
        Landscape.model_validate({**landscape().model_dump(), "ownership": twice})
