"""Differences are shown by kind, so that one that is everywhere does not hide the others."""

from __future__ import annotations

import pytest

from tieline.synthetic.showing import kind_of, show_differences


@pytest.mark.parametrize(
    ("difference", "kind"),
    [
        ("asset FA7: location is L1, not L2", "asset: location"),
        ("asset FA7 is not there", "asset"),
        ("book main of FA7: 3 postings of 30.00, not 4 of 40.00", "book: postings"),
        ("12 events CostPosted, not 13", "events"),
        ("sum of gross DE10 main COMPUTER EUR is 1, not 2: -1 too much", "sum: too"),
    ],
)
def test_a_kind_says_what_it_is_about_and_not_which_one(difference: str, kind: str) -> None:
    assert kind_of(difference) == kind


def test_the_rare_kind_is_seen_beside_the_frequent_one() -> None:
    found = [*(f"asset A{n}: location is L1, not L2" for n in range(500)), "cost C1 is held, not posted"]
    assert show_differences(found, shown=3).splitlines() == [
        "501 differences of 2 kinds, 3 shown",
        "     500  asset: location",
        "          asset A0: location is L1, not L2",
        "          asset A1: location is L1, not L2",
        "       1  cost",
        "          cost C1 is held, not posted",
    ]


def test_no_more_is_shown_than_was_asked_for() -> None:
    found = [f"asset A{n}: f{n} is 1, not 2" for n in range(30)]
    text = show_differences(found)
    assert text.startswith("30 differences of 30 kinds, 20 shown\n")
    assert sum("is 1, not 2" in line for line in text.splitlines()) == 20
