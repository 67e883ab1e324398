"""The watermark: against a model of a system whose clock is coarse, nothing is skipped."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieline.connectors.kit import watermarks
from tieline.connectors.kit.watermarks import EPOCH, Seen, Watermark, advance, read_cursor, restart_sweep, write_cursor
from tieline.kernel.errors import Stop

T0 = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
OVERLAP = dt.timedelta(seconds=2)


def at(secs: int) -> dt.datetime:
    return T0 + dt.timedelta(seconds=secs)


class System:
    """Records with versions and whole-second times, listed by (time, id) with page tokens, like the real thing."""

    def __init__(self) -> None:
        self.records: dict[str, tuple[dt.datetime, int]] = {}
        self.clock_secs = 0

    def write(self, native_id: str, secs: int) -> None:
        self.clock_secs = max(self.clock_secs, secs)
        _, version = self.records.get(native_id, (T0, 0))
        self.records[native_id] = (at(secs), version + 1)

    def page(self, mark: Watermark, size: int) -> tuple[list[Seen], str | None]:
        rows = sorted((when, key, version) for key, (when, version) in self.records.items() if when >= mark.since)
        if mark.page_token is not None:
            when_text, key = mark.page_token.split("|")
            rows = [row for row in rows if (row[0], row[1]) > (dt.datetime.fromisoformat(when_text), key)]
        page = [Seen(key, str(version), when) for when, key, version in rows[:size]]
        more = len(rows) > size
        return page, f"{page[-1].modified_at.isoformat()}|{page[-1].native_id}" if more else None


def poll(system: System, cursor: str | None, size: int) -> tuple[list[tuple[str, str]], str, bool]:
    """One page, as a source takes it, with the cursor through text and back (a restart between any two pages)."""
    mark = read_cursor(cursor)
    page, token = system.page(mark, size)
    fresh, after = advance(mark, page, token, overlap=OVERLAP, now=at(system.clock_secs))
    return [(page[i].native_id, page[i].version) for i in fresh], write_cursor(after), after.more


# Each step: seconds the clock goes on, record written (-1: none), and whether a page is read.
steps = st.lists(
    st.tuples(st.sampled_from([0, 0, 0, 1, 2, 5]), st.integers(-1, 6), st.booleans()), min_size=5, max_size=80
)


@settings(max_examples=400, deadline=None)
@given(steps=steps, size=st.integers(1, 4))
def test_every_last_version_is_given_whatever_the_order_of_writes_and_pages(
    steps: list[tuple[int, int, bool]], size: int
) -> None:
    system, cursor, clock = System(), None, 0
    given_versions: list[tuple[str, str]] = []
    for secs, record, read in steps:
        clock += secs
        system.clock_secs = clock
        if record >= 0:
            system.write(str(record), clock)
        if read:
            found, cursor, _ = poll(system, cursor, size)
            given_versions += found
    more = True
    while more:
        found, cursor, more = poll(system, cursor, size)
        given_versions += found
    # A sweep begun before the last writes may have passed over them; the next poll sees them.
    more = True
    while more:
        found, cursor, more = poll(system, cursor, size)
        given_versions += found
    assert {(key, str(version)) for key, (_, version) in system.records.items()} <= set(given_versions)
    assert len(given_versions) == len(set(given_versions)), "an unchanged version was given twice"


def test_an_idle_system_gives_nothing_again() -> None:
    system = System()
    for number in range(10):
        system.write(str(number), 0)
    found, cursor, more = poll(system, None, 50)
    assert (len(found), more) == (10, False)
    for _ in range(3):
        found, cursor, more = poll(system, cursor, 50)
        assert (found, more) == ([], False)


def test_what_was_written_behind_the_token_is_found_before_the_poll_says_it_is_done() -> None:
    system = System()
    for number in range(6):
        system.write(str(number), 0)
    found, cursor, more = poll(system, None, 3)
    system.write("0", 0)  # within the same second, behind the page token
    while more:
        news, cursor, more = poll(system, cursor, 3)
        found += news
    assert ("0", "2") in found


def test_a_sweep_that_takes_long_still_finds_what_was_written_behind_its_token() -> None:
    """The source stood still between two pages for longer than the overlap."""
    system = System()
    for number in range(4):
        system.write(str(number), 0)
    found, cursor, more = poll(system, None, 3)
    system.write("0", 0)
    system.write("9", 60)
    while more:
        news, cursor, more = poll(system, cursor, 3)
        found += news
    assert ("0", "2") in found


def test_an_old_register_is_read_once_not_twice() -> None:
    system = System()
    for number in range(100):
        system.write(f"{number:03d}", number // 10)
    system.clock_secs = 3600
    cursor, more, polls = None, True, 0
    while more:
        _, cursor, more = poll(system, cursor, 10)
        polls += 1
    assert polls == 10


def test_an_idle_system_with_more_records_in_a_second_than_a_page_comes_to_rest() -> None:
    system = System()
    for number in range(10):
        system.write(str(number), 0)
    cursor, more, polls = None, True, 0
    while more:
        _, cursor, more = poll(system, cursor, 3)
        polls += 1
    assert polls <= 8


def test_a_record_that_becomes_visible_late_within_the_overlap_is_found() -> None:
    system = System()
    system.write("a", 10)
    _, cursor, _ = poll(system, None, 50)
    system.write("late", 8)
    found, cursor, _ = poll(system, cursor, 50)
    assert found == [("late", "1")]


def test_a_date_in_the_future_does_not_hide_what_follows() -> None:
    system = System()
    system.records["wrong"] = (at(10**8), 1)
    system.write("a", 10)
    found, cursor, _ = poll(system, None, 50)
    assert len(found) == 2
    system.write("b", 11)
    found, cursor, _ = poll(system, cursor, 50)
    assert found == [("b", "1")]


def test_a_forgotten_token_reads_the_sweep_again_without_giving_again() -> None:
    system = System()
    for number in range(6):
        system.write(str(number), 0)
    first, cursor, more = poll(system, None, 4)
    assert more
    cursor = write_cursor(restart_sweep(read_cursor(cursor)))
    second, cursor, more = poll(system, cursor, 4)
    assert second == []
    third, cursor, _ = poll(system, cursor, 4)
    assert sorted(first + third) == [(str(n), "1") for n in range(6)]


def test_the_cursor_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watermarks, "MAX_REMEMBERED", 5)
    page = [Seen(str(n), "1", at(0)) for n in range(20)]
    fresh, mark = advance(Watermark(), page, None, overlap=OVERLAP, now=at(0))
    assert len(fresh) == 20
    assert sum(len(versions) for versions in mark.given.values()) == 5


def test_the_start_is_the_beginning_of_time() -> None:
    assert read_cursor(None) == Watermark(since=EPOCH)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"since":"x","page":null,"high":"x","live_from":null,"given":{}}', "2026-05-01"]
)
def test_a_cursor_that_is_not_ours_stops(text: str) -> None:
    with pytest.raises(Stop, match="reset the stream's position"):
        read_cursor(text)
