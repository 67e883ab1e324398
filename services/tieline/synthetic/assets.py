"""What the two systems say of an asset, chapter by chapter, and what the hub must hold of it at the end."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tieline.kernel.asset_records import AssetFields, AssetReport, DisposalKind, FinancialStatus, PhysicalStatus
from tieline.kernel.vocabulary import Money, Origin
from tieline.synthetic.estate import CLASSES, class_of
from tieline.synthetic.labels import AssetLabel, CentreFrom, Foreign
from tieline.synthetic.shape import ERP, REOPENS, WORKS, Chapter, Kind, Shape, instant
from tieline.synthetic.things import Fate, Link, Thing

LOCATIONS, CENTRES, CUSTODIANS = 400, 300, 2_500
_DISPOSALS = (DisposalKind.SALE, DisposalKind.SCRAP, DisposalKind.DONATION, DisposalKind.LOSS)
_LEFT = ("disposal_date", "disposal_kind")

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Word:
    """One report of one record: when it comes, what it says, and what the hub makes of it.

    ``foreign`` is the field that the system must not change; ``stale``: a later word has come before it; ``takes_back``
    are fields of which nothing holds any more. ``events`` are the names of the events it gives.
    """

    chapter: Chapter
    system: str
    says: Values
    recorded_at: dt.datetime
    version: int
    events: tuple[str, ...] = ()
    foreign: str | None = None
    stale: bool = False
    held: bool = False
    takes_back: tuple[str, ...] = ()


def asset_reports(shape: Shape, thing: Thing, chapter: Chapter) -> Iterator[AssetReport]:
    """What is said of the asset in a chapter, in the order it comes."""
    if not _may_speak(thing, chapter):
        return iter(())
    return (_report(thing, word) for word in words(shape, thing) if word.chapter == chapter)


def _may_speak(thing: Thing, chapter: Chapter) -> bool:
    """Whether it is worth telling the asset's story: in most chapters nothing is said of it."""
    match chapter.kind:
        case Kind.OPENING:
            return thing.po_line_ref is None
        case Kind.TRADE if thing.start == chapter.month and thing.po_line_ref is not None:
            return True
        case Kind.TRADE | Kind.GAP:  # a disposal is told up to two months later
            return any(chapter.month - 2 <= month <= chapter.month for month, _ in thing.fates)
        case _:
            return False


def asset_label(shape: Shape, thing: Thing) -> AssetLabel:
    """The asset as it must stand at the end: each field as its owner said it last."""
    values: Values = {}
    centres: list[CentreFrom] = []
    conflicts: list[Foreign] = []
    for word in words(shape, thing):
        if word.stale or word.held:
            continue
        if word.foreign:
            name = word.foreign
            edit = {"owned_value": as_text(values[name]), "foreign_value": as_text(word.says[name])}
            conflicts.append(Foreign(field=name, system=word.system, **edit))
        values |= {name: value for name, value in word.says.items() if name != word.foreign}
        values = {name: value for name, value in values.items() if name not in word.takes_back}
        if not centres or centres[-1].cost_centre != values["cost_centre"]:
            centres.append(CentreFrom(day=word.recorded_at.date(), cost_centre=values["cost_centre"]))
    return AssetLabel(
        links={ERP: thing.erp_id, WORKS: thing.works_id},
        fields=AssetFields(**values),
        conflicts=tuple(conflicts),
        cost_centres=tuple(centres),
        bought=thing.po_line_ref is not None,
    )


def book_closes(shape: Shape, thing: Thing) -> int | None:
    """The month in which the ERP takes the asset out of its books; None if it does not within the year."""
    if not thing.fates:
        return None
    month, fate = thing.fates[-1]
    closes = _told_by_erp(shape, month, fate)
    return closes if closes is not None and closes <= shape.months else None


def book_reopens(shape: Shape, thing: Thing) -> int | None:
    """The month in which the disposal is taken back; None if it is not within the year."""
    if not thing.fates or thing.fates[-1][1] is not Fate.REINSTATED:
        return None
    reopens = thing.fates[-1][0] + 2
    return reopens if reopens <= shape.months else None


def _told_by_erp(shape: Shape, month: int, fate: Fate) -> int | None:
    if fate in {Fate.DISPOSAL, Fate.REINSTATED} or (fate is Fate.LATE_DISPOSAL and shape.has_gap(month)):
        return month + 1
    return month + 2 if fate is Fate.LATE_DISPOSAL else None


def words(shape: Shape, thing: Thing) -> Iterator[Word]:
    """Everything both systems say of the asset in the year, in the order it comes."""
    dice = shape.dice("words", thing.name)
    erp, works = _first_views(thing, dice)
    chapter = Chapter(1, Kind.OPENING)
    recorded = instant(thing.company.period(1).first, 1)
    if thing.po_line_ref is not None:
        day = thing.company.period(thing.start).day(dice)
        chapter, recorded = Chapter(thing.start, Kind.TRADE), instant(day, 8)
        erp["in_service_date"] = works["in_service_date"] = day
    yield Word(chapter, ERP, erp, recorded, 1, ("AssetRegistered",))
    yield Word(chapter, WORKS, works, recorded, 1, ("AssetPlacedInService",))
    story = _Story(shape, thing, dice, erp, works)
    for month, fate in thing.fates:
        yield from story.tell(month, fate)


class _Story:
    """What becomes of an asset: each system's record as it stands, changed fate by fate."""

    def __init__(self, shape: Shape, thing: Thing, dice: random.Random, erp: Values, works: Values) -> None:
        self._shape = shape
        self._thing = thing
        self._dice = dice
        self._views = {ERP: erp, WORKS: works}
        self._versions = {ERP: 1, WORKS: 1}

    def tell(self, month: int, fate: Fate) -> Iterator[Word]:
        day = self._thing.company.period(month).day(self._dice)
        trade = Chapter(month, Kind.TRADE)
        match fate:
            case Fate.MOVE:
                yield self._move(trade, instant(day, 9))
            case Fate.SWAPPED:
                known = self._views[WORKS]
                first = self._word(trade, WORKS, instant(day, 9), self._place(), stale=True)
                yield self._move(trade, instant(day, 10), known)
                yield first
            case Fate.ADJUSTMENT:
                cost = Money(amount=self._thing.company.amount(cost_after(self._thing, month)), **self._currency)
                yield self._word(trade, ERP, instant(day, 9), {"acquisition_cost": cost}, "AssetChanged")
            case Fate.DISPOSAL | Fate.LATE_DISPOSAL | Fate.REINSTATED:
                yield from self._leave(month, fate, day)
                yield from self._return()
            case Fate.EDIT:
                yield self._edit(trade, instant(day, 9))
            case Fate.REVALUATION | Fate.IMPAIRMENT:
                return  # the books tell of it

    def _leave(self, month: int, fate: Fate, day: dt.date) -> Iterator[Word]:
        left: Values = {"disposal_date": day, "disposal_kind": self._dice.choice(_DISPOSALS)}
        gone = {"physical_status": PhysicalStatus.RETIRED, **left}
        company, gap = self._thing.company, self._shape.has_gap(month)
        chapter, recorded, held = Chapter(month, Kind.TRADE), instant(day, 9), False
        if fate is Fate.LATE_DISPOSAL and gap:
            chapter, recorded = Chapter(month, Kind.GAP), instant(company.period(month).last, 20)
            # Only in one company a period opens any more.
            held = month == self._shape.months and company is not REOPENS
        elif fate is Fate.LATE_DISPOSAL:
            chapter, recorded = Chapter(month + 1, Kind.TRADE), instant(company.period(month + 1).first, 9)
        yield self._word(chapter, WORKS, recorded, gone, "AssetDisposed", held=held)
        closes = book_closes(self._shape, self._thing)
        if closes is not None:
            recorded = instant(company.period(closes).day(self._dice), 12)
            closed = {"financial_status": FinancialStatus.CLOSED, **left}
            yield self._word(Chapter(closes, Kind.TRADE), ERP, recorded, closed, "AssetChanged")

    def _return(self) -> Iterator[Word]:
        """The disposal was an error: the books take it back, and the thing is in use as before."""
        month = book_reopens(self._shape, self._thing)
        if month is None:
            return
        chapter, company = Chapter(month, Kind.TRADE), self._thing.company
        for system, status, hour, event in (
            (ERP, {"financial_status": FinancialStatus.RUNNING}, 13, "AssetChanged"),
            (WORKS, {"physical_status": PhysicalStatus.IN_SERVICE}, 14, "AssetPlacedInService"),
        ):
            view = self._views[system]
            self._views[system] = {name: value for name, value in view.items() if name not in _LEFT}
            recorded = instant(company.period(month).day(self._dice), hour)
            yield self._word(chapter, system, recorded, status, event, takes_back=_LEFT)

    def _edit(self, chapter: Chapter, recorded: dt.datetime) -> Word:
        thing, views = self._thing, self._views
        other = next(name for name in CLASSES if name != thing.class_name)
        edits: tuple[tuple[str, str, object], ...] = (
            (ERP, "location", f"L{LOCATIONS + 1:04}"),
            (ERP, "description", "edited by an accountant"),
            (WORKS, "asset_class", class_of(thing.company, other)),
            (WORKS, "acquisition_cost", Money(amount=Decimal(1), **self._currency)),
        )
        system, name, value = self._dice.choice(edits)
        views[system] = {**views[system]}
        return self._word(chapter, system, recorded, {name: value}, foreign=name)

    def _move(self, chapter: Chapter, recorded: dt.datetime, known: Values | None = None) -> Word:
        """A move; ``known`` is the view that the hub still has, where it has not heard the last one."""
        known, place = known or self._views[WORKS], self._place()
        return self._word(chapter, WORKS, recorded, place, *_moved(known, {**self._views[WORKS], **place}))

    def _place(self) -> Values:
        place: Values = {"location": self._other("location", "L", LOCATIONS), "custodian": _custodian(self._dice)}
        if self._dice.random() < 1 / 2:
            place["cost_centre"] = self._other("cost_centre", "CC", CENTRES)
        return place

    def _other(self, name: str, prefix: str, count: int) -> str:
        """Another code than the one that holds."""
        now = int(self._views[WORKS][name][len(prefix) :])
        return f"{prefix}{(now + self._dice.randrange(1, count)) % count:04}"

    def _word(
        self, chapter: Chapter, system: str, recorded: dt.datetime, change: Values, *events: str, **more: Any
    ) -> Word:
        self._views[system] = {**self._views[system], **change}
        if "cost_centre" in change:  # the hub writes it to the ERP, whose next word has it
            self._views[ERP] = {**self._views[ERP], "cost_centre": change["cost_centre"]}
        self._versions[system] += 1
        return Word(chapter, system, self._views[system], recorded, self._versions[system], events, **more)

    @property
    def _currency(self) -> dict[str, str]:
        return {"currency": self._thing.company.currency}


def _moved(known: Values, now: Values) -> tuple[str, ...]:
    """The event of a move, by what weighs most. A second move may lead back to where the hub knows the thing to be."""
    names = {"cost_centre": "AssetCostCentreChanged", "location": "AssetMoved", "custodian": "AssetAssigned"}
    return next(((name,) for field, name in names.items() if known[field] != now[field]), ())


def cost_after(thing: Thing, month: int) -> int:
    """Acquisition cost after that month's adjustments: each later invoice adds a hundredth of the first cost."""
    return thing.cost + max(thing.cost // 100, 1) * sum(
        1 for when, fate in thing.fates if fate is Fate.ADJUSTMENT and when <= month
    )


def as_text(value: object) -> str:
    """A value as people read it: an amount without needless zeros, with its currency."""
    if isinstance(value, Money):
        return f"{value.amount.normalize():f} {value.currency}"
    return str(value)


def _first_views(thing: Thing, dice: random.Random) -> tuple[Values, Values]:
    company = thing.company
    centre = f"CC{dice.randrange(CENTRES):04}"
    serial = None if thing.identical or thing.link is Link.ORDER else f"SN-{thing.name}-{dice.randrange(10_000):04}"
    acquired = thing.acquired_on or company.period(1).first - dt.timedelta(days=30 * thing.age + 30)
    erp: Values = {
        "asset_number": thing.number,
        "company": company.code,
        "asset_class": class_of(company, thing.class_name),
        "quantity": Decimal(1),
        "acquisition_cost": Money(amount=company.amount(thing.cost), currency=company.currency),
        "acquisition_date": acquired,
        "in_service_date": acquired + dt.timedelta(days=10),
        "financial_status": FinancialStatus.RUNNING,
        "cost_centre": centre,
    }
    works: Values = {
        "tag": f"T-{thing.name}",
        "description": "Chair" if thing.identical else f"{thing.class_name.title()} {dice.randrange(900) + 100}",
        "location": f"L{dice.randrange(LOCATIONS):04}",
        "condition": dice.choice(("A", "B", "C")),
        "custodian": _custodian(dice),
        "physical_status": PhysicalStatus.IN_SERVICE,
        "cost_centre": centre,
    }
    if serial is not None:
        works["serial_number"] = serial
    match thing.link:
        case Link.SERIAL:
            erp["serial_number"] = serial
        case Link.NUMBER:
            works |= {"asset_number": thing.number, "company": company.code}
        case Link.TAG:
            erp["tag"] = works["tag"]
        case Link.ORDER:
            erp["po_line_ref"] = works["po_line_ref"] = thing.po_line_ref
    return erp, works


def _custodian(dice: random.Random) -> str:
    return f"P{dice.randrange(CUSTODIANS):05}"


def _report(thing: Thing, word: Word) -> AssetReport:
    origin = Origin(
        system=word.system,
        entity="asset",
        native_id=thing.erp_id if word.system == ERP else thing.works_id,
        source_version=str(word.version),
        recorded_at=word.recorded_at,
    )
    return AssetReport(origin=origin, fields=AssetFields(**word.says))
