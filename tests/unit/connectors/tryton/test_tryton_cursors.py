"""The cursor: whatever order rows become visible in, within the window each change is given once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieline.connectors.tryton import cursors
from tieline.connectors.tryton.cursors import Change, Mark, dump_marks, load_marks, micros, moment
from tieline.kernel.errors import Stop

WINDOW = 100
ROWS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), min_size=1, max_size=60)


def read(mark: Mark, visible: list[Change], limit: int) -> tuple[Mark, list[Change]]:
    """One read as the source asks for it: rows behind ``after`` in order, the remembered ones and ``limit`` more."""
    behind = sorted((row for row in visible if row.place > mark.after), key=lambda row: row.place)
    taken = mark.unseen(behind[: limit + len(mark.given)])[:limit]
    return mark.advanced(taken, WINDOW), taken


@given(ROWS, st.integers(1, 5), st.randoms())
def test_rows_committed_in_any_order_within_the_window_are_given_once(
    rows: list[tuple[int, int]], limit: int, random: object
) -> None:
    waiting = [Change(1000 + stamp, number, number) for number, (stamp, _) in enumerate(rows)]
    random.shuffle(waiting)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    mark, visible, given_rows = Mark(), [], []
    for row in waiting:
        visible.append(row)
        mark, taken = read(load_marks(dump_marks({"m": mark}))["m"], visible, limit)
        given_rows += taken
    while True:
        mark, taken = read(mark, visible, limit)
        if not taken:
            break
        given_rows += taken
    assert sorted(row.id for row in given_rows) == sorted(row.id for row in waiting)


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=200), st.integers(1, 7))
def test_what_is_remembered_stays_within_the_window(stamps: list[int], limit: int) -> None:
    mark = Mark()
    visible = [Change(stamp, number, number) for number, stamp in enumerate(sorted(stamps))]
    given_rows: list[Change] = []
    while True:
        mark, taken = read(mark, visible, limit)
        if not taken:
            break
        given_rows += taken
        newest = given_rows[-1].stamp
        assert all(newest - WINDOW <= stamp <= newest for stamp, _ in mark.given)
    assert [row.id for row in given_rows] == [row.id for row in visible]


def test_more_rows_of_one_stamp_than_are_remembered_are_still_given_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cursors, "MAX_REMEMBERED", 10)
    visible = [Change(5, number, number) for number in range(57)]
    mark, given_rows = Mark(), []
    for _ in range(20):
        mark, taken = read(mark, visible, 4)
        given_rows += taken
        assert len(mark.given) <= 10
    assert [row.id for row in given_rows] == list(range(57))


def test_an_instant_survives_exactly() -> None:
    stamp = 1_795_254_385_449_995
    assert micros(moment(stamp)) == stamp


@pytest.mark.parametrize("cursor", ["x", "[]", '{"m":1}', '{"m":{"after":[1],"given":[]}}', '{"m":{"after":[1,2]}}'])
def test_a_foreign_cursor_stops(cursor: str) -> None:
    with pytest.raises(Stop, match="reset the source's position"):
        load_marks(cursor)


def test_no_cursor_is_the_start() -> None:
    assert load_marks(None) == load_marks("") == {}
