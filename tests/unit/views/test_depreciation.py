"""Depreciation beside an asset's cost: what the ERP posted, per book."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal

from tieline.kernel.asset_records import AssetEvent, AssetFields
from tieline.kernel.book_records import DepreciationPosted
from tieline.kernel.vocabulary import Accepted, Model, Money
from tieline.views.batch import figures_of
from tieline.views.costs import as_json


def accepted(version: int) -> Accepted:
    return Accepted(
        version=version,
        origin_system="tryton",
        origin_native_id="1",
        effective_date=dt.date(2026, 1, 31),
        recorded_at=dt.datetime(2026, 1, 31, tzinfo=dt.UTC),
        changed_fields=(),
    )


def bought(amount: str, currency: str = "EUR") -> AssetEvent:
    fields = AssetFields(acquisition_cost=Money(amount=Decimal(amount), currency=currency))
    return AssetEvent(asset_id="a1", accepted=accepted(1), fields=fields, links={})


def depreciated(
    amount: str,
    *,
    accumulated: str,
    left: str,
    month: int = 1,
    version: int = 1,
    book: str = "main",
    currency: str = "EUR",
    document: str | None = None,
) -> DepreciationPosted:
    return DepreciationPosted(
        asset_id="a1",
        book_id=book,
        accepted=accepted(version),
        amount=Money(amount=Decimal(amount), currency=currency),
        accumulated_after=Decimal(accumulated),
        net_book_value_after=Decimal(left),
        scheduled_date=dt.date(2026, month, 28),
        document=document,
    )


def shown(*events: Model) -> dict[str, object]:
    cost = figures_of(events).costs.of("a1")
    assert cost is not None
    return as_json(cost)


JANUARY = depreciated("8.34", accumulated="8.34", left="91.66")
FEBRUARY = depreciated("8.33", accumulated="16.67", left="83.33", month=2, version=2)
BOTH = {"main": {"postings": 2, "posted": {"EUR": "16.67"}, "net_book_value": {"EUR": "83.33"}, "as_of": "2026-02-28"}}


def test_depreciation_stands_beside_the_total_and_is_not_counted_twice() -> None:
    found = shown(bought("100"), JANUARY, FEBRUARY)
    assert found["depreciation"] == BOTH
    assert found["total_cost_of_ownership"] == {"EUR": "100.00"}


def test_postings_read_twice_and_in_any_order_give_the_same() -> None:
    events = [JANUARY, FEBRUARY, JANUARY, FEBRUARY, bought("100")]
    for seed in range(20):
        random.Random(seed).shuffle(events)  # noqa: S311  - no secret
        assert shown(*events)["depreciation"] == BOTH


def test_a_reversal_is_a_posting_that_takes_the_amount_back() -> None:
    back = depreciated("-8.33", accumulated="8.34", left="91.66", month=3, version=3)
    assert shown(JANUARY, FEBRUARY, back)["depreciation"] == {
        "main": {"postings": 3, "posted": {"EUR": "8.34"}, "net_book_value": {"EUR": "91.66"}, "as_of": "2026-03-28"}
    }


def test_t01_two_postings_of_one_day_and_amount_are_two() -> None:
    first = depreciated("5", accumulated="5", left="95")
    second = depreciated("5", accumulated="10", left="90")
    for events in ((first, second), (second, first)):
        assert shown(*events)["depreciation"] == {
            "main": {
                "postings": 2,
                "posted": {"EUR": "10.00"},
                "net_book_value": {"EUR": "90.00"},
                "as_of": "2026-01-28",
            }
        }


def test_a_posting_made_good_on_the_day_it_was_taken_back_counts_again() -> None:
    first = depreciated("5", accumulated="5", left="95", version=1)
    back = depreciated("-5", accumulated="0", left="100", version=2)
    again = depreciated("5", accumulated="5", left="95", version=3)
    assert shown(first, back)["depreciation"] == {
        "main": {"postings": 2, "posted": {"EUR": "0.00"}, "net_book_value": {"EUR": "100.00"}, "as_of": "2026-01-28"}
    }
    assert shown(first, back, again)["depreciation"] == {
        "main": {"postings": 3, "posted": {"EUR": "5.00"}, "net_book_value": {"EUR": "95.00"}, "as_of": "2026-01-28"}
    }


def test_books_are_valuations_of_the_same_thing_and_stay_apart() -> None:
    tax = depreciated("10.0001", accumulated="10.0001", left="99.9999", book="tax", currency="USD")
    assert shown(JANUARY, tax)["depreciation"] == {
        "main": {"postings": 1, "posted": {"EUR": "8.34"}, "net_book_value": {"EUR": "91.66"}, "as_of": "2026-01-28"},
        "tax": {
            "postings": 1,
            "posted": {"USD": "10.0001"},
            "net_book_value": {"USD": "99.9999"},
            "as_of": "2026-01-28",
        },
    }


def test_an_asset_known_by_its_postings_alone_is_on_a_page() -> None:
    found, _ = figures_of([JANUARY]).costs.page(after="", limit=10)
    assert [cost.asset_id for cost in found] == ["a1"]
