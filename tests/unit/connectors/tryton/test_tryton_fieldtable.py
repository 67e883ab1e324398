"""The field table against the mapping itself: each value of a record is changed, and what changes with it is compared.

No row is believed: a path that a row names and the mapping does not use fails, and so does one that no row names.
"""

from __future__ import annotations

import asyncio
import copy
import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import BaseModel

from tieline.connectors.tryton import comment, costs_text
from tieline.connectors.tryton.asset_plan import Found, plan_changes
from tieline.connectors.tryton.assets import AssetWriter
from tieline.connectors.tryton.costs import CostWriter
from tieline.connectors.tryton.fieldtable import page, tables
from tieline.connectors.tryton.mapping import Context, map_item, parse
from tieline.connectors.tryton.models import Asset
from tieline.connectors.tryton.reference import AssetProduct
from tieline.connectors.tryton.wire import Quantity, parse_payload
from tieline.kernel.asset_records import AssetFields, DisposalKind, FinancialStatus, PhysicalStatus
from tieline.kernel.book_records import BookFields, DepreciationRunFields, ScheduleLine
from tieline.kernel.command_records import PostCost, WriteAsset
from tieline.kernel.cost_records import CostFields, CostKind, CostLine, CostReceiver, ReceiverKind
from tieline.kernel.errors import Rejected
from tieline.kernel.movement_records import MovementFields
from tieline.kernel.order_records import InvoiceFields, InvoiceLine, OrderFields, OrderLine, ReceiptFields, ReceiptLine
from tieline.kernel.protocols import RawItem
from tieline.kernel.reference_records import ReferenceFields
from tieline.kernel.vocabulary import Dispatch, Money

ROOT = Path(__file__).parents[4]
CONTEXT = Context(
    "tryton",
    {code: code for code in ("COMPUTER", "MACHINE")},
    "MAINT-EXPENSE",
    surplus_accounts=frozenset({"SURPLUS"}),
)
TABLES = tables({})
MODELS: Mapping[str, type[BaseModel]] = {
    one.__name__: one
    for one in (
        *(AssetFields, BookFields, ScheduleLine, OrderFields, OrderLine, CostFields, CostLine),
        *(ReceiptFields, ReceiptLine, InvoiceFields, InvoiceLine, DepreciationRunFields),
        *(MovementFields, ReferenceFields),
    )
}
LINE_OF = {"AssetReport": "", "BookReport": "ScheduleLine", "OrderReport": "OrderLine", "CostReport": "CostLine"}
# Other values for what is there; a text may have to be a known state, code, reference or line text to count.
PARTS: Mapping[str, Mapping[str, Any]] = {
    "Decimal": {"decimal": "77.77"}, "date": {"day": 3, "month": 2, "year": 2024}, "datetime": {"year": 2027},
}  # fmt: skip
TEXTS = ("MARK", "MACHINE", "USD", "2031", "purchase.line,99", "purchase.line,2", "account.asset,99",
         "PART x 7: MARK", "assets", "goods",
         "yearly", "income", "draft", "running", "closed", "posted", "quotation", "done", "cancelled")  # fmt: skip
# What turns a record into another one: it is chosen by this, not made of it.
CHOOSES = {
    ("purchase-orders", "lines.type"), ("costs", "lines.account.code"), ("costs", "lines.id"),
    ("book-movements", "lines.id"), ("movement-reversals", "origin.lines.id"), ("book-revisions", "asset.revisions.id"),
}  # fmt: skip


def _golden(name: str) -> tuple[str, dict[str, Any]]:
    case = ROOT / "tests" / "golden" / "tryton" / name
    stream = json.loads((case / "expected.json").read_text(encoding="utf-8"))["stream"]
    return stream, json.loads((case / "given.json").read_text(encoding="utf-8"))


def _documents() -> Iterator[tuple[str, dict[str, Any]]]:
    """Records of each kind with one line, so that a changed date or id moves no other."""
    yield from _purchasing()
    yield from _movements()
    yield from _references()
    for name in ("asset-bought-on-an-order", "asset-closed", "asset-draft", "asset-running-with-postings",
                 "asset-written-by-the-hub", "book-in-a-broken-fiscal-year", "order-approved",
                 "cost-posted", "cost-posted-by-hand", "cost-reversal", "cost-shared"):  # fmt: skip
        stream, document = _golden(name)
        lines = document["lines."]
        if stream == "costs":
            lines = [line for line in lines if line["account."]["code"] == "MAINT-EXPENSE"]
        for line in lines[:3]:
            yield stream, {**document, "lines.": [line]}
            if stream == "purchase-orders" and line["type"] == "line":
                nameless = {**line["product."], "template.": {**line["product."]["template."], "name": None}}
                yield stream, {**document, "lines.": [{**line, "description": None, "product.": nameless}]}


def _purchasing() -> Iterator[tuple[str, dict[str, Any]]]:
    """Documents of one order and the figures of a run, as they are."""
    for name in ("receipt-on-a-shipment", "receipt-sent-back-on-a-return-order", "depreciation-run"):
        yield _golden(name)
    for name in ("invoice-posted", "invoice-credit-note", "invoice-cancelled"):
        stream, document = _golden(name)
        invoice = {**document, "lines.": document["lines."][:1]}
        yield stream, invoice
        yield stream, {**invoice, "invoice_date": None, "accounting_date": invoice["invoice_date"]}
    stream, run = _golden("depreciation-run")
    yield stream, {**run, "fiscalyear.": {**run["fiscalyear."], "name": "A broken year"}}


def _movements() -> Iterator[tuple[str, dict[str, Any]]]:
    """What is posted on assets besides depreciation, and revisions with another one before them."""
    for name in ("movement-written-down", "movement-written-up", "movement-disposal", "movement-disposal-cancelled"):
        yield _golden(name)
    stream, written_up = _golden("movement-written-up")
    year = {**written_up["period."]["fiscalyear."], "name": "A broken year"}
    yield stream, {**written_up, "period.": {**written_up["period."], "fiscalyear.": year}}
    for code in ("SURPLUS", "BANK"):
        account = {"id": 1, "code": code, "type.": {"id": 1, "statement": "balance"}}
        yield stream, {**written_up, "lines.": [{**line, "account.": account} for line in written_up["lines."]]}
    stream, revision = _golden("revision-of-a-life")
    yield stream, revision
    yield stream, {**revision, "description": "Runs well"}
    # The first one of its asset: nothing is known of before but the product's duration.
    yield stream, {**revision, "asset.": {**revision["asset."], "revisions.": []}}


def _references() -> Iterator[tuple[str, dict[str, Any]]]:
    """Reference records of each family, each with one above it where there can be one."""
    for name in ("asset-class", "supplier", "account-open", "account-ended"):
        yield _golden(name)
    stream, centre = _golden("cost-centre-open")
    yield stream, centre
    yield stream, {**centre, "parent.": {"id": 9, "code": "CC-9", "type": "normal"}}
    stream, employee = _golden("employee-left")
    yield stream, {**employee, "supervisor.": {"id": 9, "party.": {"id": 9, "code": "E-9"}}}


def _leaves(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(node, dict) and "__class__" not in node:
        for key, value in node.items():
            yield from _leaves(value, (*path, key))
    elif isinstance(node, list):
        for place, value in enumerate(node):
            yield from _leaves(value, (*path, place))
    else:
        yield path, node


def _name(path: Sequence[str | int]) -> str:
    return ".".join(part.rstrip(".") for part in path if isinstance(part, str))


def _changed(stream: str, name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Other values that a leaf might have, each with the name of what was changed."""
    if name.rpartition(".")[2] == "comment":
        for key in comment.KEYS:
            for mark in ("x/8/8", "MARK", "MISSING", "LOSS"):
                yield f"{name}: {key}", comment.write_values(value, {key: mark})
    elif name == "description" and stream == "costs":
        said = costs_text.read_document(value)
        parts: Mapping[str, Mapping[str, Any]] = {
            "work order": {"work_order": "WO-MARK"},
            "reverses": {"reversal_of": "4711"},
            "effective": {"effective_date": dt.date(2024, 2, 3)},
            "cost centre": {"cost_centre": "CC-MARK"},
        }
        for key, changes in parts.items():
            yield f"description: {key}", costs_text.write_document(replace(said, **changes))
    elif isinstance(value, dict):
        for part, other in PARTS[value["__class__"]].items():
            yield name, {**value, part: other}
    elif name.rpartition(".")[2] in {"active", "closed"}:
        yield name, not value
    elif isinstance(value, int | float):
        yield name, value + 5
    else:
        yield from ((name, other) for other in (TEXTS if isinstance(value, str) else TEXTS[:1]))


def _said(stream: str, document: Mapping[str, Any]) -> dict[tuple[str, str], Any] | None:
    """(record, field) to value; None for a record that is refused or of which a line is gone."""
    try:
        reports = map_item(CONTEXT, RawItem(stream, "1", json.dumps(document).encode()))
    except Rejected:
        return None
    said: dict[tuple[str, str], Any] = {}
    for report in reports:
        fields = report.fields
        said |= {(type(fields).__name__, name): value for name, value in fields if name != "lines"}
        for line in getattr(fields, "lines", ()):
            said |= {(type(line).__name__, name): value for name, value in line}
    return said


def _used() -> dict[tuple[str, str], set[str]]:
    """(record, canonical field) to the paths in Tryton's record that change it."""
    used: dict[tuple[str, str], set[str]] = {}
    for stream, document in _documents():
        before = _said(stream, document)
        assert before is not None
        for path, value in _leaves(document):
            for name, other in _changed(stream, _name(path), value):
                after = _said(stream, _with(document, path, other))
                if after is None or after.keys() != before.keys() or (stream, name) in CHOOSES:
                    continue
                for field in before:
                    if before[field] != after[field]:
                        used.setdefault(field, set()).add(name)
    return used


def _with(document: Mapping[str, Any], path: Sequence[str | int], value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(dict(document))
    node: Any = changed
    for part in path[:-1]:
        node = node[part]
    node[path[-1]] = value
    return changed


def test_every_field_is_read_from_where_the_table_says_and_from_nowhere_else() -> None:
    declared = {
        (record, field): set(place.read)
        for record, table in TABLES.items()
        for field, place in table.places.items()
        if place.read
    }
    # Only one method is known; the next test shows where it is read.
    assert declared.pop(("BookFields", "method")) == {"depreciation_method"}
    assert {field: sorted(paths) for field, paths in _used().items()} == {f: sorted(p) for f, p in declared.items()}


def test_an_unknown_method_is_refused_at_the_field_the_table_names() -> None:
    stream, document = _golden("asset-running-with-postings")
    other = json.dumps({**document, "depreciation_method": "degressive"}).encode()
    with pytest.raises(Rejected) as caught:
        map_item(CONTEXT, RawItem(stream, "1", other))
    assert (caught.value.field,) == TABLES["BookFields"].places["method"].read


def test_the_table_has_every_field_of_every_record() -> None:
    for name, model in MODELS.items():
        assert set(TABLES[name].places) == set(model.model_fields) - {"lines"}
    assert set(TABLES) == set(MODELS)


# ---- what is written ------------------------------------------------------------------------------------------


class Written(Exception):
    """Carries what would have been sent."""


class Client:
    async def write(self, method: str, *arguments: Any, **_: Any) -> Any:
        raise Written({"method": method, "arguments": arguments})


class Reference:
    """Codes become ids that tell which code it was."""

    async def company(self) -> str:
        return "company"

    async def journal(self, code: str) -> str:
        return code

    async def account(self, code: str) -> str:
        return code

    async def cost_centre(self, code: str, _day: dt.date, _field: str) -> str:
        return f"centre {code}"

    async def open_period(self, day: dt.date, _field: str) -> str:
        return f"period of {day}"

    async def asset_product(self, asset_class: str | None, _day: dt.date | None) -> AssetProduct:
        return {"COMPUTER": AssetProduct(1, 1, 36), "MACHINE": AssetProduct(2, 2, 60)}[asset_class or ""]

    async def check_money(self, *_: Any) -> None:
        return None


SETTINGS: Any = SimpleNamespace(
    company="ACME", asset_journal="ASSET", maintenance_journal="MAINT", page_size=10,
    maintenance_expense_account="MAINT-EXPENSE", maintenance_accrual_account="MAINT-ACCRUAL",
)  # fmt: skip
DISPATCH = Dispatch(command_id="c", target="tryton", version=1)
ASSET = AssetFields(
    tag="T", serial_number="S", description="D", location="L", condition="C", custodian="P",
    physical_status=PhysicalStatus.IN_STORE, asset_number="1", company="ACME", asset_class="COMPUTER",
    cost_centre="CC", quantity=Decimal(1), acquisition_cost=Money(amount=Decimal(100), currency="EUR"),
    acquisition_date=dt.date(2025, 1, 1), financial_status=FinancialStatus.UNKNOWN,
    disposal_kind=DisposalKind.SALE, po_line_ref="tryton/1/1",
)  # fmt: skip
OTHER_ASSET: Mapping[str, Any] = {
    "physical_status": PhysicalStatus.IN_SERVICE, "company": "OTHER", "asset_class": "MACHINE", "quantity": Decimal(2),
    "acquisition_cost": Money(amount=Decimal(200), currency="EUR"), "acquisition_date": dt.date(2025, 2, 2),
    "in_service_date": dt.date(2025, 3, 3), "financial_status": FinancialStatus.RUNNING,
    "disposal_date": dt.date(2025, 4, 4), "disposal_kind": DisposalKind.LOSS, "po_line_ref": "tryton/2/2",
}  # fmt: skip


def _created(fields: AssetFields) -> dict[str, object]:
    """What a new asset is created with, the comment's lines each by its key."""
    writer = AssetWriter(cast("Any", Client()), SETTINGS, CONTEXT, cast("Any", Reference()))
    command = WriteAsset(dispatch=DISPATCH, asset_id="a", fields=fields, writable_fields=())
    with pytest.raises(Written) as caught:
        asyncio.run(writer._create(command))
    [values] = caught.value.args[0]["arguments"][0]
    said = comment.read_values(values.pop("comment"))
    return {name: _plain(value) for name, value in values.items()} | {f"comment: {k}": v for k, v in said.items()}


def _plain(value: object) -> object:
    return value.amount if isinstance(value, Quantity) else value


def _steps(fields: AssetFields) -> dict[str, object]:
    """What is done to an asset that is there, a draft."""
    _, document = _golden("asset-draft")
    asset = parse(Asset, cast("Any", parse_payload(json.dumps(document).encode())))
    command = WriteAsset(
        dispatch=DISPATCH, asset_id="a", fields=fields, writable_fields=tuple(set(AssetFields.model_fields))
    )
    steps = plan_changes("tryton", command, asset, Found.BY_ID, fields.asset_class)
    return {"state": (steps.run, steps.close_on is not None), "move.date": steps.close_on}


def test_every_asset_field_is_written_to_where_the_table_says_and_to_nowhere_else() -> None:
    declared = {name: set(place.written) for name, place in TABLES["AssetFields"].places.items()}
    used: dict[str, set[str]] = {name: set() for name in AssetFields.model_fields}
    # With a date in service the purchase date no longer stands in for it.
    for base in (ASSET, ASSET.model_copy(update={"in_service_date": dt.date(2025, 1, 5)})):
        for name in AssetFields.model_fields:
            if name == "acquisition_date" and base is ASSET:
                continue
            other = base.model_copy(update={name: OTHER_ASSET.get(name, "MARK")})
            for look in (_created, _steps) if base is ASSET else (_created,):
                before, after = look(base), look(other)
                used[name] |= {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    assert used == declared


COST = CostFields(
    work_order="WO", asset_native_id="5", company="ACME", currency="EUR", cost_centre="CC",
    effective_date=dt.date(2025, 1, 1), total=Decimal(10), reversal_of="R",
    lines=(CostLine(line_no=1, kind=CostKind.PART, description="D", quantity=Decimal(1), amount=Decimal(10)),),
)  # fmt: skip
OTHER_COST: Mapping[str, Any] = {
    "effective_date": dt.date(2025, 2, 2), "total": Decimal(20), "lines": COST.lines, "currency": "USD",
}  # fmt: skip
OTHER_LINE: Mapping[str, Any] = {
    "line_no": 2, "kind": CostKind.LABOUR, "quantity": Decimal(2), "amount": Decimal(20),
    "receivers": tuple(
        CostReceiver(kind=ReceiverKind.COST_CENTRE, code=code, share_part=1, share_whole=2) for code in ("CC", "C2")
    ),
}  # fmt: skip


def _posted(fields: CostFields) -> dict[str, object]:
    """What a new move is created with: dotted names, the description's parts by their keys, its lines as one."""
    writer = CostWriter(cast("Any", Client()), SETTINGS, CONTEXT, cast("Any", Reference()))
    vars(writer)["_check"] = _no_check  # sums and codes are refused elsewhere
    command = PostCost(dispatch=DISPATCH, cost_doc_id="c", fields=fields)
    values = asyncio.run(writer._values(command))
    said = costs_text.read_document(str(values.pop("description")))
    flat: dict[str, object] = {
        "description: work order": said.work_order, "description: reverses": said.reversal_of,
        "description: cost centre": said.cost_centre,
    }  # fmt: skip
    for name, value in values.items():
        if name != "lines":
            flat[name] = value
            continue
        for place, line in enumerate(cast("Any", value)[0][1]):
            for key, part in line.items():
                inner = part[0][1][0].items() if key == "analytic_lines" else ()
                flat |= {f"{place} lines.{key}.{k}": v for k, v in inner} or {f"{place} lines.{key}": part}
    return flat


async def _no_check(_: PostCost) -> None:
    return None


def _differing(before: Mapping[str, object], after: Mapping[str, object]) -> set[str]:
    keys = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    return {key.partition(" ")[2] if key[0].isdigit() else key for key in keys}


def test_every_cost_field_is_written_to_where_the_table_says_and_to_nowhere_else() -> None:
    before = _posted(COST)
    for name, place in TABLES["CostFields"].places.items():
        # The accrual line's sides swap with the sign, so both are the total's.
        others = [OTHER_COST.get(name, "MARK")] + ([Decimal(-20)] if name == "total" else [])
        used = set().union(*(_differing(before, _posted(COST.model_copy(update={name: other}))) for other in others))
        shared = COST.model_copy(update={"lines": (COST.lines[0].model_copy(update=OTHER_LINE),)})
        used |= _differing(_posted(shared), _posted(shared.model_copy(update={name: others[0]})))
        assert used == set(place.written), name
    for name, place in TABLES["CostLine"].places.items():
        others = [OTHER_LINE.get(name, "MARK")] + ([Decimal(-20)] if name == "amount" else [])
        lines = [COST.lines[0].model_copy(update={name: other}) for other in others]
        used = set().union(*(_differing(before, _posted(COST.model_copy(update={"lines": (one,)}))) for one in lines))
        assert used == set(place.written), name


def test_what_the_hub_never_writes_has_no_place_to_write_to() -> None:
    written = {"AssetFields", "CostFields", "CostLine"}
    for record in MODELS.keys() - written:
        assert not any(place.written for place in TABLES[record].places.values()), "the ERP owns its books and orders"


def test_the_page_has_a_row_for_every_field() -> None:
    text = page({})
    rows = [line.split(" | ")[0].removeprefix("| ") for line in text.splitlines() if line.startswith("| ")]
    expected = [name for model in MODELS.values() for name in model.model_fields if name != "lines"]
    assert [row for row in rows if row != "canonical field"] == expected
