"""What a merge of two assets does to the hub's word on them, and how it is undone. Nothing is thrown away."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterator, Mapping

from tieline.kernel.asset_records import AssetEvent, AssetFields, AssetMergeEvent, AssetReport, AssetState, Word
from tieline.kernel.book_records import AssetBookChanged, BookState
from tieline.kernel.errors import Rejected
from tieline.kernel.memory import AssetMerge, Conflict, LinkDecision
from tieline.kernel.records import Outbound, Typed
from tieline.kernel.tables import Table
from tieline.kernel.topic_names import ASSET_EVENTS, BOOK_EVENTS
from tieline.kernel.vocabulary import Accepted, Origin
from tieline.processors.books import Books
from tieline.processors.hearing import MERGE
from tieline.processors.vectors import HUB, as_text, digest_of

Hear = Callable[[str, AssetReport], list[Outbound]]


class Duplicates:
    """The merges of accept. ``hear`` takes a report of an asset the usual way: ownership, conflicts, events."""

    def __init__(
        self,
        assets: Table[AssetState],
        books: Books,
        conflicts: Table[Conflict],
        hear: Hear,
        *,
        books_kept_by: Collection[str],
    ) -> None:
        self._books_kept_by = frozenset(books_kept_by)
        self.table: Table[AssetMerge] = Table("hub.merge.state.v1", AssetMerge)
        self._assets = assets
        self._books = books
        self._conflicts = conflicts
        self._hear = hear

    def survivor(self, asset_id: str) -> str:
        """The asset that a report speaks of which was identified before a merge."""
        while (merge := self.table.get(asset_id)) is not None:
            asset_id = merge.survivor_id
        return asset_id

    def merge(self, decision: LinkDecision) -> list[Outbound]:
        """The survivor hears what the merged asset's records said; the merged one keeps its own state, marked.

        Raises ``Rejected`` for a survivor of which nothing is accepted yet.
        """
        survivor_id, merged_id = decision.canonical_id or "", decision.other_id or ""
        before, merged = self._assets.get(survivor_id), self._assets.get(merged_id)
        if before is None:
            raise Rejected(
                f"nothing of {survivor_id} is accepted yet: its reports wait for a fiscal period, or were rejected",
                field="canonical_id",
                remedy="replay the decision when the asset is there",
            )
        if merged is None or self.table.get(merged_id) is not None:
            return []  # what has no accepted state yet will be heard under the survivor; a merge is done once
        systems = tuple(system for system in sorted(merged.links) if system not in before.links)
        written = [out for s in systems for out in self._hear(survivor_id, _said_by(s, merged, decision))]
        after = self._keep_heard(survivor_id, merged, systems)
        self._move_conflicts(merged_id, after, systems)
        there = {book.fields.book_id for book in self._books.of(survivor_id)}
        books = self._move_books(merged_id, survivor_id, lambda book_id: book_id not in there)
        row = AssetMerge(
            merged_id=merged_id,
            survivor_id=survivor_id,
            merged_before=merged,
            survivor_before=before,
            survivor_after=after,
            systems=systems,
            books=tuple(state.fields.book_id for state in books),
            by=decision.by,
            reason=decision.reason,
            at=decision.at,
        )
        self.table.put(merged_id, row)
        marked = merged.model_copy(update={"merged_into": survivor_id, "version": merged.version + 1})
        self._assets.put(merged_id, marked)
        return [
            *written,
            *self._book_events(books, systems, decision),
            _merge_event("AssetMerged", marked, survivor_id, decision),
        ]

    def separate(self, decision: LinkDecision) -> list[Outbound]:
        """Both as they were (T39), and with what each one's records have said since."""
        survivor_id, merged_id = decision.canonical_id or "", decision.other_id or ""
        row, marked, now = self.table.get(merged_id), self._assets.get(merged_id), self._assets.get(survivor_id)
        if row is None or marked is None or now is None:
            return []
        survivor, merged = separate_states(row, now, marked)
        every = self._has_every_book(row, now)
        books = self._move_books(survivor_id, merged_id, lambda book_id: every or book_id in row.books)
        self._assets.put(survivor_id, survivor)
        self._assets.put(merged_id, merged)
        self._move_conflicts(survivor_id, merged, row.systems)
        self.table.delete(merged_id)
        staying = next(iter(sorted(survivor.links)), "hub")
        return [
            _merge_event("AssetSeparated", merged, survivor_id, decision),
            # In the name of the other's system each time, so that the systems which hold the asset are written.
            _changed_event(now, survivor, row.systems[0] if row.systems else "hub", decision),
            _changed_event(now, merged, staying, decision),
            *self._book_events(books, row.systems, decision),
        ]

    def _move_books(self, source: str, target: str, moves: Callable[[str], bool]) -> list[BookState]:
        """The books at their new asset. Posted lines stay known there: none is published twice (Invariant 3)."""
        moved: list[BookState] = []
        for state in self._books.of(source):
            book_id = state.fields.book_id
            new_key = f"{target}|{book_id}"
            there = self._books.table.get(new_key)
            if not moves(book_id):
                continue
            version = max(state.version, there.version if there else 0) + 1
            book = state.model_copy(update={"asset_id": target, "version": version})
            self._books.table.put(new_key, book)
            # At one asset only: its lines count once in their depreciation run (T33).
            self._books.table.delete(f"{source}|{book_id}")
            moved.append(book)
        return moved

    def _has_every_book(self, row: AssetMerge, now: AssetState) -> bool:
        """Whether all books at the survivor are those of the merged asset's records, also those reported since."""
        keepers = {*row.survivor_before.links, *now.links} - set(row.systems)
        return self._books_kept_by.isdisjoint(keepers)

    def _keep_heard(self, survivor_id: str, merged: AssetState, systems: Collection[str]) -> AssetState:
        """The survivor, with when the records spoke last that are its own now: older words stay older (4)."""
        survivor = self._assets.get(survivor_id)
        assert survivor is not None  # noqa: S101  - merge made sure of it
        heard_at = survivor.heard_at | _heard_of(merged, systems, moved=True)
        if heard_at != survivor.heard_at:
            survivor = survivor.model_copy(update={"heard_at": heard_at})
            self._assets.put(survivor_id, survivor)
        return survivor

    def _move_conflicts(self, source_id: str, target: AssetState, systems: Collection[str]) -> None:
        """What the systems' records say otherwise goes with them (9), and with it what waits for a reference record."""
        for system in systems:
            for field in AssetFields.model_fields:
                row = self._conflicts.get(f"{source_id}|{field}|{system}")
                if row is None:
                    continue
                self._conflicts.delete(f"{source_id}|{field}|{system}")
                owned, key = as_text(getattr(target.fields, field)), f"{target.asset_id}|{field}|{system}"
                is_own = target.said_by.get(field) == system and row.proposal is None
                if not is_own and row.foreign_value != owned and self._conflicts.get(key) is None:
                    update = {"canonical_id": target.asset_id, "owned_value": owned, "owned_version": target.version}
                    self._conflicts.put(key, row.model_copy(update=update))

    def _book_events(
        self, books: list[BookState], systems: Collection[str], decision: LinkDecision
    ) -> Iterator[Outbound]:
        # In the name of the system that keeps them, so that those which show them are written.
        keeper = next((system for system in systems if system in self._books_kept_by), "hub")
        for book in books:
            accepted = decided_as(book.version, keeper, decision.decision_id, decision, ("book_id",))
            body = AssetBookChanged(asset_id=book.asset_id, accepted=accepted, fields=book.fields)
            yield Outbound(BOOK_EVENTS, book.asset_id, Typed("AssetBookChanged", body))


def separate_states(row: AssetMerge, now: AssetState, marked: AssetState) -> tuple[AssetState, AssetState]:
    """Survivor and merged asset after an undone merge. Pure.

    Each gets back what it held before; what changed since the merge goes to the asset whose system said it. Versions
    only grow (Invariant 4).
    """
    kept: dict[bool, dict[str, object]] = {True: {}, False: {}}
    authors = {True: dict(row.merged_before.said_by), False: dict(row.survivor_before.said_by)}
    after = row.survivor_after
    for field in AssetFields.model_fields:
        value, author = getattr(now.fields, field), now.said_by.get(field)
        if author is not None and (value, author) != (getattr(after.fields, field), after.said_by.get(field)):
            leaves = author in row.systems
            kept[leaves][field] = value
            authors[leaves][field] = author
    moved = {system: native for system, native in now.links.items() if system in row.systems}
    gone = {s: n for s, n in row.merged_before.links.items() if s not in row.systems}
    survivor = AssetState(
        asset_id=now.asset_id,
        version=now.version + 1,
        fields=row.survivor_before.fields.model_copy(update=kept[False]),
        said_by=authors[False],
        links={system: native for system, native in now.links.items() if system not in row.systems},
        said_at=row.survivor_before.said_at | _since(now.said_at, kept[False]),
        merged_into=now.merged_into,
        heard_at=row.survivor_before.heard_at | _heard_of(now, row.systems, moved=False),
        words=_words(row.survivor_before, now, kept[False], now.version + 1),
        sent=dict.fromkeys(now.links, now.version + 1),
    )
    merged = AssetState(
        asset_id=marked.asset_id,
        version=marked.version + 1,
        fields=row.merged_before.fields.model_copy(update=kept[True]),
        said_by=authors[True],
        links=gone | moved,
        said_at=row.merged_before.said_at | _since(now.said_at, kept[True]),
        heard_at=row.merged_before.heard_at | _heard_of(now, row.systems, moved=True),
        words=_words(row.merged_before, now, kept[True], marked.version + 1),
        sent=dict.fromkeys(now.links, marked.version + 1),
    )
    return survivor, merged


def _words(
    before: AssetState, now: AssetState, kept: Mapping[str, object], version: int
) -> dict[str, tuple[Word, ...]]:
    """The words of one of the two: what it holds otherwise than both did together is new to every system."""
    found = dict(before.words)
    for field, author in before.said_by.items():
        value = getattr(before.fields, field)
        if author != HUB and value is not None and field not in kept and value != getattr(now.fields, field):
            word = Word(system=author, version=version, seen=version - 1, digest=digest_of(value))
            found[field] = (*before.words.get(field, ()), word)
    for field, value in kept.items():
        word = Word(system=now.said_by[field], version=version, seen=version - 1, digest=digest_of(value))
        found[field] = (*before.words.get(field, ()), word)
    return found


def _since(said_at: Mapping[str, dt.datetime], kept: Mapping[str, object]) -> dict[str, dt.datetime]:
    return {field: at for field, at in said_at.items() if field in kept}


def _heard_of(now: AssetState, systems: Collection[str], *, moved: bool) -> dict[str, dt.datetime]:
    """When the records that go with the merged asset, or those that stay, spoke last."""
    return {record: at for record, at in now.heard_at.items() if (record.split("/", 1)[0] in systems) is moved}


def _said_by(system: str, state: AssetState, decision: LinkDecision) -> AssetReport:
    """What a system's record has said of the merged asset, as that system's report."""
    said = {field: getattr(state.fields, field) for field, author in state.said_by.items() if author == system}
    origin = Origin(
        system=system,
        entity="asset",
        native_id=state.links[system],
        source_version=f"{MERGE}{decision.decision_id}",
        recorded_at=decision.at,
    )
    return AssetReport(origin=origin, fields=AssetFields().model_copy(update=said))


def decided_as(version: int, system: str, native_id: str, decision: LinkDecision, changed: tuple[str, ...]) -> Accepted:
    """What stands on an event that a person's decision brings about in the name of a system's record."""
    return Accepted(
        version=version,
        origin_system=system,
        origin_native_id=native_id,
        effective_date=decision.at.date(),
        recorded_at=decision.at,
        changed_fields=changed,
    )


def _merge_event(name: str, state: AssetState, survivor_id: str, decision: LinkDecision) -> Outbound:
    accepted = decided_as(state.version, "hub", decision.decision_id, decision, ())
    body = AssetMergeEvent(
        asset_id=state.asset_id, accepted=accepted, survivor_id=survivor_id, by=decision.by, reason=decision.reason
    )
    return Outbound(ASSET_EVENTS, state.asset_id, Typed(name, body))


def _changed_event(was: AssetState, state: AssetState, system: str, decision: LinkDecision) -> Outbound:
    names = AssetFields.model_fields
    changed = tuple(name for name in names if getattr(was.fields, name) != getattr(state.fields, name))
    accepted = decided_as(state.version, system, decision.decision_id, decision, (*changed, "links"))
    body = AssetEvent(asset_id=state.asset_id, accepted=accepted, fields=state.fields, links=state.links)
    return Outbound(ASSET_EVENTS, state.asset_id, Typed("AssetChanged", body))
