"""Minor units of currencies, and rounding to them."""

from __future__ import annotations

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
