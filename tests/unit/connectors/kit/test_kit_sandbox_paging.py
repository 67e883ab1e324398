"""Every way of paging gives each row once, in order, and refuses nonsense; limits count by account and time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from contextlib import suppress
from urllib.parse import parse_qsl

import pytest

from tieline.connectors.kit.sandboxing.answers import Refusal
from tieline.connectors.kit.sandboxing.limits import Limits
from tieline.connectors.kit.sandboxing.paging import Size, by_cursor, by_number, by_odata, by_offset

ROWS = list(range(1, 8))
LIMIT = Size("limit", default=3, most=5)
PER_PAGE = Size("per_page", default=3, most=5, refuse=True)


def test_by_offset() -> None:
    page = by_offset(ROWS, {"offset": "2"}, LIMIT)
    assert (page.rows, page.start, page.size, page.total, page.has_more) == ([3, 4, 5], 2, 3, 7, True)
    assert by_offset(ROWS, {"offset": "4"}, LIMIT).has_more is False
    assert by_offset(ROWS, {"offset": "99"}, LIMIT).rows == []
    lowered = by_offset(ROWS, {"limit": "500"}, LIMIT)
    assert (lowered.rows, lowered.size) == ([1, 2, 3, 4, 5], 5)


def test_by_number() -> None:
    assert by_number(ROWS, {}, PER_PAGE).rows == [1, 2, 3]
    last = by_number(ROWS, {"page": "3"}, PER_PAGE)
    assert (last.rows, last.has_more) == ([7], False)
    with pytest.raises(Refusal, match="per_page must be at most 5"):
        by_number(ROWS, {"per_page": "6"}, PER_PAGE)


def test_by_cursor_nothing_shifts() -> None:
    first, cursor = by_cursor(ROWS, int, {}, LIMIT)
    assert first == [1, 2, 3]
    assert cursor is not None
    later = [0, 2, 3, 4, 5, 6, 7]  # the first went, another came before it
    second, cursor = by_cursor(later, int, {"cursor": cursor, "limit": "4"}, LIMIT)
    assert (second, cursor) == ([4, 5, 6, 7], None)


def test_by_odata_pages_of_the_server_add_up_to_what_was_asked() -> None:
    query: Mapping[str, str] = {"$top": "6", "$skip": "1", "$count": "true", "$filter": "a eq 'ü&b'"}
    seen, counts = [], []
    while query:
        page = by_odata(ROWS, query, most=4)
        seen.append(page.rows)
        counts.append(page.count)
        query = dict(parse_qsl(page.next_query or ""))
        assert not query or (set(query) == {"$count", "$filter", "$skiptoken"} and query["$filter"] == "a eq 'ü&b'")
    assert (seen, counts) == ([[2, 3, 4, 5], [6, 7]], [7, 7])
    exactly = by_odata(ROWS, {"$top": "4"}, most=4)
    assert (exactly.rows, exactly.count, exactly.next_query) == ([1, 2, 3, 4], None, None)


WAYS: dict[str, Callable[[Mapping[str, str]], object]] = {
    "offset": lambda query: by_offset(ROWS, query, LIMIT),
    "number": lambda query: by_number(ROWS, query, PER_PAGE),
    "cursor": lambda query: by_cursor(ROWS, int, query, LIMIT),
    "odata": lambda query: by_odata(ROWS, query, 4),
}


@pytest.mark.parametrize(
    ("way", "query"),
    [
        ("offset", {"offset": "-1"}),
        ("offset", {"limit": "0"}),
        ("offset", {"limit": "²"}),
        ("number", {"page": "0"}),
        ("number", {"per_page": ""}),
        ("cursor", {"cursor": "nonsense"}),
        ("cursor", {"cursor": "InRleHQi"}),  # the text "text" where keys are numbers
        ("odata", {"$skiptoken": "WzEsICJ4Il0="}),  # [1, "x"]
        ("odata", {"$skiptoken": "WzFd"}),  # [1]
        ("odata", {"$skiptoken": "Wy0xLCA1XQ=="}),  # [-1, 5]
        ("odata", {"$skiptoken": "é"}),
        ("odata", {"$skip": "x"}),
        ("odata", {"$count": "yes"}),
    ],
)
def test_nonsense_is_a_400(way: str, query: Mapping[str, str]) -> None:
    with pytest.raises(Refusal) as refused:
        WAYS[way](query)
    assert refused.value.status == 400


class Time:
    """A clock that the test sets, in seconds of a day that is nearly over."""

    def __init__(self) -> None:
        self.secs = 0.0

    def __call__(self) -> dt.datetime:
        return dt.datetime(2026, 5, 1, 23, 58, tzinfo=dt.UTC) + dt.timedelta(seconds=self.secs)


def refusal(limits: Limits, account: str = "acme") -> tuple[object, str | None] | None:
    """Which limit refuses a call now, and how long it says to wait; None if it is let in."""
    try:
        with limits.entered(account):
            return None
    except Refusal as refused:
        return refused.more["limit"], refused.headers.get("Retry-After")


def test_a_minute_is_the_last_sixty_seconds_of_one_account() -> None:
    time = Time()
    limits = Limits(time, per_minute=2)
    seen = []
    for time.secs in (0.0, 40.5, 41.0, 59.9, 60.0, 61.0, 100.5):
        seen.append(refusal(limits))
    assert seen == [None, None, ("minute", "19"), ("minute", "1"), None, ("minute", "40"), None]
    assert refusal(limits, "other") is None
    assert limits.left("acme") == {"minute": 0}
    assert limits.left("other") == {"minute": 1}


def test_a_day_ends_at_midnight_utc() -> None:
    time = Time()
    limits = Limits(time, per_day=1, status=503)
    with limits.entered("throttled"), pytest.raises(Refusal) as refused, limits.entered("throttled"):
        pass
    assert refused.value.status == 503, "in the vendor's own form"
    assert [refusal(limits), refusal(limits)] == [None, ("day", "120")]
    time.secs = 120.0
    assert refusal(limits) is None


def test_calls_at_a_time_are_those_under_way_and_a_failed_one_is_over() -> None:
    limits = Limits(Time(), concurrent=1)
    with suppress(ValueError), limits.entered("acme"):
        assert refusal(limits) == ("concurrent", None)
        assert limits.left("acme") == {"concurrent": 0}
        raise ValueError("broken")
    assert refusal(limits) is None
