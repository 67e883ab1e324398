"""A cost document inside the texts of an account move: Tryton's move has no fields for it.

Move: ``tieline: <cost_doc_id> | work order: WO-1 | asset: 42 | reverses: 7 | effective: 2026-03-17 | cost centre: CC``.
``effective`` only where the document is posted on another date than its own, because its own period is closed;
``cost centre``, the document's own, only where others bear something of it.
Line: ``LABOUR x 2.5: Replace the bearing`` (kind, quantity where there is one, description).
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from decimal import Decimal

from tieline.kernel.cost_records import CostKind

_PART = re.compile(
    r"^\s*(?P<key>tieline|work order|asset|reverses|effective|cost centre)\s*:\s*(?P<value>.*?)\s*$", re.IGNORECASE
)
_LINE = re.compile(
    r"^(?P<kind>LABOUR|PART|SERVICE|TOOL|OTHER)(?: x (?P<quantity>-?\d{1,12}(?:\.\d{1,6})?))?:\s?(?P<text>.*)$",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class DocumentText:
    """What a move's description says."""

    hub_ref: str | None = None
    work_order: str | None = None
    asset: str | None = None
    reversal_of: str | None = None
    effective_date: dt.date | None = None
    cost_centre: str | None = None


@dataclass(frozen=True, slots=True)
class LineText:
    """What a move line's description says."""

    kind: CostKind
    description: str
    quantity: Decimal | None = None


def write_document(text: DocumentText) -> str:
    """The move's description. A ``|`` inside a value becomes ``/``: it is the separator."""
    parts = (
        ("tieline", text.hub_ref),
        ("work order", text.work_order),
        ("asset", text.asset),
        ("reverses", text.reversal_of),
        ("effective", text.effective_date.isoformat() if text.effective_date else None),
        ("cost centre", text.cost_centre),
    )
    return " | ".join(f"{key}: {_clean(value)}" for key, value in parts if value)


def read_document(text: str | None) -> DocumentText:
    """The known parts; the first of a kind counts."""
    found: dict[str, str] = {}
    for part in (text or "").split("|"):
        match = _PART.match(part)
        if match and match["value"]:
            found.setdefault(match["key"].lower(), match["value"])
    return DocumentText(
        found.get("tieline"),
        found.get("work order"),
        found.get("asset"),
        found.get("reverses"),
        _date(found.get("effective")),
        found.get("cost centre"),
    )


def write_line(text: LineText) -> str:
    """The move line's description."""
    kind = text.kind if text.kind is not CostKind.UNKNOWN else CostKind.OTHER
    amount = f" x {text.quantity.normalize():f}" if text.quantity is not None else ""
    return f"{kind}{amount}: {text.description.strip()}"


def read_line(text: str | None) -> LineText:
    """Kind OTHER and the whole text when a person wrote it."""
    match = _LINE.match((text or "").strip())
    if match is None:
        return LineText(CostKind.OTHER, (text or "").strip())
    quantity = Decimal(match["quantity"]) if match["quantity"] else None
    return LineText(CostKind(match["kind"]), match["text"].strip(), quantity)


def _date(text: str | None) -> dt.date | None:
    # What a person typed that is no date says nothing: the move's own date counts.
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError:
        return None


def _clean(value: str) -> str:
    return " ".join(value.replace("|", "/").split())
