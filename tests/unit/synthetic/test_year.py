"""A small organisation through identify, accept and route: the hub holds what the labels say by construction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

import pytest
import yaml
from tests.parts.organisation import OFTEN
from tests.unit.processors.bench import Hub

from tieline.kernel.asset_records import AssetReport, AssetState, FinancialStatus, PhysicalStatus
from tieline.kernel.book_records import BookState
from tieline.kernel.cost_records import CostReport, CostState
from tieline.kernel.landscape import Landscape
from tieline.kernel.memory import Conflict, XRef
from tieline.kernel.movement_records import MovementKind, MovementReport, MovementState, RollForward
from tieline.kernel.order_records import ApprovalStatus, InvoiceState, OrderState, ProposalStatus, ProposedAsset
from tieline.kernel.period_records import PeriodEvent
from tieline.kernel.records import Typed
from tieline.kernel.reports import Report
from tieline.synthetic.assets import book_reopens, words
from tieline.synthetic.checking import differences
from tieline.synthetic.estate import landscape_text
from tieline.synthetic.gathering import Gathered
from tieline.synthetic.labels import AssetLabel, BookLabel, CostLabel, Label, OrderLabel, Summary
from tieline.synthetic.orders import Billing, Delivery, Terms, orders_of, units_of
from tieline.synthetic.shape import COMPANIES, ERP, REOPENS, WORKS, Kind, Shape
from tieline.synthetic.totals import summarise
from tieline.synthetic.year import Arrival, Year, key_of, make_year, outbound

SHAPE = Shape(assets=60, seed=13, months=6, rates=OFTEN)
TOLD, MESSY = Arrival(), Arrival(order="shuffled", duplicates_percent=20, mint="/again")


@dataclass
class Played:
    """A year and the hub that heard it."""

    year: Year
    labels: list[Label]
    summary: Summary
    hub: Hub

    def play_all(self, reports: Iterable[Report]) -> None:
        """One after the other, each to its end."""
        for report in reports:
            self.hub.publish(report)
            self.hub.rest()

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
    assert set(units) == wanted | {ProposalStatus.NEW}
    # Goods that the invoice alone values, returned in the month in which a wrong invoice for them is reversed.
    assert [
        order
        for month in range(1, SHAPE.months - 1)
        for order in orders_of(SHAPE, month)
        if (order.terms, order.delivery, order.billing) == (Terms.INVOICE_VALUED, Delivery.RETURNED, Billing.CORRECTED)
        and any(unit.status for unit in units_of(order, SHAPE.months))
    ]
    conflicts = [two for one in told.labels if isinstance(one, AssetLabel) for two in one.conflicts]
    assert {one.system for one in conflicts} == {ERP, WORKS}
    names = {name for name, count in told.summary.events.items() if count}
    assert {"AssetDisposed", "AssetMoved", "CostReversed", "InvoiceReversed", "GoodsReceiptReversed"} <= names
    assert {"DisposalPosted", "DisposalReversed", "AssetRevalued", "AssetImpaired", "BookCostAdjusted"} <= names
    assert {one.currency for one in told.labels if isinstance(one, BookLabel)} == {"EUR", "USD", "JPY"}


def test_t18_the_two_books_of_an_asset_differ(told: Played) -> None:
    values: dict[str, set[Decimal]] = {}
    for one in told.labels:
        if isinstance(one, BookLabel) and one.posted_count:
            values.setdefault(one.asset_native_id, set()).add(one.net_book_value)
    assert sum(len(found) == 2 for found in values.values()) > len(values) / 2


def test_t22_a_disposal_taken_back_leaves_the_asset_in_use_and_in_the_books(told: Played) -> None:
    things = [one for one in told.year.things if book_reopens(SHAPE, one) is not None and one.cost > 20]
    assert things
    links, states = told.hub.rows(XRef), told.hub.rows(AssetState)
    for thing in things:
        asset_id = links[f"{ERP}/asset/{thing.erp_id}"].canonical_id
        fields = states[asset_id].fields
        assert (fields.physical_status, fields.financial_status) == (PhysicalStatus.IN_SERVICE, FinancialStatus.RUNNING)
        assert (fields.disposal_date, fields.disposal_kind) == (None, None)
        books = [row for key, row in told.hub.rows(BookState).items() if key.startswith(f"{asset_id}|")]
        assert [row.fields.gross_cost >= thing.company.amount(thing.cost) for row in books] == [True, True]
        # What was posted on each book comes to nothing: it left, and it is back.
        posted = [row.fields for row in told.hub.rows(MovementState).values() if row.asset_id == asset_id]
        left = [one for one in posted if one.kind is MovementKind.DISPOSAL]
        back = [one for one in posted if one.kind is MovementKind.DISPOSAL_REVERSAL]
        assert len(left) == len(back) == 2
        assert sum(one.cost_change for one in (*left, *back)) == 0
        assert sum(one.accumulated_change for one in (*left, *back)) == 0


def test_every_change_of_a_book_has_its_document(told: Played) -> None:
    kinds = {row.fields.kind for row in told.hub.rows(MovementState).values()}
    assert kinds == {
        MovementKind.ACQUISITION_ADJUSTMENT,
        MovementKind.REVALUATION,
        MovementKind.IMPAIRMENT,
        MovementKind.DISPOSAL,
        MovementKind.DISPOSAL_REVERSAL,
    }
    assert [row.field for row in told.hub.rows(Conflict).values() if row.field.startswith("roll_forward")] == []
    rows = told.hub.rows(RollForward).values()
    assert not any(row.unexplained_cost or row.unexplained_accumulated for row in rows)
    assert any(row.movements_cost for row in rows)


def test_a_change_without_its_document_is_a_difference() -> None:
    shape = Shape(assets=20, seed=2, months=3, rates=OFTEN)
    year = make_year(shape)
    labels, hub = list(year.labels()), Hub(Landscape.model_validate(yaml.safe_load(landscape_text())))
    silent = Played(year, labels, summarise(year, labels, 0), hub)
    told = [one.report for one in year.reports(TOLD)]
    # One of the last month: by then the book was told before, so that its opening does not have the change already.
    lost = [one for one in told if isinstance(one, MovementReport) and one.fields.cost_change][-1]
    silent.play_all(report for report in told if report != lost)
    found = silent.differences()
    book = f"book {lost.fields.book_id} of {lost.fields.asset_native_id}"
    assert [line for line in found if line.startswith(f"{book}: no movement explains")]
    assert [line for line in found if line.endswith("conflicts of books, not 0")]


def test_t36_a_framework_order_buys_nothing(told: Played) -> None:
    orders = [one for one in told.labels if isinstance(one, OrderLabel) and one.blanket]
    assert any(one.receipts and one.invoices for one in orders)
    rows = {row.fields.po_number: row for row in told.hub.rows(OrderState).values()}
    lines = {line.line_id for one in orders for line in rows[one.native_id].fields.lines if line.asset_class}
    assert lines
    assert {row.line_id for row in told.hub.rows(ProposedAsset).values()} & lines == set()
    refs = {row.fields.po_line_ref for row in told.hub.rows(AssetState).values()} - {None}
    assert [ref for ref in refs if str(ref).split("/")[1] in lines] == []


def test_t36_a_cancelled_order_keeps_what_was_on_order_and_brings_nothing_into_the_books(told: Played) -> None:
    orders = [one for one in told.labels if isinstance(one, OrderLabel) and one.cancelled]
    assert orders
    rows = {row.fields.po_number: row for row in told.hub.rows(OrderState).values()}
    for order in orders:
        row = rows[order.native_id]
        assert row.fields.approval_status is ApprovalStatus.CANCELLED
        assert (order.receipts, order.invoices, order.units) == (0, 0, ())
        assert [one for one in told.hub.rows(ProposedAsset).values() if one.po_id == row.po_id] == []


def test_t08_what_the_invoice_values_has_no_cost_before_it(told: Played) -> None:
    rows = {row.fields.po_number: row for row in told.hub.rows(OrderState).values()}
    valued = {line.line_id for row in rows.values() for line in row.fields.lines if not line.gr_valuated}
    found = [row for row in told.hub.rows(ProposedAsset).values() if row.line_id in valued]
    waiting = [row for row in found if row.status is ProposalStatus.NEW]
    assert waiting
    assert {row.cost for row in waiting} == {None}
    invoiced = {row.po_id for row in told.hub.rows(InvoiceState).values()}
    assert {row.po_id for row in waiting} & invoiced == set()
    assert {row.po_id for row in found if row.cost is not None} <= invoiced


def test_t10_a_period_that_opens_once_more_takes_what_waited_for_it_by_its_own_date(told: Played) -> None:
    last = REOPENS.period(SHAPE.months)
    own = [one for one in told.labels if isinstance(one, CostLabel) and one.native_id.endswith("-L")]
    released = [one for one in own if one.company == REOPENS.code and one.posting_period == last.name]
    rows = {row.origin_native_id: row for row in told.hub.rows(CostState).values()}
    late = [one for one in released if one.posting_date is None]
    assert late
    for one in late:
        assert last.first <= rows[one.native_id].fields.effective_date <= last.last
        assert rows[one.native_id].posting_date is None
    assert {one.company for one in own if one.status == "held"} == {one.code for one in COMPANIES} - {REOPENS.code}
    [event] = [
        out.value.body
        for out in told.hub.written
        if isinstance(out.value, Typed) and out.value.name == "PeriodReopened"
    ]
    assert isinstance(event, PeriodEvent)
    # Who opened it, and why, stands in the event.
    assert (event.fields.changed_by, event.fields.reason) == ("u-0002", "late documents of the year's end")


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


def test_a_second_move_that_leads_back_is_no_move() -> None:
    shape = Shape(assets=5, seed=1, months=12)
    registered, placed, back, away = words(shape, make_year(shape).things[4])
    assert (registered.system, away.stale) == (ERP, True)
    assert placed.says["location"] == back.says["location"] != away.says["location"]
    # The hub has not heard of the first move when it hears of the second: only the custodian is another one.
    assert back.events == ("AssetAssigned",)


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
