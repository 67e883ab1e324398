"""How the books treat a purchase, by the rules of the landscape. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from tieline.kernel.landscape import TreatmentRule
from tieline.kernel.order_records import Treatment


@dataclass(frozen=True, slots=True)
class Purchase:
    """What the rules are asked about: costs are exact, in ``currency``; ``on`` is the date of the receipt."""

    asset_class: str
    currency: str
    unit_cost: Fraction
    line_cost: Fraction
    on: dt.date


@dataclass(frozen=True, slots=True)
class Choice:
    """The treatment and the name of the rule behind it; without a treatment, why there is none."""

    treatment: Treatment | None
    rule: str | None
    reason: str


def choose_treatment(purchase: Purchase, rules: Sequence[TreatmentRule]) -> Choice:
    """The treatment by the first rule that speaks of the purchase; none if no rule does, or amounts do not compare."""
    for rule in rules:
        if not _covers(rule, purchase):
            continue
        if rule.threshold is not None and rule.currency != purchase.currency:
            # To pass it over would let a later rule decide what this one was written for.
            why = f"rule {rule.name} has a threshold in {rule.currency}, the purchase is in {purchase.currency}"
            return Choice(None, rule.name, why)
        if _reaches(rule, purchase):
            return Choice(Treatment(rule.treatment), rule.name, f"by rule {rule.name}")
    return Choice(None, None, "no rule of the landscape speaks of it")


def _covers(rule: TreatmentRule, purchase: Purchase) -> bool:
    if rule.asset_class is not None and rule.asset_class != purchase.asset_class:
        return False
    if rule.from_date is not None and purchase.on < rule.from_date:
        return False
    return rule.before_date is None or purchase.on < rule.before_date


def _reaches(rule: TreatmentRule, purchase: Purchase) -> bool:
    """Whether the cost is at or over the threshold; what counts at exactly the threshold is said in the data (T06)."""
    if rule.threshold is None:
        return True
    cost = purchase.unit_cost if rule.per == "unit" else purchase.line_cost
    limit = Fraction(rule.threshold)
    return cost > limit or (cost == limit and rule.at_limit == "included")
