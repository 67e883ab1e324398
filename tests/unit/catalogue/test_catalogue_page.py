"""What a newcomer finds: of any field its meaning, its owner, and whose field it comes from and goes to."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from tieline.catalogue.entities import BECOMES, OBJECTS
from tieline.catalogue.inputs import Inputs, read_inputs
from tieline.catalogue.page import render_catalogue
from tieline.kernel.asset_records import AssetFields
from tieline.kernel.correspondence import Place, RecordTable
from tieline.kernel.landscape import Capitalisation
from tieline.kernel.order_records import ApprovalStatus, OrderEvent, OrderFields, OrderLine
from tieline.kernel.vocabulary import Accepted
from tieline.processors.capitalise import propose_assets

ROOT = Path(__file__).parents[3]


def _sections(page: str) -> Mapping[str, str]:
    parts = re.split(r"^### (\w+)$", page, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _cells(section: str, field: str) -> list[str]:
    line = next(line for line in section.splitlines() if line.startswith(f"| `{field}` |"))
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_every_field_of_every_record_has_a_row_with_its_meaning(inputs: Inputs) -> None:
    sections = _sections(render_catalogue(inputs))
    for name, schema in inputs.tree.schemas.items():
        for field in schema.get("fields", ()):
            assert _cells(sections[name], field["name"])[1] == " ".join(field["doc"].split()).replace("|", "\\|")
        for symbol in schema.get("symbols", ()):
            assert f"`{symbol}`" in sections[name]


@pytest.mark.parametrize(
    ("record", "field", "cells"),
    [
        ("AssetFields", "serial_number", [
            "asset-management (unio24)", "erp (tryton) until the owner has spoken",
            "unio24: `serial`; tryton: `comment: serial`", "tryton: `comment: serial`; unio24: `serial`",
        ]),
        ("AssetFields", "acquisition_cost", [
            "erp (tryton)", "asset-management (unio24) until the owner has spoken",
            "unio24: `purchase_cost`, `currency`; tryton: `value`, `company.currency.code`",
            "tryton: `value`; unio24: `purchase_cost`, `currency`",
        ]),
        ("AssetFields", "cost_centre", [
            "erp (tryton)", "asset-management (unio24), also after the owner has spoken",
            "unio24: `cost_centre`; tryton: `comment: cost-centre`",
            "tryton: `comment: cost-centre`; unio24: `cost_centre`",
        ]),
        ("BookFields", "salvage", [
            "erp (tryton)", "nobody", "tryton: `residual_value`", "unio24: `residual_value`",
        ]),
        ("OrderLine", "net_amount", [
            "erp (tryton)", "nobody", "tryton: `lines.amount`", "[asset](#assetfields): `acquisition_cost`",
        ]),
        ("CostFields", "work_order", [
            "asset-management (unio24)", "nobody", "unio24: `work_order`", "tryton: `description: work order`",
        ]),
    ],
)  # fmt: skip
def test_a_newcomer_finds_owner_proposers_source_and_target_of_a_field(
    inputs: Inputs, record: str, field: str, cells: list[str]
) -> None:
    assert _cells(_sections(render_catalogue(inputs))[record], field)[4:] == cells


def test_every_field_of_an_entity_comes_from_somewhere(inputs: Inputs) -> None:
    sections = _sections(render_catalogue(inputs))
    for record in ("AssetFields", "BookFields", "ScheduleLine", "OrderFields", "OrderLine", "CostFields", "CostLine"):
        for field in inputs.tree.schemas[record]["fields"]:
            assert _cells(sections[record], field["name"])[6] not in ("", "no system"), f"{record}.{field['name']}"


def test_every_other_record_says_who_writes_and_reads_it_or_what_it_is_part_of(inputs: Inputs) -> None:
    sections = _sections(render_catalogue(inputs))
    assert "comes from sink-{system}; goes to identify" in sections["CommandSettled"]
    for name, schema in inputs.tree.schemas.items():
        if schema["type"] == "record" and not name.endswith("Fields"):
            assert re.search(r"comes from .+; goes to .+; owner |A part of \[", sections[name]), name


def test_every_link_leads_to_a_heading(inputs: Inputs) -> None:
    page = render_catalogue(inputs)
    own = {
        re.sub(r"[^a-z0-9_-]", "", h.lower().replace(" ", "-")) for h in re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    }
    topics = (ROOT / "docs" / "reference" / "topics.md").read_text(encoding="utf-8")
    theirs = {re.sub(r"[^a-z0-9_-]", "", h.lower()) for h in re.findall(r"^#+ (.*)$", topics, re.MULTILINE)}
    links = re.findall(r"\]\(([^)#]*)#([^)]*)\)", page)
    assert len(links) > 100
    for file, anchor in links:
        assert anchor in (theirs if file else own), f"{file}#{anchor}"


def test_a_flow_that_is_off_moves_nothing(tmp_path: Path) -> None:
    landscape = yaml.safe_load((ROOT / "deploy" / "local" / "landscape.yaml").read_text(encoding="utf-8"))
    for flow in landscape["flows"]:
        flow["mode"] = "off" if flow["object"] == "book" else flow["mode"]
    (tmp_path / "unio24.profile.yaml").write_bytes((ROOT / "deploy" / "local" / "unio24.profile.yaml").read_bytes())
    (tmp_path / "landscape.yaml").write_text(yaml.safe_dump(landscape), encoding="utf-8")
    cells = _cells(_sections(render_catalogue(read_inputs(tmp_path / "landscape.yaml")))["BookFields"], "salvage")
    assert cells[4:] == ["no flow brings it yet", "nobody", "no system", "no system"]


def test_a_connector_without_a_field_table_is_named(inputs: Inputs) -> None:
    without = replace(inputs, tables={name: table for name, table in inputs.tables.items() if name != "unio24"})
    cells = _cells(_sections(render_catalogue(without))["AssetFields"], "tag")
    assert cells[6] == "unio24 (its connector has no field table); tryton: `comment: tag`"


def test_a_field_that_is_not_written_says_why(inputs: Inputs) -> None:
    table = {"AssetFields": RecordTable("x", {"tag": Place(("a",), (), "given by itself"), "location": Place(("b",))})}
    only = replace(inputs, tables={"unio24": table})
    section = _sections(render_catalogue(only))["AssetFields"]
    assert _cells(section, "tag")[7] == "unio24: not written; given by itself"
    assert _cells(section, "location")[7] == "no system"


def test_each_object_that_flows_can_move_has_its_record(inputs: Inputs) -> None:
    assert {flow.object for flow in inputs.landscape.flows} <= set(OBJECTS.values())
    assert set(OBJECTS) <= set(inputs.tree.schemas)


LINE = OrderLine(
    line_id="1", line_no=1, item="I", description="D", asset_class="COMPUTER", quantity=Decimal("1.5"), unit="u",
    unit_price=Decimal(10), net_amount=Decimal(15),
)  # fmt: skip
ORDER = OrderFields(
    company="C", po_number="P", supplier="S", currency="EUR", order_date=dt.date(2025, 1, 1),
    approval_status=ApprovalStatus.APPROVED, net_total=Decimal(15), lines=(LINE,),
)  # fmt: skip
OTHERS: Mapping[str, object] = {
    "line_no": 2, "quantity": Decimal("2.5"), "unit_price": Decimal(20), "net_amount": Decimal(20),
    "order_date": dt.date(2025, 2, 2), "net_total": Decimal(20), "currency": "USD", "line_id": "2",
}  # fmt: skip


def _asset(order: OrderFields) -> AssetFields:
    accepted = Accepted(
        version=1,
        origin_system="tryton",
        origin_native_id="1",
        effective_date=dt.date(2025, 1, 1),
        recorded_at=dt.datetime(2025, 1, 1, tzinfo=dt.UTC),
        changed_fields=(),
    )
    [report] = propose_assets(OrderEvent(po_id="p1", accepted=accepted, fields=order), Capitalisation())
    return report.fields


def test_what_an_order_becomes_is_what_capitalisation_makes_of_it() -> None:
    before = dict(_asset(ORDER))
    for record, part in (("OrderFields", ORDER), ("OrderLine", LINE)):
        for name in type(part).model_fields:
            if name in ("lines", "approval_status", "blanket"):  # the last two: whether there is an asset at all
                continue
            changed = part.model_copy(update={name: OTHERS.get(name, "MARK")})
            order = changed if isinstance(changed, OrderFields) else ORDER.model_copy(update={"lines": (changed,)})
            after = dict(_asset(order))
            used = {field for field in before if before[field] != after[field]}
            assert used == set(BECOMES[record].get(name, ())), f"{record}.{name}"
