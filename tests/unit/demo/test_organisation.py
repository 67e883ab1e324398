"""The demo's year: the same in every run, and what the demo promises."""

from __future__ import annotations

from decimal import Decimal

from tieline.demo.organisation import MONTH_ENDS, SUPPLIES, Order, OrderedLine, demo_organisation


def lines() -> list[OrderedLine]:
    return [line for order in demo_organisation().orders for line in order.lines]


def test_it_is_the_same_in_every_run_and_another_for_another_seed() -> None:
    assert demo_organisation() == demo_organisation()
    assert demo_organisation(1) != demo_organisation(2)


def test_it_has_sixty_assets_from_three_beginnings() -> None:
    plan = demo_organisation()
    assert (len(plan.registered), len(plan.booked), len(plan.ordered)) == (30, 15, 15)
    assert plan.assets == 60
    marks = [thing.mark for thing in (*plan.registered, *plan.booked, *plan.ordered)]
    assert len(set(marks)) == 60


def test_each_unit_of_an_asset_line_is_a_thing_and_an_expense_is_none() -> None:
    for line in lines():
        assert len(line.things) == (0 if line.product == SUPPLIES else line.quantity)
        assert line.unit_price == line.unit_price.quantize(Decimal("0.01"))
    assert sum(line.product == SUPPLIES for line in lines()) == len(demo_organisation().orders)


def test_lines_and_orders_are_found_again_by_their_descriptions() -> None:
    def found_by(order: Order) -> list[OrderedLine]:
        return [line for line in lines() if line.description.startswith(order.mark)]

    descriptions = [line.description for line in lines()]
    assert len(set(descriptions)) == len(descriptions)
    assert all(found_by(order) == list(order.lines) for order in demo_organisation().orders)


def test_what_the_accountant_books_himself_is_alone_on_its_line() -> None:
    plan = demo_organisation()
    alone = {line.things[0].mark for line in lines() if len(line.things) == 1}
    assert len(plan.booked_from_order) == 5
    assert plan.booked_from_order <= alone


def test_disposals_come_after_every_posting_so_that_no_depreciation_lies_behind_them() -> None:
    plan = demo_organisation()
    assert len({disposal.thing for disposal in plan.disposals}) == 4
    assert all(disposal.day > MONTH_ENDS[-1] for disposal in plan.disposals)
    known = {thing.mark: thing for thing in plan.registered}
    assert all(known[disposal.thing].in_service < disposal.day for disposal in plan.disposals)


def test_work_orders_have_costs_and_a_registered_thing_each() -> None:
    plan = demo_organisation()
    assert len({work.description for work in plan.works}) == 20
    marks = {thing.mark for thing in plan.registered}
    assert all(work.thing in marks and work.costs for work in plan.works)
    assert all(amount > 0 for work in plan.works for _, _, amount in work.costs)
