"""Movements for the tests: documents with sides that balance, and books to hold them against."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from tests.unit.processors.bench import ERP, NOW, Hub, asset, book, named, origin

from tieline.kernel.book_records import BookReport
from tieline.kernel.movement_records import (
    EVENT_NAMES,
    SIDES,
    MovementEvent,
    MovementFields,
    MovementKind,
    MovementReport,
    RollForward,
)

NOTHING = (Decimal(0), Decimal(0))
HALVES: dict[str, Any] = {
    "transaction": "T-1",
    "counterpart_native_id": "6",
    "counterpart_company": "ACME",
}
SALE: dict[str, Any] = {  # 40 % of 1200.00, of which 600.00 is worn: 288.00 of book value for 300.00
    "kind": "DISPOSAL",
    "disposal_kind": "SALE",
    "share_numerator": 2,
    "share_denominator": 5,
    "cost_before": "1200.00",
    "accumulated_before": "480.00",
    "cost_change": "-480.00",
    "accumulated_change": "-192.00",
    "net_book_value_change": "-288.00",
    "proceeds": "300.00",
    "income": "12.00",
}


def movement(native_id: str, of: str = "5", *, hours: int = 1, system: str = ERP, **changes: Any) -> MovementReport:
    """A document about asset ``of``, recorded ``hours`` after noon; sides that are not given are zero."""
    values: dict[str, Any] = {
        "asset_native_id": of,
        "book_id": "main",
        "company": "ACME",
        "currency": "EUR",
        "effective_date": dt.date(2026, 11, 10),
        **dict.fromkeys(SIDES, "0"),
    }
    said = origin(system, "movement", native_id).model_copy(update={"recorded_at": NOW + dt.timedelta(hours=hours)})
    fields = MovementFields.model_validate(values | changes, strict=False)
    return MovementReport(origin=said, fields=fields)


def reversal(native_id: str, of: MovementReport, *, hours: int = 2, **changes: Any) -> MovementReport:
    """The exact opposite of a document, unless changed."""
    kind = MovementKind.DISPOSAL_REVERSAL if of.fields.kind is MovementKind.DISPOSAL else of.fields.kind
    opposite = {name: -getattr(of.fields, name) for name in SIDES}
    values = of.fields.model_dump() | opposite | {"kind": kind, "reversal_of": of.origin.native_id}
    return movement(native_id, **(values | changes), hours=hours)


def other_half(native_id: str, of: MovementReport, **changes: Any) -> MovementReport:
    """What the counterpart receives of what the document gives, unless changed."""
    fields = of.fields
    crossed = {
        "asset_native_id": fields.counterpart_native_id,
        "counterpart_native_id": fields.asset_native_id,
        "company": fields.counterpart_company,
        "counterpart_company": fields.company,
    }
    opposite = {name: -getattr(fields, name) for name in SIDES}
    shared = dict.fromkeys(("share_numerator", "share_denominator", "cost_before", "accumulated_before"))
    return movement(native_id, **(fields.model_dump() | opposite | crossed | shared | changes))


def told(report: BookReport, hours: int) -> BookReport:
    """A book as it was recorded ``hours`` after noon."""
    said = report.origin.model_copy(update={"recorded_at": NOW + dt.timedelta(hours=hours)})
    return report.model_copy(update={"origin": said})


def figures(of: str, cost: str, accumulated: str, hours: int, **changes: Any) -> BookReport:
    """A book of these figures, no line of it posted, unless changed."""
    values = {"gross_cost": Decimal(cost), "accumulated": Decimal(accumulated)}
    values["net_book_value"] = values["gross_cost"] - values["accumulated"]
    return told(book(of, **(values | changes)), hours)


def estate() -> Hub:
    """A hub that knows assets 5 and 6 of one company."""
    hub = Hub()
    hub.say(asset(ERP, "5", serial_number="S5", company="ACME"), asset(ERP, "6", serial_number="S6", company="ACME"))
    return hub


def events(hub: Hub) -> list[MovementEvent]:
    """Events of movements, in order."""
    values = [typed.body for typed in named(hub.written, *EVENT_NAMES.values())]
    return [body for body in values if isinstance(body, MovementEvent)]


def unexplained(hub: Hub) -> dict[str, tuple[Decimal, Decimal]]:
    """Cost and accumulated depreciation that no document explains, by book."""
    rows = hub.rows(RollForward)
    return {key: (row.unexplained_cost, row.unexplained_accumulated) for key, row in rows.items()}
