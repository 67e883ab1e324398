"""conflicts: a row as long as two words differ. Which words those are, each processor says for itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tieline.kernel.memory import Conflict
from tieline.kernel.tables import Table


def conflict_key(row: Conflict) -> str:
    """``canonical id|field|system``."""
    return f"{row.canonical_id}|{row.field}|{row.system}"


def conflicts_over(
    conflicts: Table[Conflict], systems: Iterable[str], canonical_id: str, field: str
) -> Iterator[tuple[str, Conflict]]:
    """Key and row of each conflict of these systems over one field."""
    for system in systems:
        key = f"{canonical_id}|{field}|{system}"
        if (known := conflicts.get(key)) is not None:
            yield key, known


def keep_conflict(conflicts: Table[Conflict], row: Conflict) -> None:
    """Keep a conflict: a known one since it was detected first, and untouched where nothing about it changed."""
    key = conflict_key(row)
    known = conflicts.get(key)
    kept = row if known is None else row.model_copy(update={"detected_at": known.detected_at})
    if kept != known:
        conflicts.put(key, kept)
