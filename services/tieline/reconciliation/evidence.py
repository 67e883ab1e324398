"""What a run knows once its cut is made: every table it compares, with the log position of each row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from tieline.kernel.asset_records import AssetState
from tieline.kernel.audit_records import AuditState
from tieline.kernel.book_records import BookState
from tieline.kernel.cost_records import CostState
from tieline.kernel.memory import (
    Conflict,
    HeldReport,
    LedgerEntry,
    LinkStatus,
    Observed,
    ParkedKey,
    PeriodHold,
    SystemObserved,
    XRef,
)
from tieline.kernel.vocabulary import Model

M = TypeVar("M", bound=Model)

ASSET = "asset"
BOOK = "book"
COST = "cost-document"
LEDGER_BALANCE = "ledger-balance"

ASSET_STATE = "asset.asset.state.v1"
BOOK_STATE = "asset.book.state.v1"
COST_STATE = "cost.document.state.v1"


@dataclass(frozen=True, slots=True)
class Placed(Generic[M]):
    """A row and where its record stands in the log."""

    row: M
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """One run's tables. Keys are the record keys; ``observed`` and ``pending`` are per system.

    ``observed`` holds this run's rows only. ``pending`` maps a key to the coordinates of its first command beyond the
    sink's committed offset. ``period_held`` maps a record, system/entity/native id, to its report that waits for a
    fiscal period. ``audits`` is the last physical audit of each asset. ``closing`` is the closing cut,
    "topic/partition" to offset, for people.
    """

    run_id: str
    systems: Mapping[str, SystemObserved]
    assets: Mapping[str, Placed[AssetState]]
    books: Mapping[str, Placed[BookState]]
    costs: Mapping[str, Placed[CostState]]
    xrefs: Mapping[str, XRef]
    ledger: Mapping[str, Placed[LedgerEntry]]
    observed: Mapping[str, Mapping[str, Observed]]
    parked: Mapping[str, ParkedKey] = field(default_factory=dict)
    held: Mapping[str, HeldReport] = field(default_factory=dict)
    period_held: Mapping[str, PeriodHold] = field(default_factory=dict)
    conflicts: Mapping[str, Conflict] = field(default_factory=dict)
    audits: Mapping[str, AuditState] = field(default_factory=dict)
    pending: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    closing: Mapping[str, int] = field(default_factory=dict)

    def delivery(self, system: str, entity: str, canonical_id: str) -> LedgerEntry | None:
        """The target's ledger entry of this entity; a book's id is ``asset id|book id``."""
        placed = self.ledger.get(f"{system}/{entity}/{canonical_id}")
        return placed.row if placed else None

    def seen(self, system: str, entity: str) -> dict[str, Observed]:
        """The system's readable records of this kind, by native id."""
        rows = self.observed.get(system, {}).values()
        return {row.native_id: row for row in rows if row.entity == entity and row.unreadable is None}

    def unreadable(self, system: str) -> Iterator[Observed]:
        """The system's records that could not be mapped; their ``entity`` may be the name of a stream."""
        return (row for row in self.observed.get(system, {}).values() if row.unreadable is not None)


def book_key(state: BookState) -> str:
    """Key of a book in state and ledger: ``asset id|book id``."""
    return f"{state.asset_id}|{state.fields.book_id}"


class Links:
    """The cross-references of one system and entity, both ways. Pure index; built once a run."""

    def __init__(self, xrefs: Mapping[str, XRef], system: str, entity: str) -> None:
        mine = [xref for xref in xrefs.values() if xref.system == system and xref.entity == entity]
        linked: dict[str, list[XRef]] = {}
        for xref in mine:
            if xref.status is LinkStatus.LINKED:
                linked.setdefault(xref.canonical_id, []).append(xref)
        self._by_native = {xref.native_id: xref for xref in mine}
        self._natives = {
            canonical_id: tuple(xref.native_id for xref in sorted(found, key=lambda x: (x.linked_at, x.native_id)))
            for canonical_id, found in linked.items()
        }
        self._retired = frozenset(xref.canonical_id for xref in mine if xref.status is LinkStatus.RETIRED)

    def of_native(self, native_id: str) -> XRef | None:
        """The cross-reference of a record, whatever its status."""
        return self._by_native.get(native_id)

    def natives(self, canonical_id: str) -> tuple[str, ...]:
        """Records LINKED to the canonical id, first linked first."""
        return self._natives.get(canonical_id, ())

    def retired(self, canonical_id: str) -> bool:
        """True when the system once held the thing and is agreed to hold it no more."""
        return canonical_id in self._retired and canonical_id not in self._natives
