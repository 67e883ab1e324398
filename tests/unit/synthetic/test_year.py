"""A small organisation through identify, accept and route: the hub holds what the labels say by construction."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

import pytest
import yaml
from tests.parts.organisation import OFTEN
from tests.unit.processors.bench import Hub

from tieline.kernel.landscape import Landscape
from tieline.kernel.memory import XRef
from tieline.kernel.model import AssetReport, CostReport, ProposalStatus
from tieline.kernel.records import Typed
from tieline.synthetic.checking import differences
from tieline.synthetic.estate import landscape_text
from tieline.synthetic.gathering import Gathered
from tieline.synthetic.labels import AssetLabel, BookLabel, CostLabel, Label, OrderLabel, Summary
from tieline.synthetic.shape import COMPANIES, ERP, WORKS, Kind, Shape
from tieline.synthetic.totals import summarise
from tieline.synthetic.year import Arrival, Year, key_of, make_year, outbound

SHAPE = Shape(assets=60, seed=2, months=6, rates=OFTEN)
TOLD, MESSY = Arrival(), Arrival(order="shuffled", duplicates_percent=20, mint="/again")


@dataclass
class Played:
    """A year and the hub that heard it."""

    year: Year
    labels: list[Label]
    summary: Summary
    hub: Hub

    def play(self, arrival: Arrival) -> None:
        chapter = None
        for told in self.year.reports(arrival):
            if told.chapter != chapter:
                self.hub.rest()
                chapter = told.chapter
            self.hub.publish(told.report)
        self.hub.rest()

    def events(self) -> Counter[str]:
        names = (out.value.name for out in self.hub.written if ".event." in out.topic and isinstance(out.value, Typed))
        return Counter(names)

    def differences(self, labels: list[Label] | None = None) -> list[str]:
        found = Gathered()
        for out in self.hub.written:
            if isinstance(out.value, Typed) or out.value is None:
                found.take(out.topic, str(out.key), out.value)
        return list(differences(labels or self.labels, self.summary, found))


def played(*arrivals: Arrival, shape: Shape = SHAPE) -> Played:
    year = make_year(shape)
    labels = list(year.labels())
    hub = Hub(Landscape.model_validate(yaml.safe_load(landscape_text())))
    found = Played(year, labels, summarise(year, labels, 0), hub)
    for arrival in arrivals:
        found.play(arrival)
    return found


@pytest.fixture(scope="module")
def told() -> Played:
    return played(TOLD)


def test_the_hub_holds_what_the_labels_say(told: Played) -> None:
    assert told.hub.dead == []
    assert told.differences() == []


def test_t02_the_same_year_again_adds_no_event(told: Played) -> None:
    again = played(TOLD)
    before = again.events()
    assert before == told.events()
    again.play(Arrival(mint="/again"))
    assert again.events() - before == Counter()
    assert again.differences() == []


def test_a_shuffled_year_with_a_fifth_of_it_twice_ends_the_same() -> None:
    messy = played(MESSY)
    assert messy.hub.dead == []
    assert messy.differences() == []


@pytest.mark.parametrize("times", [4, 1])
def test_books_told_by_quarter_or_year_post_every_month(times: int) -> None:
    seldom = played(TOLD, shape=Shape(assets=20, seed=3, months=6, rates=OFTEN, book_reports_a_year=times))
    assert seldom.differences() == []


def test_t01_identical_assets_stay_as_many_as_there_are(told: Played) -> None:
    chairs = [one for one in told.labels if isinstance(one, AssetLabel) and one.fields.description == "Chair"]
    assert len(chairs) > 3
    rows = told.hub.rows(XRef)
    ids = {rows[f"{ERP}/asset/{one.links[ERP]}"].canonical_id for one in chairs}
    assert len(ids) == len(chairs)


def test_the_year_has_everything_it_promises(told: Played) -> None:
    """An empty year would tie as well."""
    costs = Counter(one.status for one in told.labels if isinstance(one, CostLabel))
    assert min(costs["posted"], costs["duplicate"], costs["held"]) > 0
    assert any(one.posting_date for one in told.labels if isinstance(one, CostLabel))
    units = Counter(unit.status for one in told.labels if isinstance(one, OrderLabel) for unit in one.units)
    wanted = {ProposalStatus.CAPITALISED, ProposalStatus.LOW_VALUE, ProposalStatus.EXPENSED, ProposalStatus.REVERSED}
    assert set(units) == wanted
    conflicts = [two for one in told.labels if isinstance(one, AssetLabel) for two in one.conflicts]
    assert {one.system for one in conflicts} == {ERP, WORKS}
    names = {name for name, count in told.summary.events.items() if count}
    assert {"AssetDisposed", "AssetMoved", "CostReversed", "InvoiceReversed", "GoodsReceiptReversed"} <= names
    assert {one.currency for one in told.labels if isinstance(one, BookLabel)} == {"EUR", "USD", "JPY"}


def test_t18_the_two_books_of_an_asset_differ(told: Played) -> None:
    values: dict[str, set[Decimal]] = {}
    for one in told.labels:
        if isinstance(one, BookLabel) and one.posted_count:
            values.setdefault(one.asset_native_id, set()).add(one.net_book_value)
    assert sum(len(found) == 2 for found in values.values()) > len(values) / 2


def test_yen_have_no_decimals(told: Played) -> None:
    yen = [one.accumulated for one in told.labels if isinstance(one, BookLabel) and one.currency == "JPY"]
    assert yen
    assert all(amount == amount.to_integral_value() for amount in yen)


def test_t11_periods_are_those_of_each_companys_calendar() -> None:
    german, american, japanese = COMPANIES
    assert german.period(1).name == "2026-001"
    assert american.period(1).name == "2025-010"
    assert american.period(4).name == "2026-001"
    assert str(japanese.period(1).first) == "2025-12-28"
    assert str(japanese.period(3).last) == "2026-03-28"  # four, four and five weeks
    assert str(japanese.period(12).last) == "2026-12-26"


def test_the_same_shape_tells_the_same_year() -> None:
    year, again = make_year(SHAPE), make_year(SHAPE)
    assert list(year.reports(MESSY)) == list(again.reports(MESSY))
    assert list(year.labels()) == list(again.labels())
    other = make_year(Shape(assets=60, seed=3, months=6, rates=OFTEN))
    assert list(other.labels()) != list(year.labels())


def test_a_shuffled_year_keeps_each_keys_order() -> None:
    year = make_year(SHAPE)
    plain = Arrival(duplicates_percent=0)
    shuffled = Arrival(order="shuffled", duplicates_percent=0)
    told, mixed = ([one.report for one in year.reports(arrival)] for arrival in (plain, shuffled))
    assert told != mixed
    by_key: tuple[dict[str, list[object]], dict[str, list[object]]] = ({}, {})
    for place, reports in enumerate((told, mixed)):
        for report in reports:
            by_key[place].setdefault(key_of(report), []).append(report)
    assert by_key[0] == by_key[1]


def test_event_ids_are_minted_anew_on_another_extract() -> None:
    report = next(one.report for one in make_year(SHAPE).reports() if isinstance(one.report, AssetReport))
    assert outbound(report).headers == outbound(report).headers
    assert outbound(report).headers["ce_id"] != outbound(report, "/again").headers["ce_id"]


def test_late_documents_come_while_their_period_is_closed() -> None:
    year = make_year(SHAPE)
    gaps = {one.chapter.month for one in year.reports() if one.chapter.kind is Kind.GAP}
    assert gaps <= {3, 6}
    for told in year.reports():
        if isinstance(told.report, CostReport) and told.chapter.kind is Kind.GAP:
            company = next(one for one in COMPANIES if one.code == told.report.fields.company)
            assert told.report.fields.effective_date <= company.period(told.chapter.month).last


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        (AssetLabel, {"links": {ERP: "FA-999999"}}, "is not there"),
        (BookLabel, {"accumulated": Decimal("0.01")}, "book"),
        (CostLabel, {"status": "held"}, "cost"),
        (OrderLabel, {"closed": None}, "order"),
    ],
)
def test_a_wrong_label_is_a_difference(told: Played, kind: type[Label], change: dict[str, object], said: str) -> None:
    labels = list(told.labels)
    place = next(n for n, one in enumerate(labels) if isinstance(one, kind))
    labels[place] = labels[place].model_copy(update=change)
    assert any(said in line for line in told.differences(labels))


def test_a_cent_too_much_is_a_difference(told: Played) -> None:
    first = told.summary.totals[0]
    totals = (first.model_copy(update={"total": first.total + Decimal("0.01")}), *told.summary.totals[1:])
    summary, told.summary = told.summary, told.summary.model_copy(update={"totals": totals})
    found = told.differences()
    told.summary = summary
    assert found == [line for line in found if line.startswith("sum of")] != []


def test_a_missing_event_is_a_difference(told: Played) -> None:
    events = told.summary.events | {"CostPosted": told.summary.events["CostPosted"] + 1}
    summary, told.summary = told.summary, told.summary.model_copy(update={"events": events})
    found = told.differences()
    told.summary = summary
    assert len(found) == 1
    assert "CostPosted" in found[0]
