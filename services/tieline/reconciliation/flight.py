"""What is still under way, located by log position (never by time): a key in flight is not drift."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tieline.kernel.memory import A_PERSON, ParkedKey, Stage
from tieline.kernel.topic_names import LEDGER
from tieline.reconciliation.evidence import (
    ASSET,
    ASSET_STATE,
    BOOK,
    BOOK_STATE,
    COST,
    COST_STATE,
    Evidence,
    Placed,
)


class Flight:
    """Answers, for one run, whether a key was moving during the read, waits, or is parked."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._parked: dict[tuple[str, str], ParkedKey] = {}
        for key, row in evidence.parked.items():
            self._parked[row.target, row.canonical_id] = row
            lane = key.split("/", 2)  # <target>/key/<key of the command topic>
            if len(lane) == 3:  # noqa: PLR2004  - the three parts named above
                self._parked[row.target, lane[2]] = row

    def cause(
        self, system: str, entity: str, canonical_id: str | None, native_id: str | None, state_key: str | None = None
    ) -> str | None:
        """Why the key is in flight, or None. ``state_key`` is the state row's key where it is not the canonical id."""
        if native_id is not None and (waiting := self._waiting(system, entity, native_id)):
            return waiting
        if canonical_id is None:
            return None
        parked = self._parked.get((system, canonical_id))
        if parked is not None:
            first = parked.letters[0] if parked.letters else None
            where = f" (letter {first.topic}/{first.partition}/{first.offset})" if first else ""
            return f"parked: {parked.reason}{where}"
        pending = self._evidence.pending.get(system, {}).get(canonical_id)
        if pending is not None:
            return f"its command waits at {pending}"
        return next(self._moves(system, entity, canonical_id, state_key or canonical_id), None)

    def _waiting(self, system: str, entity: str, native_id: str) -> str | None:
        for_period = self._evidence.period_held.get(f"{system}/{entity}/{native_id}")
        if for_period is not None:
            return f"held: {for_period.reason}"
        held = self._evidence.held.get(f"{system}/{entity}/{native_id}")
        # What only a person can release is under way nowhere: it is a difference until the person has decided.
        if held is None or held.waits_for == A_PERSON:
            return None
        return f"waits for mapping {held.waits_for}: {held.reason}"

    def _moves(self, system: str, entity: str, canonical_id: str, state_key: str) -> Iterator[str]:
        # A book travels behind its asset, on the same key: the asset's delivery is the book's as well.
        behind = (f"{system}/{ASSET}/{canonical_id}",) if entity == BOOK else ()
        for key in (f"{system}/{entity}/{state_key}", *behind):
            entry = self._evidence.ledger.get(key)
            if entry is None:
                continue
            if entry.row.stage is Stage.INTENT:
                yield f"its delivery {entry.row.command_id} has no outcome yet"
            if self._moved(system, LEDGER, entry):
                yield f"it was delivered during the read ({LEDGER}/{entry.partition}/{entry.offset})"
        topic, rows = self._state(entity)
        placed = rows.get(state_key)
        if placed is not None and self._moved(system, topic, placed):
            yield f"it changed during the read ({topic}/{placed.partition}/{placed.offset})"

    def _state(self, entity: str) -> tuple[str, Mapping[str, Placed[Any]]]:
        found: dict[str, tuple[str, Mapping[str, Placed[Any]]]] = {
            ASSET: (ASSET_STATE, self._evidence.assets),
            BOOK: (BOOK_STATE, self._evidence.books),
            COST: (COST_STATE, self._evidence.costs),
        }
        return found.get(entity, ("", {}))

    def _moved(self, system: str, topic: str, placed: Placed[Any]) -> bool:
        # A partition without a "began" proves nothing, so everything on it counts as moving (Invariant 12).
        began = self._evidence.systems[system].began.get(f"{topic}/{placed.partition}", 0)
        return placed.offset >= began
