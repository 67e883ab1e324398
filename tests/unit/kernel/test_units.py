"""Units convert exactly inside one dimension, or are refused by name."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieline.kernel.errors import Rejected
from tieline.kernel.units import UNITS, convert


@pytest.mark.parametrize(
    ("quantity", "unit", "into", "expected"),
    [
        ("90", "MIN", "HUR", "1.5"),
        ("1.25", "HUR", "MIN", "75"),
        ("2", "DAY", "HUR", "48"),
        ("2.5", "TNE", "KGM", "2500"),
        ("1", "GRM", "TNE", "0.000001"),
        ("3", "DZN", "EA", "36"),
        ("2", "GRO", "DZN", "24"),
        ("7", "PR", "H87", "14"),
        ("1", "MIL", "CEN", "10"),
        ("12", "CMT", "MTR", "0.12"),
        ("1", "KMT", "CMT", "100000"),
        ("2500", "CMK", "MTK", "0.25"),
        ("1.5", "MTQ", "LTR", "1500"),
        ("6", "MON", "ANN", "0.5"),
        ("1", "LBR", "GRM", "453.59237"),
        ("10", "INH", "CMT", "25.4"),
        ("-4", "DZN", "EA", "-48"),
        ("0.000", "HUR", "MIN", "0"),
        ("999999999999.999999", "EA", "C62", "999999999999.999999"),
    ],
)
def test_a_quantity_is_the_same_in_another_unit(quantity: str, unit: str, into: str, expected: str) -> None:
    found = convert(Decimal(quantity), unit, into)
    assert found == Decimal(expected)
    assert format(found, "f") == expected


@pytest.mark.parametrize(
    ("quantity", "unit", "into", "reason"),
    [
        ("1", "MIN", "HUR", "1 MIN is no exact number of HUR at 6 digits"),
        ("0.5", "GRM", "TNE", "no exact number of TNE"),
        ("1", "EA", "DZN", "no exact number of DZN"),
        ("0.0000001", "KGM", "KGM", "no exact number of KGM"),
        ("1", "SET", "EA", "set .SET. is a unit of set, each .EA. of count"),
        ("1", "MON", "DAY", "month .MON. is a unit of calendar, day of 24 hours .DAY. of time"),
        ("1", "KGM", "LTR", "of mass, litre"),
        ("1", "pcs", "EA", "'pcs' is no UN/ECE unit code"),
        ("1", "EA", "ea", "'ea' is no UN/ECE unit code"),
        ("999999999999", "MIL", "EA", "more than 12 digits before the point in EA"),
        ("NaN", "EA", "EA", "is not a quantity"),
        ("Infinity", "EA", "EA", "is not a quantity"),
        ("1e2000000", "EA", "EA", "is not a quantity"),
        ("1e-2000000", "EA", "EA", "is not a quantity"),
    ],
)
def test_what_is_not_exact_is_refused_never_rounded(quantity: str, unit: str, into: str, reason: str) -> None:
    with pytest.raises(Rejected, match=reason) as caught:
        convert(Decimal(quantity), unit, into, field="lines[0].quantity")
    assert caught.value.field == "lines[0].quantity"
    assert caught.value.remedy


@given(st.decimals(-(10**6), 10**6, places=3), st.sampled_from(sorted(UNITS)), st.sampled_from(sorted(UNITS)))
def test_what_converts_converts_back_to_the_same(quantity: Decimal, unit: str, into: str) -> None:
    try:
        there = convert(quantity, unit, into)
    except Rejected:
        return
    assert convert(there, into, unit) == quantity
