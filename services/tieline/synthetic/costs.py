"""Costs of work orders: posted, late for their period, come by two paths, or reversed."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from tieline.kernel.cost_records import CostFields, CostKind, CostLine, CostReport
from tieline.kernel.vocabulary import Origin
from tieline.synthetic.assets import CENTRES
from tieline.synthetic.labels import CostLabel
from tieline.synthetic.orders import Billing, orders_of
from tieline.synthetic.shape import ERP, REOPENS, WORKS, Chapter, Company, Kind, Shape, instant
from tieline.synthetic.things import company_of

_Lines = tuple[tuple[CostKind, int, str | None], ...]
"""Kind, amount and what it stems from."""
_KINDS = (CostKind.LABOUR, CostKind.PART, CostKind.SERVICE, CostKind.TOOL, CostKind.OTHER)
_WITHOUT_ASSET = 0.1
_INVOICED = frozenset({Billing.EXACT, Billing.DIFFERENCE, Billing.CREDIT})


@dataclass(frozen=True, slots=True)
class Cost:
    """One cost document, its amounts in minor units, and what must become of it.

    ``posts_in``: the month whose first day it posts on, where its own period was closed when it came.
    """

    native_id: str
    company: Company
    asset: str | None
    centre: str
    chapter: Chapter
    month: int
    on: dt.date
    recorded_at: dt.datetime
    lines: _Lines
    status: Literal["posted", "duplicate", "held"] = "posted"
    posts_in: int | None = None
    reversal_of: str | None = None


def costs_of(shape: Shape, month: int) -> Iterator[Cost]:
    """The documents that stem from a month's work orders: told in that month or in the next."""
    if not 1 <= month <= shape.months:
        return
    for place in range(round(shape.assets * shape.rates.costs_a_month)):
        yield from _documents(shape, month, place)
    yield from _invoiced_too(shape, month)


def cost_reports(shape: Shape, chapter: Chapter) -> Iterator[CostReport]:
    """What asset management says of costs in a chapter."""
    if chapter.kind not in {Kind.TRADE, Kind.GAP}:
        return
    for month in (chapter.month - 1, chapter.month):
        yield from (_report(cost) for cost in costs_of(shape, month) if cost.chapter == chapter)


def cost_label(cost: Cost) -> CostLabel:
    """What must have become of the document at the end."""
    company = cost.company
    period = company.period(cost.posts_in or cost.month)
    return CostLabel(
        native_id=cost.native_id,
        company=company.code,
        currency=company.currency,
        total=company.amount(sum(amount for _, amount, _ in cost.lines)),
        status=cost.status,
        posting_date=period.first if cost.posts_in and cost.status == "posted" else None,
        posting_period=period.name if cost.status == "posted" else None,
    )


def _documents(shape: Shape, month: int, place: int) -> Iterator[Cost]:
    dice, rates = shape.dice("cost", month, place), shape.rates
    index = dice.randrange(shape.assets)
    company, _ = company_of(index)
    day = company.period(month).day(dice)
    native_id = f"WO-{month:02}-{place:05}"
    asset = None if dice.random() < _WITHOUT_ASSET else f"EQ-{index:06}"
    lines: _Lines = tuple(_line(dice, native_id, number) for number in range(1, dice.choice((1, 2, 3, 4, 5, 6)) + 1))
    drawn = dice.random()
    first = Cost(
        native_id=native_id,
        company=company,
        asset=asset,
        centre=f"CC{dice.randrange(CENTRES):04}",
        chapter=Chapter(month, Kind.TRADE),
        month=month,
        on=day,
        recorded_at=instant(day, 15),
        lines=lines,
    )
    if drawn < rates.late:
        yield _late(shape, first, in_gap=dice.random() < 1 / 2)
        return
    yield first
    if month == shape.months:
        return
    drawn -= rates.late
    if drawn < rates.twice:
        lines = ((CostKind.PART, 5_000, lines[0][2]), (CostKind.LABOUR, 700, None))
        yield replace(_next_month(first, dice), native_id=f"{native_id}-B", lines=lines, status="duplicate")
    elif drawn < rates.twice + rates.reversal:
        lines = tuple((kind, -amount, None) for kind, amount, _ in lines)
        reversal = _next_month(first, dice)
        yield replace(reversal, native_id=f"{native_id}-R", lines=lines, reversal_of=native_id)


def _line(dice: random.Random, native_id: str, number: int) -> tuple[CostKind, int, str | None]:
    amount = dice.randrange(500, 90_000)
    if dice.random() < 1 / 20:
        amount = -amount  # a credit
    return dice.choice(_KINDS), amount, f"{WORKS}/stock-issue/{native_id}-{number}" if number == 1 else None


def _late(shape: Shape, cost: Cost, *, in_gap: bool) -> Cost:
    """Told when its period is closed: while nothing is open, or in the next month.

    In the last month it waits; where the period opens once more it posts there, by its own date.
    """
    month, company, is_last = cost.month, cost.company, cost.month == shape.months
    late = replace(cost, native_id=f"{cost.native_id}-L", posts_in=None if is_last else month + 1)
    if is_last or (in_gap and shape.has_gap(month)):
        at = instant(company.period(month).last, 21)
        status: Literal["posted", "held"] = "held" if is_last and company is not REOPENS else "posted"
        return replace(late, chapter=Chapter(month, Kind.GAP), recorded_at=at, status=status)
    at = instant(company.period(month + 1).first, 10)
    return replace(late, chapter=Chapter(month + 1, Kind.TRADE), recorded_at=at)


def _next_month(cost: Cost, dice: random.Random) -> Cost:
    """The same a month later."""
    month = cost.month + 1
    day = cost.company.period(month).day(dice)
    return replace(cost, month=month, on=day, chapter=Chapter(month, Kind.TRADE), recorded_at=instant(day, 16))


def _invoiced_too(shape: Shape, month: int) -> Iterator[Cost]:
    """Parts that were bought on an order whose invoice has come before (T30)."""
    for order in orders_of(shape, month - 2):
        dice = shape.dice("invoiced", order.name)
        line = order.lines[0]
        if order.billing not in _INVOICED or line.class_name or dice.random() >= shape.rates.twice * 2:
            continue
        day = order.company.period(month).day(dice)
        yield Cost(
            native_id=f"WO-{order.name}-P",
            company=order.company,
            asset=None,
            centre="CC0001",
            chapter=Chapter(month, Kind.TRADE),
            month=month,
            on=day,
            recorded_at=instant(day, 16),
            lines=((CostKind.PART, line.price, f"{ERP}/purchase-line/{line.line_id}"),),
            status="duplicate",
        )


def _report(cost: Cost) -> CostReport:
    company = cost.company
    lines = tuple(
        CostLine(
            line_no=number,
            kind=kind,
            description=f"{kind.lower()} of work",
            amount=company.amount(amount),
            source_ref=ref,
        )
        for number, (kind, amount, ref) in enumerate(cost.lines, 1)
    )
    fields = CostFields(
        work_order=cost.native_id.split("-L", maxsplit=1)[0],
        asset_native_id=cost.asset,
        company=company.code,
        currency=company.currency,
        cost_centre=cost.centre,
        effective_date=cost.on,
        total=company.amount(sum(amount for _, amount, _ in cost.lines)),
        lines=lines,
        reversal_of=cost.reversal_of,
    )
    origin = Origin(
        system=WORKS,
        entity="cost-document",
        native_id=cost.native_id,
        source_version="1",
        recorded_at=cost.recorded_at,
    )
    return CostReport(origin=origin, fields=fields)
