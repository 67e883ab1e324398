"""Units of measure by their UN/ECE Recommendation 20 codes, converted exactly or not at all. Pure.

A factor is a rational number (international pound and inch included, which are defined, not measured). Only units of
one dimension convert into each other: a set is no number of pieces, and a calendar month is no number of days.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType

from tieline.kernel.errors import Rejected

SCALE = 6
"""Digits after the point of a quantity (decimal(18,6), model.Quantity)."""
_MAX_WHOLE_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit: ``factor`` of it make the base unit of its dimension (1 dozen = 12 pieces)."""

    code: str
    name: str
    dimension: str
    factor: Fraction


def _table(*rows: tuple[str, str, str, str]) -> Mapping[str, Unit]:
    return MappingProxyType({code: Unit(code, name, kind, Fraction(factor)) for code, name, kind, factor in rows})


UNITS = _table(
    ("C62", "one", "count", "1"),
    ("EA", "each", "count", "1"),
    ("H87", "piece", "count", "1"),
    ("PR", "pair", "count", "2"),
    ("DZN", "dozen", "count", "12"),
    ("CEN", "hundred", "count", "100"),
    ("GRO", "gross", "count", "144"),
    ("MIL", "thousand", "count", "1000"),
    ("SET", "set", "set", "1"),
    ("SEC", "second", "time", "1"),
    ("MIN", "minute", "time", "60"),
    ("HUR", "hour", "time", "3600"),
    ("DAY", "day of 24 hours", "time", "86400"),
    ("WEE", "week", "time", "604800"),
    ("MON", "month", "calendar", "1"),
    ("QAN", "quarter of a year", "calendar", "3"),
    ("ANN", "year", "calendar", "12"),
    ("MGM", "milligram", "mass", "1/1000"),
    ("GRM", "gram", "mass", "1"),
    ("KGM", "kilogram", "mass", "1000"),
    ("TNE", "tonne", "mass", "1000000"),
    ("LBR", "pound", "mass", "453.59237"),
    ("MMT", "millimetre", "length", "1/1000"),
    ("CMT", "centimetre", "length", "1/100"),
    ("MTR", "metre", "length", "1"),
    ("KMT", "kilometre", "length", "1000"),
    ("INH", "inch", "length", "0.0254"),
    ("FOT", "foot", "length", "0.3048"),
    ("CMK", "square centimetre", "area", "1/10000"),
    ("MTK", "square metre", "area", "1"),
    ("MLT", "millilitre", "volume", "1/1000"),
    ("LTR", "litre", "volume", "1"),
    ("MTQ", "cubic metre", "volume", "1000"),
    ("WHR", "watt hour", "energy", "1"),
    ("KWH", "kilowatt hour", "energy", "1000"),
    ("MWH", "megawatt hour", "energy", "1000000"),
)


def convert(quantity: Decimal, unit: str, into: str, *, field: str = "quantity") -> Decimal:
    """``quantity`` of ``unit`` as a quantity of ``into``, exact, without trailing zeros.

    Raises ``Rejected`` for an unknown code, for units of two dimensions, and for a result that needs more than six
    digits after the point or twelve before it: nothing is ever rounded (Invariant 11).
    """
    given, wanted = _known(unit, field), _known(into, field)
    if given.dimension != wanted.dimension:
        raise Rejected(
            f"{given.name} ({unit}) is a unit of {given.dimension}, {wanted.name} ({into}) of {wanted.dimension}",
            field=field,
            remedy="state the quantity in a unit of the same dimension at its source",
        )
    # The bounds come first: a fraction of an enormous exponent would take minutes to make.
    if not quantity.is_finite() or abs(quantity.adjusted()) > 2 * _MAX_WHOLE_DIGITS:
        raise Rejected("is not a quantity", field=field, remedy="correct it at its source")
    scaled = Fraction(quantity) * given.factor / wanted.factor * 10**SCALE
    if scaled.denominator != 1:
        raise Rejected(
            f"{quantity} {unit} is no exact number of {into} at {SCALE} digits after the point",
            field=field,
            remedy=f"keep the quantity in {unit}, or state it in {into} at its source",
        )
    if abs(scaled) >= 10 ** (_MAX_WHOLE_DIGITS + SCALE):
        raise Rejected(
            f"has more than {_MAX_WHOLE_DIGITS} digits before the point in {into}",
            field=field,
            remedy=f"keep the quantity in {unit}",
        )
    return _decimal(scaled.numerator)


def _known(code: str, field: str) -> Unit:
    found = UNITS.get(code)
    if found is None:
        raise Rejected(
            f"{code[:40]!r} is no UN/ECE unit code that the hub knows",
            field=field,
            remedy="map the system's unit in the landscape's code list unit",
        )
    return found


def _decimal(scaled: int) -> Decimal:
    scale = SCALE
    while scale and scaled % 10 == 0:
        scaled, scale = scaled // 10, scale - 1
    return Decimal(scaled).scaleb(-scale)
