"""What the demo's people have and do, drawn from one seed: the same in every run. Pure."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

SEED = 20260101
COMPANY, CURRENCY = "ACME", "EUR"
REGISTERED, BOOKED, ORDERED_UNITS, BOOKED_FROM_ORDER = 30, 15, 15, 5
WORK_ORDERS, DISPOSALS = 20, 4
MONTH_ENDS = (dt.date(2026, 1, 31), dt.date(2026, 2, 28), dt.date(2026, 3, 31))
FIRST_DISPOSAL = dt.date(2026, 4, 6)
COST_CENTRES = ("CC-100", "CC-200", "CC-300", "CC-400", "CC-500")
SITES = ("BER-HQ", "BER-LAB", "HAM-PORT", "MUC-PLANT", "MUC-STORE")
SUPPLIES = "SUPPLIES"  # an expense: must never become an asset


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of thing: its class, which is also the ERP's product, its supplier, names and price range in euros."""

    asset_class: str
    supplier: str
    names: Sequence[str]
    cheapest: int
    dearest: int


KINDS = (
    Kind("COMPUTER", "Blue River Computers", ("Workstation", "Server", "Laptop", "Plotter"), 900, 6_500),
    Kind("VEHICLE", "Harbour Vehicles", ("Forklift", "Van", "Tow tractor"), 14_000, 48_000),
    Kind("MACHINE", "Northwind Machines", ("Milling machine", "Air compressor", "Press", "Lathe"), 18_000, 140_000),
    Kind("FURNITURE", "Oak & Sons Furniture", ("Height-adjustable desk", "Shelving", "Meeting table"), 350, 2_800),
)


@dataclass(frozen=True, slots=True)
class Thing:
    """Something bought: ``mark`` identifies it across runs (a tag in asset management, a comment line in the ERP)."""

    mark: str
    name: str
    asset_class: str
    cost: Decimal
    bought: dt.date
    in_service: dt.date
    site: str
    cost_centre: str
    serial: str


@dataclass(frozen=True, slots=True)
class OrderedLine:
    """A line of a purchase order; ``things`` has one entry per unit, none for an expense."""

    product: str
    quantity: int
    unit_price: Decimal
    description: str
    things: Sequence[Thing]


@dataclass(frozen=True, slots=True)
class Order:
    """A purchase order; every line's description begins with ``mark``."""

    mark: str
    supplier: str
    day: dt.date
    lines: Sequence[OrderedLine]


@dataclass(frozen=True, slots=True)
class Work:
    """A completed work order on the registered thing with this mark; its description begins with ``mark``."""

    mark: str
    thing: str
    description: str
    costs: Sequence[tuple[str, str, Decimal]]
    day: dt.date


@dataclass(frozen=True, slots=True)
class Disposal:
    """How a registered thing leaves."""

    thing: str
    day: dt.date
    reason: str


@dataclass(frozen=True, slots=True)
class Organisation:
    """Everything the seed does. ``booked_from_order`` are marks of ordered things the accountant books himself."""

    registered: Sequence[Thing]
    booked: Sequence[Thing]
    orders: Sequence[Order]
    booked_from_order: frozenset[str]
    works: Sequence[Work]
    disposals: Sequence[Disposal]

    @property
    def ordered(self) -> Sequence[Thing]:
        """Every unit on an asset line of an order."""
        return [thing for order in self.orders for line in order.lines for thing in line.things]

    @property
    def assets(self) -> int:
        """Assets that both systems hold in the end."""
        return len(self.registered) + len(self.booked) + len(self.ordered)


def demo_organisation(seed: int = SEED) -> Organisation:
    """The organisation of this seed."""
    dice = random.Random(seed)  # noqa: S311  - reproducible data, no secrets
    registered = [_thing(dice, f"REG-{n:03d}", dice.choice(KINDS)) for n in range(1, REGISTERED + 1)]
    booked = [_thing(dice, f"ACC-{n:03d}", dice.choice(KINDS)) for n in range(1, BOOKED + 1)]
    orders = _orders(dice)
    # The invoice line tells one unit only: of the lines with one piece.
    single = [line.things[0].mark for order in orders for line in order.lines if len(line.things) == 1]
    return Organisation(
        registered=registered,
        booked=booked,
        orders=orders,
        booked_from_order=frozenset(dice.sample(single, BOOKED_FROM_ORDER)),
        works=[_work(dice, number, registered) for number in range(1, WORK_ORDERS + 1)],
        disposals=_disposals(dice, registered),
    )


def _thing(dice: random.Random, mark: str, kind: Kind, *, order_day: dt.date | None = None) -> Thing:
    bought = order_day or dt.date(2026, 1, 2) + dt.timedelta(days=dice.randrange(30))
    cost = Decimal(dice.randrange(kind.cheapest * 100, kind.dearest * 100)) / 100
    return Thing(
        mark=mark,
        name=f"{dice.choice(kind.names)} {mark}",
        asset_class=kind.asset_class,
        cost=cost,
        bought=bought,
        in_service=bought + dt.timedelta(days=dice.randrange(3, 30)),
        site=dice.choice(SITES),
        cost_centre=dice.choice(COST_CENTRES),
        serial=f"SN-{dice.randrange(10**8):08d}",
    )


def _orders(dice: random.Random) -> Sequence[Order]:
    orders: list[Order] = []
    unit = 0
    # Pieces per line: fifteen units altogether, seven lines of one piece.
    for number, pieces in enumerate(((1, 2), (1, 1), (3,), (1, 1, 2), (1, 1), (1,)), start=1):
        kind, day = dice.choice(KINDS), dt.date(2026, 1, 5) + dt.timedelta(days=7 * number)
        lines: list[OrderedLine] = []
        for place, quantity in enumerate(pieces, start=1):
            first = _thing(dice, f"ORD-{unit + 1:03d}", kind, order_day=day)
            others = [_thing(dice, f"ORD-{unit + more:03d}", kind, order_day=day) for more in range(2, quantity + 1)]
            unit += quantity
            things = [first, *others]
            text = f"PO-SEED-{number}.{place} {first.name.rsplit(' ', 1)[0]}"
            lines.append(OrderedLine(kind.asset_class, quantity, first.cost, text, things))
        expense = Decimal(dice.randrange(500, 9_000)) / 100
        text = f"PO-SEED-{number}.{len(lines) + 1} Delivery and small parts"
        lines.append(OrderedLine(SUPPLIES, dice.randrange(1, 6), expense, text, ()))
        orders.append(Order(f"PO-SEED-{number}.", kind.supplier, day, lines))
    return orders


def _work(dice: random.Random, number: int, things: Sequence[Thing]) -> Work:
    costs = [("labour", "Technician", Decimal(dice.randrange(4_000, 60_000)) / 100)]
    if dice.random() < 0.7:  # noqa: PLR2004  - most repairs need a part
        costs.append(("part", "Spare part", Decimal(dice.randrange(500, 250_000)) / 100))
    if dice.random() < 0.3:  # noqa: PLR2004  - some need somebody from outside
        costs.append(("service", "External specialist", Decimal(dice.randrange(10_000, 90_000)) / 100))
    mark = f"WO-SEED-{number:02d}"
    day = dt.date(2026, 3, 2) + dt.timedelta(days=dice.randrange(28))
    return Work(mark, dice.choice(things).mark, f"{mark} Inspection and repair", costs, day)


def _disposals(dice: random.Random, things: Sequence[Thing]) -> Sequence[Disposal]:
    reasons = ("sold", "scrapped", "donated", "scrapped")
    chosen = dice.sample([thing.mark for thing in things], DISPOSALS)
    return [
        Disposal(mark, FIRST_DISPOSAL + dt.timedelta(days=place), reasons[place]) for place, mark in enumerate(chosen)
    ]
