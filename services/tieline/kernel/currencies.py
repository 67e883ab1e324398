"""Minor units of currencies, rounding to them, and splitting into them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from math import floor

# Minor units of the currencies that have not two (ISO 4217).
_MINOR_UNITS = {"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0}
_MINOR_UNITS |= {"UGX": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0}
_MINOR_UNITS |= {"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3}


def minor_units(currency: str) -> int:
    """Digits after the point of an amount in ``currency``: 2 unless ISO 4217 says otherwise."""
    return _MINOR_UNITS.get(currency, 2)


def minor_unit(currency: str) -> Decimal:
    """The smallest amount there is in a currency (ISO 4217)."""
    return Decimal(1).scaleb(-minor_units(currency))


class Rounding(StrEnum):
    """Where a half of a minor unit goes."""

    HALF_UP = "HALF_UP"  # away from zero
    HALF_EVEN = "HALF_EVEN"  # to the even neighbour


def round_to_minor_unit(amount: Fraction, currency: str, rounding: Rounding = Rounding.HALF_UP) -> Decimal:
    """``amount`` in whole minor units."""
    digits = minor_units(currency)
    exact = abs(amount) * 10**digits
    units = round(exact) if rounding is Rounding.HALF_EVEN else floor(exact + Fraction(1, 2))
    return Decimal(units if amount >= 0 else -units).scaleb(-digits)


def split_by_share(total: Decimal, parts: Mapping[str, Fraction], currency: str) -> dict[str, Decimal]:
    """The total in parts of whole minor units that add up to it (Invariant 11), by name.

    Each gets its share cut off; the minor units that are left go one each to those of which most was cut off, of
    equals to the first by name. A total finer than its currency leaves the rest of it to the first of them.
    ``total`` may be negative: the parts of a reversal are those of its original with the sign turned.
    """
    step, sign = minor_unit(currency), -1 if total < 0 else 1
    exact = {name: Fraction(abs(total)) / Fraction(step) * part for name, part in parts.items()}
    units = {name: int(value) for name, value in exact.items()}
    order = sorted(parts, key=lambda name: (units[name] - exact[name], name))
    whole, rest = divmod(abs(total), step)
    for name in order[: int(whole) - sum(units.values())]:
        units[name] += 1
    amounts = {name: sign * step * units[name] for name in sorted(parts)}
    amounts[order[0]] += sign * rest
    return amounts
