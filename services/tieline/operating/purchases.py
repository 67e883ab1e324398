"""Where purchases stand, for people: the rows accept keeps, judged by the day on which they are looked at. Pure."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tieline.kernel.errors import Stop
from tieline.kernel.memory import Conflict
from tieline.kernel.procurement_records import PurchaseProcess, PurchaseStep

PROCESSES = "procurement.process.state.v1"
CONFLICTS = "hub.conflict.state.v1"
_MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class Purchase:
    """One order as a person sees it. ``step`` is the late one, else the next; None once the purchase has ended."""

    row: PurchaseProcess
    step: PurchaseStep | None
    days_late: int

    @property
    def is_late(self) -> bool:
        """Whether any step is open past its day."""
        return self.days_late > 0


def judge(row: PurchaseProcess, today: dt.date) -> Purchase:
    """The order as it stands on this day."""
    late = row.late(today)
    days = (today - late.due_on).days if late is not None and late.due_on is not None else 0
    return Purchase(row, late or row.waiting(), days)


def list_purchases(
    rows: Iterable[PurchaseProcess], today: dt.date, *, everything: bool = False, late_only: bool = False
) -> list[Purchase]:
    """Orders that wait for something, the latest first, then by due day; with ``everything`` also those that ended."""
    found = [judge(row, today) for row in rows]
    wanted = [one for one in found if one.is_late or (not late_only and (everything or one.step is not None))]
    return sorted(wanted, key=lambda one: (-one.days_late, one.step is None, *_due(one), _name(one.row)))


def count_late(rows: Iterable[PurchaseProcess], today: dt.date) -> int:
    """How many orders have a step that is open past its day."""
    return sum(row.late(today) is not None for row in rows)


def find_purchase(rows: Mapping[str, PurchaseProcess], linked: str | None, text: str) -> PurchaseProcess:
    """The order of this number or canonical id; ``linked`` is the id that a system/id stands for, if it does.

    Raises ``Stop`` if there is none, or more than one.
    """
    if (exact := rows.get(linked or text)) is not None:
        return exact
    found = sorted(key for key, row in rows.items() if row.po_number == text)
    if not found:
        raise Stop(f"no order is known as {text!r}; give its number, system/id, or its canonical id as --json shows it")
    if len(found) > 1:
        some = ", ".join(found[:_MOST_NAMED])
        raise Stop(f"{text!r} names {len(found)} orders; give one of their canonical ids: {some}")
    return rows[found[0]]


def disputes(rows: Iterable[Conflict], po_id: str) -> list[str]:
    """What does not agree about an order, a line for each: what stands, what was said against it, what ends it."""
    found = sorted((row for row in rows if row.canonical_id == po_id), key=lambda row: row.field)
    return [
        f"{row.field}: {row.owned_value or '-'} against {row.foreign_value or '-'}"
        + "".join(f"; {more}" for more in (row.reason, row.remedy) if more)
        for row in found
    ]


def purchases_json(purchases: Sequence[Purchase]) -> str:
    """A JSON array; dates ISO 8601."""
    return json.dumps([_plain(one) for one in purchases], indent=2)


def _plain(one: Purchase) -> dict[str, object]:
    return {
        **one.row.model_dump(mode="json"),
        "late": one.is_late,
        "late_step": one.step.name if one.step and one.is_late else None,
        "days_late": one.days_late,
    }


def _due(one: Purchase) -> tuple[bool, dt.date]:
    due_on = one.step.due_on if one.step else None
    return due_on is None, due_on or dt.date.max


def _name(row: PurchaseProcess) -> str:
    return row.po_number or row.po_id
