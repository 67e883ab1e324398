"""T28: reformatted identifiers are recognised by a named rule, and never by a guess."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieline.kernel.errors import Rejected
from tieline.processors.identifiers import match_registers, normal_form, pad_number, unpad_number


@pytest.mark.parametrize(
    ("identifier", "exact", "folded", "zeros", "number"),
    [
        ("AB-0042", "AB-0042", "ab-0042", "ab-42", "42"),
        (" ab 007 ", " ab 007 ", "ab007", "ab7", "7"),
        ("000000100017", "000000100017", "000000100017", "100017", "100017"),
        ("0000", "0000", "0000", "0", "0"),
        ("P1-02", "P1-02", "p1-02", "p1-2", None),
        ("STRASSE", "STRASSE", "strasse", "strasse", None),
        ("straße", "straße", "strasse", "strasse", None),
        ("", None, None, None, None),
    ],
)
def test_t28_normal_forms(
    identifier: str, exact: str | None, folded: str | None, zeros: str | None, number: str | None
) -> None:
    assert normal_form(identifier, "exact") == exact
    assert normal_form(identifier, "case-folded") == folded
    assert normal_form(identifier, "leading-zeros") == zeros
    assert normal_form(identifier, "number-part") == number


def test_t28_two_versions_of_one_register_match_by_rule_with_the_counts_known_in_advance() -> None:
    # 1,000 assets; the second version spells 400 alike, 300 in another case, 150 without zeros, 100 without prefix.
    old = [f"FA-{number:06}" for number in range(1, 1001)]
    new = (
        old[:400]
        + [identifier.lower() for identifier in old[400:700]]
        + [f"FA-{number}" for number in range(701, 851)]
        + [str(number) for number in range(851, 951)]
        + [f"GONE-{number}-X{number}" for number in range(951, 1001)]
    )
    found = match_registers(old, reversed(new))
    rules = Counter(one.rule for one in found)
    assert rules == {"exact": 400, "case-folded": 300, "leading-zeros": 150, "number-part": 100, "unmatched": 50}
    pairs = dict(zip(old, new, strict=True))
    assert all(one.other == pairs[one.identifier] for one in found if one.rule != "unmatched")
    assert all(one.other is None for one in found[950:])


def test_t28_a_form_that_two_share_matches_nobody() -> None:
    assert [one.rule for one in match_registers(["A-7"], ["B7", "C-7"])] == ["unmatched"]
    assert [one.rule for one in match_registers(["A-7", "B-7"], ["7"])] == ["unmatched", "unmatched"]


def test_t28_a_sure_match_goes_before_a_weak_one() -> None:
    [weak, sure] = match_registers(["X7", "7"], ["7"])
    assert (weak.rule, sure.rule, sure.other) == ("unmatched", "exact", "7")


def test_t01_identical_rows_stay_that_many_things() -> None:
    assert [one.rule for one in match_registers(["A"] * 3, ["A"] * 2)] == ["exact", "exact", "unmatched"]


@pytest.mark.parametrize(
    ("people", "sap"),
    [("100017", "000000100017"), ("0", "000000000000"), ("999999999999", "999999999999"), ("FA-17", "FA-17")],
)
def test_t28_a_sap_asset_number_goes_out_padded_and_comes_back(people: str, sap: str) -> None:
    assert pad_number(people) == sap
    assert unpad_number(sap) == people


@given(st.integers(min_value=0, max_value=10**12 - 1))
def test_t28_padding_loses_no_number(number: int) -> None:
    padded = pad_number(str(number))
    assert len(padded) == 12
    assert pad_number(unpad_number(padded)) == padded
    assert unpad_number(padded) == str(number)


def test_a_number_longer_than_the_field_is_refused_not_cut() -> None:
    with pytest.raises(Rejected, match="longer than the 12 characters"):
        pad_number("1000000000000")


def test_a_rule_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match="soundex is no rule"):
        normal_form("A", "soundex")
