"""Assets as they are drawn: what each is, how its two records are told to be one, and what happens to it when."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tieline.synthetic.estate import CLASSES
from tieline.synthetic.shape import COMPANIES, SHARES, Company, Shape


class Fate(StrEnum):
    """What happens to an asset in a month; at most one thing does."""

    MOVE = "move"
    SWAPPED = "swapped"  # two moves, and the report of the first comes after that of the second
    DISPOSAL = "disposal"
    LATE_DISPOSAL = "late-disposal"  # told only when its period is closed
    REINSTATED = "reinstated"  # disposed of, closed in the books a month later, and taken back the month after (T22)
    REVALUATION = "revaluation"
    IMPAIRMENT = "impairment"
    ADJUSTMENT = "adjustment"
    EDIT = "edit"  # a foreign edit, which stays: nothing more is told of the asset


LAST = frozenset({Fate.DISPOSAL, Fate.REINSTATED, Fate.LATE_DISPOSAL, Fate.EDIT})
"""After these nothing more happens to an asset."""


class Link(StrEnum):
    """By which number the two records are one thing."""

    SERIAL = "serial"
    NUMBER = "number"  # the works carry the ERP's number
    TAG = "tag"  # the ERP carries the works' number
    ORDER = "order"  # both carry the order line


class Method(StrEnum):
    """Depreciation method, as in the canonical model."""

    SL = "SL"
    DB_SWITCH_SL = "DB_SWITCH_SL"
    MACRS = "MACRS"
    UOP = "UOP"
    LOW_VALUE = "LOW_VALUE"
    NONE = "NONE"


_METHODS = ((Method.SL, 55), (Method.DB_SWITCH_SL, 20), (Method.MACRS, 10), (Method.UOP, 5), (Method.LOW_VALUE, 5))
_PERCENT = 100
_BODY, _TAIL = (8.2, 0.9), (11.0, 1.2)  # log-normal (mean, deviation) of the cost in main units; 4 % are of the tail
_TAIL_SHARE = 0.04


@dataclass(frozen=True, slots=True)
class Thing:
    """One asset. Amounts in minor units of its company's currency; ``start`` is the first month it is told of.

    ``age`` is the number of months it was depreciated before the year. What was bought in the year has the order line
    (``system/line id/unit``) and the day of its receipt.
    """

    name: str
    company: Company
    class_name: str
    number: str
    link: Link
    identical: bool
    cost: int
    method: Method
    life: int
    age: int
    start: int
    fates: tuple[tuple[int, Fate], ...]
    po_line_ref: str | None = None
    acquired_on: dt.date | None = None

    @property
    def erp_id(self) -> str:
        """Native id in the ERP."""
        return f"FA-{self.name}"

    @property
    def works_id(self) -> str:
        """Native id in asset management."""
        return f"EQ-{self.name}"


def opening_things(shape: Shape) -> Iterator[Thing]:
    """The assets there are when the year begins."""
    return (_opening(shape, index) for index in range(shape.assets))


def company_of(index: int) -> tuple[Company, int]:
    """Company of the n-th asset, and its place among that company's: companies number alike."""
    tens = [share // 10 for share in SHARES]
    first = 0
    for company, count in zip(COMPANIES, tens, strict=True):
        if index % 10 < first + count:
            return company, index // 10 * count + index % 10 - first
        first += count
    raise AssertionError("the shares are 100 percent")


def _opening(shape: Shape, index: int) -> Thing:
    dice = shape.dice("asset", index)
    company, place = company_of(index)
    identical = dice.random() < shape.rates.identical
    link = Link.NUMBER if identical else dice.choices((Link.SERIAL, Link.NUMBER, Link.TAG), (55, 25, 20))[0]
    mean, deviation = _TAIL if dice.random() < _TAIL_SHARE else _BODY
    main_units = 1_500 if identical else min(int(dice.lognormvariate(mean, deviation)) + 50, 50_000_000)
    method = _method(dice.randrange(_PERCENT))
    life = dice.choice((36, 60, 84, 120))
    return Thing(
        name=f"{index:06}",
        company=company,
        class_name="FURNITURE" if identical else dice.choice(CLASSES),
        number=f"{place:06}",
        link=link,
        identical=identical,
        cost=main_units * 10**company.digits * (100 if company.currency == "JPY" else 1),
        method=method,
        life=life,
        age=dice.randrange(1, life),
        start=1,
        fates=fates(shape, ("fates", index), 1),
    )


def _method(percent: int) -> Method:
    for method, share in _METHODS:
        if percent < share:
            return method
        percent -= share
    return Method.NONE


def fates(shape: Shape, name: tuple[object, ...], first_month: int) -> tuple[tuple[int, Fate], ...]:
    """Months and what happens in them, from ``first_month`` on; nothing after the asset has left or was edited."""
    dice, rates = shape.dice(*name), shape.rates
    odds = (
        (Fate.MOVE, rates.move),
        (Fate.SWAPPED, rates.out_of_order),
        (Fate.DISPOSAL, rates.disposal * (1 - rates.late) * (1 - rates.reinstatement)),
        (Fate.REINSTATED, rates.disposal * (1 - rates.late) * rates.reinstatement),
        (Fate.LATE_DISPOSAL, rates.disposal * rates.late),
        (Fate.REVALUATION, rates.revaluation / 2),
        (Fate.IMPAIRMENT, rates.revaluation / 2),
        (Fate.ADJUSTMENT, rates.adjustment),
        (Fate.EDIT, rates.conflict),
    )
    found: list[tuple[int, Fate]] = []
    for month in range(first_month, shape.months + 1):
        drawn = dice.random()
        for fate, odd in odds:
            if drawn < odd:
                found.append((month, fate))
                break
            drawn -= odd
        if found and found[-1][1] in LAST:
            break
    return tuple(found)
