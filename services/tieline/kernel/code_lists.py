"""Code lists: which code of a system means which canonical code, from when to when. Data in the landscape, used purely.

A list that the landscape does not have for a system is shared: its codes pass unchanged. A list that it has is
complete: a code that is not on it, or not on it at the record's own date, is refused with the remedy, never passed on
and never defaulted. The refused record waits: a raw record as a dead letter of its source, a command before its parked
key; both are replayed once the landscape has the code.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from types import MappingProxyType
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from tieline.kernel.asset_records import AssetFields
from tieline.kernel.audit_records import AuditFields
from tieline.kernel.book_records import BookFields
from tieline.kernel.cost_records import CostFields
from tieline.kernel.errors import Rejected
from tieline.kernel.order_records import InvoiceLine, OrderLine, ReceiptLine
from tieline.kernel.units import UNITS
from tieline.kernel.vocabulary import Model

ListName = Literal["asset-class", "cost-centre", "account", "unit", "method", "tax", "location"]
CodeText = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
M = TypeVar("M", bound=Model)

# Which canonical fields hold codes of which list. No field of the model holds an account or a tax code yet.
LISTED: Mapping[type[BaseModel], Mapping[str, ListName]] = MappingProxyType(
    {
        AssetFields: {"asset_class": "asset-class", "cost_centre": "cost-centre", "location": "location"},
        BookFields: {"method": "method"},
        CostFields: {"cost_centre": "cost-centre"},
        AuditFields: {"location": "location"},
        OrderLine: {"asset_class": "asset-class", "unit": "unit"},
        ReceiptLine: {"unit": "unit"},
        InvoiceLine: {"unit": "unit"},
    }
)


class CodeEntry(BaseModel):
    """One code of one system. Days are calendar dates, the first and the last on which it holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: CodeText = Field(description="The system's code; in quotes if it is made of digits.")
    means: CodeText = Field(description="The canonical code; for units that of UN/ECE Recommendation 20.")
    valid_from: dt.date | None = Field(default=None, description="First day it holds; none: ever since.")
    valid_to: dt.date | None = Field(default=None, description="Last day it holds; none: open.")
    preferred: bool = Field(
        default=False, description="The one that is written where several codes of the system mean the same."
    )

    def holds_on(self, day: dt.date | None) -> bool:
        """Whether it holds on that day; without a day, whether it ever does."""
        return day is None or self._first <= day <= self._last

    def overlaps(self, other: CodeEntry) -> bool:
        """Whether both hold on some day."""
        return self._first <= other._last and other._first <= self._last

    @property
    def _first(self) -> dt.date:
        return self.valid_from or dt.date.min

    @property
    def _last(self) -> dt.date:
        return self.valid_to or dt.date.max


CodeLists = Mapping[ListName, Mapping[str, tuple[CodeEntry, ...]]]
Place = tuple[int | str, ...]


def code_list_faults(lists: CodeLists, systems: Collection[str]) -> Iterator[tuple[Place, str]]:
    """Every fault with its place below ``code_lists``: what cannot be looked up without a choice is none."""
    for name, by_system in lists.items():
        for system, entries in by_system.items():
            place = ("code_lists", name, system)
            if system not in systems:
                yield place, f"there is no system {system!r} under systems"
            for number, entry in enumerate(entries):
                if entry.valid_from and entry.valid_to and entry.valid_to < entry.valid_from:
                    yield (*place, number, "valid_to"), f"{entry.code} ends before it begins"
                if name == "unit" and entry.means not in UNITS:
                    yield (*place, number, "means"), f"{entry.means!r} is no UN/ECE unit code that the hub knows"
            yield from (((*place, number), fault) for number, fault in _doubtful(entries))


def _doubtful(entries: Sequence[CodeEntry]) -> Iterator[tuple[int, str]]:
    for (_, one), (number, other) in combinations(enumerate(entries), 2):
        if one.code == other.code and one.overlaps(other):
            yield number, f"{other.code} stands twice for the same days"
    for number, entry in enumerate(entries):
        # What holds together changes only where an entry begins.
        first = entry.valid_from
        others = [e for e in entries if e.means == entry.means and (e.holds_on(first) if first else not e.valid_from)]
        if len(others) > 1 and sum(e.preferred for e in others) != 1:
            codes = " and ".join(e.code for e in others)
            since = f"from {first} on " if first else ""
            yield number, f"{entry.means} is {codes} {since}at the same time: mark exactly one of them preferred"


@dataclass(frozen=True, slots=True)
class Codes:
    """The code lists of one system.

    ``marking`` is for reading what a target holds: there an unmapped code is a difference, not a fault, and becomes
    ``?code``, which equals no canonical code.
    """

    system: str = ""
    lists: Mapping[ListName, tuple[CodeEntry, ...]] = field(default_factory=dict)
    marking: bool = False

    def has(self, name: ListName) -> bool:
        """Whether the landscape has this list for the system; if not, its codes are shared."""
        return name in self.lists

    def canonical(self, name: ListName, code: str, day: dt.date | None, *, place: str) -> str:
        """What the system's code means on that day. Raises ``Rejected`` naming ``place`` when the list does not say."""
        if not self.has(name):
            return code
        found = {entry.means for entry in self.lists[name] if entry.code == code and entry.holds_on(day)}
        if len(found) == 1:
            return found.pop()
        if self.marking:
            return f"?{code}"
        raise self._unmapped(name, f"code {code[:40]!r}", "means nothing canonical", day, place)

    def native(self, name: ListName, canonical: str, day: dt.date | None, *, place: str) -> str:
        """The system's code for the canonical one on that day. Raises ``Rejected`` when there is none, or no one.

        Without a day, the code must have been the same ever since.
        """
        if not self.has(name):
            return canonical
        entries = [entry for entry in self.lists[name] if entry.means == canonical and entry.holds_on(day)]
        found = {e.code for e in entries} if len(entries) == 1 else {e.code for e in entries if e.preferred}
        if len(found) == 1:
            return found.pop()
        raise self._unmapped(name, f"{canonical[:40]!r}", f"has no code in {self.system}", day, place)

    def canonical_fields(self, fields: M, day: dt.date | None, *, place: Callable[[str], str]) -> M:
        """The record with its codes canonical. ``place`` names a field as the person who mends it knows it."""
        update = {
            name: self.canonical(listed, value, day, place=place(name))
            for name, listed, value in self._coded(fields, LISTED.get(type(fields), {}))
        }
        return fields.model_copy(update=update) if update else fields

    def native_fields(self, fields: M, day: dt.date | None, *, only: Collection[str] | None = None) -> M:
        """The record with the codes of the system, ``only`` in these fields of it."""
        wanted = LISTED.get(type(fields), {})
        update = {
            name: self.native(listed, value, day, place=f"fields.{name}")
            for name, listed, value in self._coded(fields, wanted)
            if only is None or name in only
        }
        return fields.model_copy(update=update) if update else fields

    def read_only(self) -> Codes:
        """The same lists, for reading back what the system holds."""
        return Codes(self.system, self.lists, marking=True)

    def _coded(self, fields: Model, wanted: Mapping[str, ListName]) -> Iterable[tuple[str, ListName, str]]:
        for name, listed in wanted.items():
            value = getattr(fields, name)
            if value and self.has(listed):
                yield name, listed, value

    def _unmapped(self, name: ListName, what: str, lacks: str, day: dt.date | None, place: str) -> Rejected:
        when = f" on {day}" if day else ", or not always the same one"
        return Rejected(
            f"{name} {what} {lacks}{when}",
            field=place,
            remedy=f"add it to code_lists.{name}.{self.system} in the landscape, start again, then replay",
        )


SHARED = Codes()
"""No lists: every code passes unchanged."""


def codes_of(lists: CodeLists, system: str) -> Codes:
    """The lists of one system of the landscape."""
    return Codes(system, {name: by_system[system] for name, by_system in lists.items() if system in by_system})
