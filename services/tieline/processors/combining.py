"""Merging duplicates of one thing, and separating them again: which records count as which thing.

A merged thing's records move to the survivor and remember where they came from; where the survivor has a record of that
system already, the moved one becomes a second record, whose reports go with it and change none of its fields.
"""

from __future__ import annotations

from collections.abc import Collection

from tieline.kernel.errors import Rejected
from tieline.kernel.memory import LinkDecision, LinkStatus, XRef
from tieline.processors.links import Links


def merge_links(links: Links, decision: LinkDecision, books_kept_by: Collection[str]) -> str:
    """Move the records of ``other_id`` to ``canonical_id``, which is returned. Raises ``Rejected`` if it cannot be."""
    survivor, merged = _things(decision)
    for name, thing in (("canonical_id", survivor), ("other_id", merged)):
        if links.survivor(thing) != thing:
            raise Rejected(f"{thing} counts as {links.survivor(thing)} since a merge", field=name)
        if not links.knows_asset(thing):
            raise Rejected(f"{thing} is no asset of the hub", field=name, remedy="give canonical ids: tieline trace")
    for _, row in links.attached(merged):
        other = links.linked(survivor, row.system, row.entity)
        if row.entity == "asset" and other is not None and row.system in books_kept_by:
            raise Rejected(
                f"{row.native_id} and {other.native_id} of {row.system} both stand in the books",
                field="other_id",
                remedy=f"transfer one to the other in {row.system} first: its ledger is not the hub's to change",
            )
    for key, row in links.attached(merged):
        is_taken = links.linked(survivor, row.system, row.entity) is not None
        update = {
            "canonical_id": survivor,
            "merged_from": (*row.merged_from, merged),
            "status": LinkStatus.MERGED_INTO if is_taken else row.status,
        }
        links.table.put(key, row.model_copy(update=update))
    return survivor


def separate_links(links: Links, decision: LinkDecision) -> str:
    """Give ``other_id`` its records back, as they stood before (T39); returns the survivor, ``canonical_id``."""
    survivor, merged = _things(decision)
    rows = links.merged_from(merged)
    if not rows or links.survivor(merged) != survivor:
        raise Rejected(f"{merged} is not merged into {survivor}", field="other_id", remedy="see: tieline links list")
    later = [row for _, row in rows if row.merged_from[-1] != merged]
    if later:
        raise Rejected(
            f"{later[0].merged_from[-1]} was merged into {survivor} after that",
            field="other_id",
            remedy="undo the merges in the reverse order",
        )
    for key, row in rows:
        links.table.put(key, _given_back(links, row, merged))
    return survivor


def _given_back(links: Links, row: XRef, merged: str) -> XRef:
    is_taken = links.linked(merged, row.system, row.entity) is not None
    update = {
        "canonical_id": merged,
        "merged_from": row.merged_from[:-1],
        "status": LinkStatus.MERGED_INTO if is_taken else LinkStatus.LINKED,
    }
    return row.model_copy(update=update)


def _things(decision: LinkDecision) -> tuple[str, str]:
    survivor, merged = decision.canonical_id, decision.other_id
    if not survivor or not merged or survivor == merged:
        raise Rejected("a merge needs two different things", field="other_id")
    return survivor, merged
