"""A difference, with what it does to the control totals and who can mend it."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, StrEnum

from tieline.kernel.asset_records import AssetFields
from tieline.kernel.book_records import BookFields
from tieline.kernel.cost_records import CostFields
from tieline.kernel.memory import Drift, DriftKind
from tieline.kernel.vocabulary import Money

ABSENT = frozenset({DriftKind.MISSING, DriftKind.GHOST, DriftKind.ZOMBIE})
SURPLUS = frozenset({DriftKind.EXTRA, DriftKind.DUPLICATE})
NONE = "-"
ZERO = Decimal(0)


class Remedy(StrEnum):
    """What mends a difference."""

    WRITE = "write"
    RE_READ = "re-read"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Effect:
    """One signed entry into a control total: count of records, and amount in ``currency``."""

    entity: str
    measure: str
    company: str
    currency: str
    count: int
    amount: Decimal

    def negated(self) -> Effect:
        """The opposite entry."""
        return Effect(self.entity, self.measure, self.company, self.currency, -self.count, -self.amount)


Effects = tuple[Effect, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference. ``effects`` are what the system's totals have more (or less) because of it.

    ``state_key`` is the key of the hub's row where it is not the canonical id: a book's is ``asset id|book id``.
    """

    drift: Drift
    remedy: Remedy
    effects: Effects = ()
    state_key: str | None = None

    @property
    def in_flight(self) -> bool:
        """True when the difference is explained by what is still under way: not drift."""
        return self.drift.kind is DriftKind.IN_FLIGHT

    @property
    def is_advice(self) -> bool:
        """True for what is only reported: a schedule that is not the reference's is nobody's drift."""
        return self.drift.kind is DriftKind.SCHEDULE

    @property
    def record(self) -> tuple[str, str, str]:
        """System, entity and id of the record: several differences may be of one record."""
        drift = self.drift
        return drift.system, drift.entity, self.state_key or drift.canonical_id or drift.native_id or NONE

    @property
    def order(self) -> tuple[str, str, str, str, str]:
        """Sort key: the same findings always stand in the same order."""
        drift = self.drift
        return drift.system, drift.entity, drift.canonical_id or "", drift.native_id or "", drift.field or ""


def stable_id(*parts: str | None) -> str:
    """A hash that is the same in every run: 32 hex digits over the parts and their places."""
    text = "".join(f"{len(part)}:{part}" if part is not None else "-" for part in parts)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def drift_id(system: str, entity: str, record_id: str, field: str | None) -> str:
    """Identity of a difference, whatever the run: system, entity, canonical (else native) id, field."""
    return stable_id(system, entity, record_id, field)


def as_text(value: object) -> str | None:
    """A value for people; money as ``1234.50 EUR``."""
    match value:
        case None:
            return None
        case Money():
            return f"{amount_text(value.amount)} {value.currency}"
        case Decimal():
            return amount_text(value)
        case Enum():
            return str(value.value)
        case dt.date():
            return value.isoformat()
        case _:
            return str(value)


def amount_text(amount: Decimal) -> str:
    """Plain notation without an exponent, at least two digits after the point, no digit lost: 1.5 → 1.50."""
    plain = format(amount + 0, "f")
    whole, _, fraction = plain.partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"


def negated(effects: Iterable[Effect]) -> Effects:
    """The opposite entries."""
    return tuple(effect.negated() for effect in effects)


def asset_effects(fields: AssetFields, company: str | None, *, with_cost: bool) -> Effects:
    """What one asset adds to the totals; without a cost in scope it only counts."""
    cost = fields.acquisition_cost if with_cost else None
    currency, amount = (cost.currency, cost.amount) if cost else (NONE, ZERO)
    return (Effect("asset", "cost", company or NONE, currency, 1, amount),)


def book_effects(fields: BookFields, company: str | None) -> Effects:
    """What one book adds to the totals."""
    place = (company or NONE, fields.currency, 1)
    return (
        Effect("book", "accumulated depreciation", *place, fields.accumulated),
        Effect("book", "net book value", *place, fields.net_book_value),
    )


def cost_effects(fields: CostFields) -> Effects:
    """What one cost document adds to the totals."""
    return (Effect("cost-document", "total", fields.company, fields.currency, 1, fields.total),)


def in_order(findings: Iterable[Finding]) -> Sequence[Finding]:
    """Findings in their stable order."""
    return sorted(findings, key=lambda finding: finding.order)
