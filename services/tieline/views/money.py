"""Sums of money as the views show them: exact, apart by currency, as text. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

_CENT = Decimal("0.01")


def sum_by_currency(amounts: Iterable[tuple[str, str]]) -> dict[str, Decimal]:
    """Sums of (currency, amount as text), in order of the currency; currencies are never added up (Invariant 11)."""
    totals: dict[str, Decimal] = {}
    for currency, amount in amounts:
        totals[currency] = totals.get(currency, Decimal(0)) + Decimal(amount)
    return dict(sorted(totals.items()))


def sums_as_json(sums: Mapping[str, Decimal]) -> dict[str, str]:
    """Currency to amount as text."""
    return {currency: plain(amount) for currency, amount in sums.items()}


def plain(amount: Decimal) -> str:
    """The amount as text without exponent, with at least two digits after the point."""
    cents = amount.quantize(_CENT)
    return format(cents if cents == amount else amount.normalize(), "f")
