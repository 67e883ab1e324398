"""One system on the bench: its records, their links, and what is expected of it; shared by all comparisons."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from tieline.kernel.asset_records import AssetFields, AssetState, FinancialStatus, PhysicalStatus
from tieline.kernel.book_records import BookState
from tieline.kernel.cost_records import CostState, CostTreatment
from tieline.kernel.memory import Drift, DriftKind, LinkStatus, Observed, XRef
from tieline.kernel.ownership import ASSET_MANAGEMENT, ERP
from tieline.reconciliation.deliveries import was_delivered
from tieline.reconciliation.evidence import ASSET, BOOK, COST, LEDGER_BALANCE, Evidence, Links
from tieline.reconciliation.findings import (
    Effects,
    Finding,
    Remedy,
    amount_text,
    asset_effects,
    book_effects,
    drift_id,
)
from tieline.reconciliation.flight import Flight
from tieline.reconciliation.scope import Scope

ENTITIES = frozenset({ASSET, BOOK, COST, LEDGER_BALANCE, "purchase-order", "purchase-line"})


class Bench:
    """Everything the comparisons of one system ask, computed once a run."""

    def __init__(self, evidence: Evidence, scope: Scope, system: str) -> None:
        self.evidence = evidence
        self.scope = scope
        self.system = system
        self.fields = tuple(name for name in AssetFields.model_fields if name in scope.held.get(system, frozenset()))
        self.told: set[tuple[str, str]] = set()  # unreadable records that already stand for a missing one
        self.assets = evidence.seen(system, ASSET)
        self.books = evidence.seen(system, BOOK) if self._takes_part(BOOK) else {}
        self.costs = evidence.seen(system, COST) if self._takes_part(COST) else {}
        self.balances = evidence.seen(system, LEDGER_BALANCE)
        self.asset_links = Links(evidence.xrefs, system, ASSET)
        self.cost_links = Links(evidence.xrefs, system, COST)
        self.native_of = self._pair_assets()
        self.asset_of = {native: asset_id for asset_id, native in self.native_of.items()}
        self.surplus = frozenset(self.assets.keys() - self.asset_of.keys())
        self._flight = Flight(evidence)
        self._books_at: dict[str, list[Observed]] = {}
        for native, row in self.books.items():
            self._books_at.setdefault(asset_native_of(native), []).append(row)
        self._books_of: dict[str, list[BookState]] = {}
        for placed in evidence.books.values():
            self._books_of.setdefault(placed.row.asset_id, []).append(placed.row)
        self._book_givers = scope.givers(BOOK)
        self._shows_books = scope.receives(BOOK, system)
        self._unreadable: dict[str, list[Observed]] = {}
        for row in evidence.unreadable(system):
            self._unreadable.setdefault(row.native_id, []).append(row)
        self._known_in: dict[str, set[str]] = {}
        self._linked_in: dict[str, list[XRef]] = {}
        for xref in evidence.xrefs.values():
            if xref.entity == ASSET:
                self._known_in.setdefault(xref.canonical_id, set()).add(xref.system)
                if xref.status is LinkStatus.LINKED:
                    self._linked_in.setdefault(xref.canonical_id, []).append(xref)
        self._in_scope = frozenset(key for key, placed in evidence.assets.items() if self._expects(placed.row))

    def _pair_assets(self) -> dict[str, str]:
        pairs: dict[str, str] = {}
        for asset_id in self.evidence.assets:
            for native in self.asset_links.natives(asset_id):
                if native in self.assets:
                    pairs[asset_id] = native
                    break
        return pairs

    def _takes_part(self, kind: str) -> bool:
        return self.scope.receives(kind, self.system) or self.system in self.scope.givers(kind)

    def books_of(self, asset_id: str) -> list[BookState]:
        """The hub's books of an asset that the system should show."""
        return [book for book in self._books_of.get(asset_id, ()) if self.book_in_scope(book)]

    def asset_in_scope(self, state: AssetState) -> bool:
        """Whether the system holds or should hold the asset."""
        return state.asset_id in self._in_scope

    def _expects(self, state: AssetState) -> bool:
        if state.merged_into is not None:
            return False  # its records are the survivor's now
        if self.asset_links.natives(state.asset_id):
            return True
        if self.asset_links.retired(state.asset_id):
            return False
        entry = self.evidence.delivery(self.system, ASSET, state.asset_id)
        if was_delivered(entry):
            return True
        return self.scope.expects(state, self.system, self._known_in.get(state.asset_id, ()))

    def book_in_scope(self, state: BookState) -> bool:
        """Whether the system should show this book: a copy at a receiver, the original at the one that gives it."""
        placed = self.evidence.assets.get(state.asset_id)
        if placed is None or not self.asset_in_scope(placed.row):
            return False
        if self._shows_books:
            return True
        # With several givers a book does not say whose it is; only a record that is there can be compared.
        return self.system in self._book_givers and (
            self._book_givers == {self.system} or self.book_native(state) in self.books
        )

    def book_native(self, state: BookState) -> str:
        """Native id a book's record has in this system; empty while its asset has none there."""
        native = self.native_of.get(state.asset_id)
        return f"{native}|{state.fields.book_id}" if native is not None else ""

    def cost_in_scope(self, state: CostState) -> bool:
        """Whether the system wrote the document, or should have it posted.

        What is a duplicate (T30), and what is capital and no expense (T31), nobody posts.
        """
        is_expense = state.duplicate_of is None and state.treatment is not CostTreatment.CAPITALISE
        is_posted = is_expense and self.scope.flows(COST, state.origin_system, self.system)
        return state.origin_system == self.system or is_posted

    def holder_in_books(self, state: AssetState) -> str | None:
        """The ERP whose books still hold the asset, if any: a closed one is in no books."""
        return None if state.fields.financial_status is FinancialStatus.CLOSED else self._holder(state, ERP)

    def holder_on_site(self, state: AssetState) -> str | None:
        """The asset-management system that still has the thing, if any: one it retired or lost is not there."""
        gone = state.fields.physical_status in {PhysicalStatus.RETIRED, PhysicalStatus.MISSING}
        return None if gone else self._holder(state, ASSET_MANAGEMENT)

    def _holder(self, state: AssetState, role: str) -> str | None:
        for xref in self._linked_in.get(state.asset_id, ()):
            if xref.system == self.system or self.scope.role(xref.system) != role:
                continue
            # A system that this run read must show the record; of another one its link is the last word.
            seen = self.evidence.observed.get(xref.system)
            if seen is None or f"{xref.system}/{ASSET}/{xref.native_id}" in seen:
                return xref.system
        return None

    def asset_effects(self, state: AssetState, fields: AssetFields) -> Effects:
        """What an asset adds to the totals at this system, when its fields are these."""
        company = fields.company if self.scope.compares(state, self.system, "company") else state.fields.company
        return asset_effects(fields, company, with_cost=self.scope.compares(state, self.system, "acquisition_cost"))

    def unknown_asset_effects(self, native: str, fields: AssetFields) -> Effects:
        """What an asset that the hub does not know adds, with the books shown at it."""
        with_cost = "acquisition_cost" in self.fields
        found = list(asset_effects(fields, fields.company, with_cost=with_cost))
        for row in self._books_at.get(native, ()):
            if row.book is not None:
                found += book_effects(row.book, fields.company)
        return tuple(found)

    def company_of(self, asset_id: str) -> str | None:
        """Company of an asset, as the hub believes."""
        placed = self.evidence.assets.get(asset_id)
        return placed.row.fields.company if placed else None

    def blind(self, entity: str, natives: Iterable[str]) -> Observed | None:
        """The unreadable record that stands for one of these; then nothing can be said missing (Invariant 12).

        A record that could not be mapped may be known by its stream only, and one raw document may hold several
        records (``<native id>|<part>``): either way it hides them.
        """
        for native in natives:
            for name in (native, asset_native_of(native)):
                for row in self._unreadable.get(name, ()):
                    kind = entity_of(row)
                    if kind == entity or kind not in ENTITIES:
                        self.told.add((row.entity, row.native_id))
                        return row
        return None

    def find(
        self,
        kind: DriftKind,
        entity: str,
        *,
        cause: str,
        remedy: Remedy,
        canonical_id: str | None = None,
        native_id: str | None = None,
        field: str | None = None,
        expected: str | None = None,
        found: str | None = None,
        owner: str | None = None,
        amount: tuple[Decimal, str] | None = None,
        effects: Effects = (),
        state_key: str | None = None,
        hub_ref: str | None = None,
    ) -> Finding:
        """A finding; it becomes IN_FLIGHT when the log shows that its key is still under way."""
        flight = self._flight.cause(self.system, entity, canonical_id or hub_ref, native_id, state_key)
        drift = Drift(
            drift_id=drift_id(self.system, entity, state_key or canonical_id or native_id or "", field),
            run_id=self.evidence.run_id,
            kind=DriftKind.IN_FLIGHT if flight else kind,
            system=self.system,
            entity=entity,
            canonical_id=canonical_id,
            native_id=native_id,
            field=field,
            expected=_short(expected),
            found=_short(found),
            owner=owner,
            cause=_short(flight or cause),
            amount=amount_text(amount[0]) if amount else None,
            currency=amount[1] if amount else None,
        )
        return Finding(drift, remedy, effects, state_key)


def asset_native_of(native: str) -> str:
    """The part of a composite native id that names the asset: ``17|main`` → ``17``."""
    return native.rsplit("|", 1)[0]


def entity_of(row: Observed) -> str:
    """Kind of an unreadable record; the stream's plural counts as the entity's name."""
    return row.entity if row.entity in ENTITIES else row.entity.removesuffix("s")


def _short(text: str | None) -> str | None:
    return text if text is None or len(text) <= 1000 else f"{text[:999]}…"  # noqa: PLR2004  - bounded for people
