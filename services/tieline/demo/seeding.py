"""Loads the demo's year into the two systems, as their users would. A second run finds everything and adds nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from tieline.connectors.tryton.demo import Bought
from tieline.demo.organisation import (
    COMPANY,
    CURRENCY,
    MONTH_ENDS,
    Disposal,
    Order,
    Organisation,
    Thing,
    Work,
)
from tieline.demo.people import People
from tieline.demo.sight import Side, differences
from tieline.demo.watching import Watcher
from tieline.kernel.errors import Stop

Say = Callable[[str], None]


def seed(plan: Organisation, people: People, watcher: Watcher, say: Say) -> tuple[Side, Side]:
    """Do everything of ``plan`` that is not done yet; what both systems hold in the end.

    Blocks until the hub has carried it over. Raises ``Stop`` when it does not within the watcher's bound.
    """
    # The demo's Tryton keeps its books in SQLite, where two people who number something at the same moment may get the
    # same number. So the accountant waits with what Tryton numbers until the hub has nothing to write there.
    watcher.until_idle()
    say(f"ERP: {_book(plan.booked, people)} of {len(plan.booked)} assets booked")
    lines, placed = _order(plan.orders, people)
    say(f"ERP: {placed} of {len(plan.orders)} purchase orders approved, {len(plan.ordered)} units on asset lines")
    say(f"Asset management: {_register(plan.registered, people)} of {len(plan.registered)} assets registered")
    watcher.until("each ordered unit has a record", lambda am, _: _unit_records(lines, am, people))
    watcher.until("both systems hold the same assets", differences)
    booked, put = _book_ordered(plan, lines, people), _put_in_service(plan, lines, people)
    say(f"Asset management: {put} of {len(plan.ordered)} ordered units put in service")
    say(f"ERP: {booked} of {len(plan.booked_from_order)} of them booked by the accountant himself at the same moment")
    watcher.until("both systems hold the same assets", lambda am, erp: _complete(plan, am, erp))
    say(f"Asset management: {_work(plan.works, people)} of {len(plan.works)} work orders completed")
    watcher.until("every cost is posted", differences)
    for day in MONTH_ENDS:
        people.accountant.post_depreciation(day)
        say(f"ERP: depreciation posted up to {day}")
    watcher.until("asset management shows every posting", differences)
    say(f"Asset management: {_dispose(plan.disposals, people)} of {len(plan.disposals)} assets retired")
    watcher.until("the ERP has closed them", differences)
    watcher.until_idle()
    return watcher.until("both systems tell the same story", lambda am, erp: _complete(plan, am, erp))


def is_loaded(plan: Organisation, people: People) -> bool:
    """Whether an earlier run came to its last step, the disposals: what differs since then is for reconciliation."""
    assets = {asset["tag"]: asset for asset in people.manager.find_assets()}
    return all(assets.get(disposal.thing, {}).get("status") == "retired" for disposal in plan.disposals)


def _register(things: Sequence[Thing], people: People) -> int:
    known = {asset["tag"] for asset in people.manager.find_assets()}
    missing = [thing for thing in things if thing.mark not in known]
    for thing in missing:
        people.manager.create_asset(
            thing.name,
            tag=thing.mark,
            serial=thing.serial,
            site=thing.site,
            condition="good",
            status="in_use",
            category=thing.asset_class,
            company=COMPANY,
            cost_centre=thing.cost_centre,
            purchase_cost=format(thing.cost, "f"),
            currency=CURRENCY,
            purchase_date=thing.bought.isoformat(),
            in_service_date=thing.in_service.isoformat(),
        )
    return len(missing)


def _note(thing: Thing) -> str:
    """The accountant's own line in the comment; not one of the hub's keys, so the hub leaves it alone."""
    return f"Seeded as {thing.mark}"


def _booked(people: People) -> set[str]:
    return {line for asset in people.accountant.assets() for line in (asset["comment"] or "").splitlines()}


def _book(things: Sequence[Thing], people: People) -> int:
    known = _booked(people)
    missing = [thing for thing in things if _note(thing) not in known]
    for thing in missing:
        people.accountant.book(thing.asset_class, thing.cost, thing.in_service, _note(thing))
    return len(missing)


def _order(orders: Sequence[Order], people: People) -> tuple[Mapping[str, tuple[int, int]], int]:
    """Mark of each ordered unit to (purchase line, ordinal); and how many orders were new."""
    places: dict[str, tuple[int, int]] = {}
    placed = 0
    for order in orders:
        known = people.accountant.order_lines(order.mark)
        if not known:
            bought = [
                Bought(line.product, Decimal(line.quantity), line.unit_price, line.description) for line in order.lines
            ]
            number, _ = people.accountant.order(order.supplier, order.day, bought)
            people.accountant.approve(number)
            placed += 1
            known = people.accountant.order_lines(order.mark)
        elif known[0]["purchase."]["state"] in {"draft", "quotation"}:
            # An earlier run ended between the order and its approval.
            approve = (
                people.accountant.approve if known[0]["purchase."]["state"] == "draft" else people.accountant.confirm
            )
            approve(known[0]["purchase"])
        ids = {row["description"]: row["id"] for row in known}
        for line in order.lines:
            for ordinal, thing in enumerate(line.things, start=1):
                places[thing.mark] = (ids[line.description], ordinal)
    return places, placed


def _ref(people: People, place: tuple[int, int]) -> str:
    return f"{people.erp}/{place[0]}/{place[1]}"


def _unit_records(lines: Mapping[str, tuple[int, int]], am: Side, people: People) -> list[str]:
    refs = {fields.po_line_ref for fields in am.assets.values()}
    return [f"order unit {_ref(people, place)}" for place in lines.values() if _ref(people, place) not in refs]


def _book_ordered(plan: Organisation, lines: Mapping[str, tuple[int, int]], people: People) -> int:
    """What the accountant books from the supplier's invoice, before the hub can know that it is in use."""
    notes = _booked(people)
    booked = 0
    for order in plan.orders:
        for line in order.lines:
            for thing in line.things:
                if thing.mark in plan.booked_from_order and _note(thing) not in notes:
                    people.accountant.book(
                        thing.asset_class,
                        line.unit_price,
                        thing.in_service,
                        _note(thing),
                        purchase_line=lines[thing.mark][0],
                    )
                    booked += 1
    return booked


def _put_in_service(plan: Organisation, lines: Mapping[str, tuple[int, int]], people: People) -> int:
    put = 0
    for thing in plan.ordered:
        ref = _ref(people, lines[thing.mark])
        records = people.manager.find_assets(po_line_ref=ref)
        if len(records) != 1:
            raise Stop(f"order unit {ref} has {len(records)} records in asset management")
        # Further than this: an earlier run did it.
        if records[0]["status"] in {"ordered", "in_stock"}:
            people.manager.edit(
                records[0]["id"],
                status="in_use",
                in_service_date=thing.in_service.isoformat(),
                serial=thing.serial,
                site=thing.site,
                cost_centre=thing.cost_centre,
            )
            put += 1
    return put


def _work(works: Sequence[Work], people: People) -> int:
    manager = people.manager
    completed = {entry["object_id"] for entry in manager.journal(object="work_order", action="completed")}
    opened = manager.journal(object="work_order", action="opened")
    done = {entry["detail"]["description"] for entry in opened if entry["object_id"] in completed}
    ids = {asset["tag"]: asset["id"] for asset in manager.find_assets()}
    missing = [work for work in works if work.description not in done]
    for work in missing:
        manager.maintain(ids[work.thing], work.description, work.costs, work.day)
    return len(missing)


def _dispose(disposals: Sequence[Disposal], people: People) -> int:
    assets = {asset["tag"]: asset for asset in people.manager.find_assets()}
    missing = [disposal for disposal in disposals if assets[disposal.thing]["status"] != "retired"]
    for disposal in missing:
        people.manager.retire(assets[disposal.thing]["id"], disposal.day, disposal.reason)
    return len(missing)


def _complete(plan: Organisation, am: Side, erp: Side) -> list[str]:
    found = differences(am, erp)
    for who, side in (("asset management", am), ("the ERP", erp)):
        if len(side.assets) < plan.assets:
            found.append(f"{who} has {len(side.assets)} of {plan.assets} assets")
    return found
