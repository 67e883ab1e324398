"""The stories of what is kept back on purpose or waits for people: none is a fault of the hub. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tieline.kernel.troubles import Trouble
from tieline.operating.holds import Held
from tieline.operating.scene import Scene
from tieline.operating.story import Story, ago, counted

_MOST_REASONS = 3


def tell_holds(scene: Scene) -> Iterator[Story]:
    """What waits for a period, for another record or a person, what does not stand, and what is late elsewhere."""
    if scene.period_holds:
        yield Story(
            Trouble.PERIOD_HELD,
            "accept",
            f"{_count(scene.period_holds)} {_verb(scene.period_holds)} {Trouble.PERIOD_HELD.value.words}: "
            f"{_reasons(scene.period_holds)}",
            min(held.since for held in scene.period_holds),
            _oldest(scene, scene.period_holds),
            "each is posted by itself, with its own date, when the ERP opens its period or unlocks its cost centre",
            "see one of them",
            (f"tieline trace {scene.period_holds[0].example}",),
        )
    if scene.held_reports:
        by_people = sum(held.count for held in scene.held_reports if held.needs_person)
        ask = f"; {by_people} of them only by a person's word" if by_people else ""
        yield Story(
            Trouble.REPORT_HELD,
            "identify",
            f"{_count(scene.held_reports)} {_verb(scene.held_reports)} {Trouble.REPORT_HELD.value.words}: "
            f"{_reasons(scene.held_reports)}",
            min(held.since for held in scene.held_reports),
            _oldest(scene, scene.held_reports),
            f"each goes on by itself when what it waits for is known{ask}",
            "say which record is which thing: list, then confirm or reject" if by_people else "",
            ("tieline links list",) if by_people else (),
        )
    if scene.conflicts:
        total = sum(held.count for held in scene.conflicts)
        yield Story(
            Trouble.CONFLICT,
            "accept",
            f"{counted(total, 'word')} of systems {Trouble.CONFLICT.value.words}: {_reasons(scene.conflicts)}",
            min(held.since for held in scene.conflicts),
            "nothing: the owner's value goes on, the other is kept beside it",
            "each ends by itself when its system says what stands",
            "see both values of one of them; of an order: tieline orders show",
            (f"tieline trace {scene.conflicts[0].example}",),
        )
    if scene.overdue_orders:
        are = "is overdue" if scene.overdue_orders == 1 else Trouble.ORDERS_OVERDUE.value.words
        yield Story(
            Trouble.ORDERS_OVERDUE,
            "orders",
            f"{counted(scene.overdue_orders, 'order')} {are}: a step is open past its day",
            None,
            "the people who do that step",
            "each ends by itself when its system reports the step",
            "see which",
            ("tieline orders list --overdue",),
            since_note="each since its own day",
        )


def _count(held: Sequence[Held]) -> str:
    return counted(sum(one.count for one in held), "report")


def _verb(held: Sequence[Held]) -> str:
    return "waits" if sum(one.count for one in held) == 1 else "wait"


def _reasons(held: Sequence[Held]) -> str:
    if len(held) == 1:
        return held[0].reason
    told = "; ".join(f"{one.reason} ({one.count})" for one in held[:_MOST_REASONS])
    more = len(held) - _MOST_REASONS
    return f"{told}; and {counted(more, 'more reason')}" if more > 0 else told


def _oldest(scene: Scene, held: Sequence[Held]) -> str:
    return f"{_count(held)}, the oldest for {ago(min(one.since for one in held), scene.at)}"
