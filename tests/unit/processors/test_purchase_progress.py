"""The sums of an order's lines, kept as lines move, are those of the lines as they are."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from tieline.processors.purchase_progress import LineProgress, OrderProgress, Part

QUANTITIES = st.sampled_from([Decimal(text) for text in ("0", "1", "2.5", "3", "1000000.000001")])
DAYS = st.none() | st.integers(1, 5).map(lambda day: dt.date(2026, 11, day))
PARTS = st.builds(Part, QUANTITIES, QUANTITIES, DAYS)
LINES = st.builds(
    LineProgress,
    PARTS,
    PARTS,
    PARTS,
    QUANTITIES,
    st.none() | st.sampled_from(["the order is not approved", "no rule"]),
    st.frozensets(st.sampled_from(["erp/1/1", "erp/1/2", "erp/2/1"])),
)


@settings(max_examples=60)
@given(st.lists(st.dictionaries(st.sampled_from("abc"), LINES), max_size=6))
def test_whatever_moves_the_sums_are_those_of_the_lines(moves: list[dict[str, LineProgress]]) -> None:
    progress, lines = OrderProgress(), dict[str, LineProgress]()
    for moved in moves:
        progress.update(moved)
        lines |= moved
    for name in ("received", "invoiced", "capitalised"):
        parts: list[Part] = [getattr(line, name) for line in lines.values()]
        days = [part.last_day for part in parts if part.last_day is not None]
        assert getattr(progress, name) == Part(
            sum((part.done for part in parts), Decimal(0)),
            sum((part.wanted for part in parts), Decimal(0)),
            max(days, default=None),
        )
    assert progress.line_ids == lines.keys()
    assert progress.held == sum(line.held for line in lines.values())
    reasons = [line.held_for for _, line in sorted(lines.items()) if line.held_for is not None]
    assert progress.held_for == (reasons[0] if reasons else None)
    assert sorted(progress.records) == sorted(frozenset[str]().union(*(line.records for line in lines.values())))
