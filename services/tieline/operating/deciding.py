"""What waits for a person's word on identity, and that word as a record. Pure."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tieline.kernel.errors import Stop
from tieline.kernel.memory import HeldReport, LinkAction, LinkDecision, LinkStatus, XRef
from tieline.kernel.records import Outbound, Typed

DECISIONS = "hub.link-decision.report.v1"
HOLDS = "hub.hold.state.v1"


@dataclass(frozen=True, slots=True)
class LinkCase:
    """One cross-reference as a person sees it. ``reason``: why it waits, if it does; ``waiting``: reports behind it."""

    mapping: str
    row: XRef
    reason: str | None
    waiting: int


def list_cases(rows: Mapping[str, XRef], held: Mapping[str, HeldReport], *, everything: bool = False) -> list[LinkCase]:
    """What is proposed, oldest first; with ``everything`` also what people decided or merged."""
    behind: dict[str, int] = {}
    for hold in held.values():
        behind[hold.waits_for] = behind.get(hold.waits_for, 0) + 1
    cases = [
        LinkCase(mapping, row, held[mapping].reason if mapping in held else None, behind.get(mapping, 0))
        for mapping, row in rows.items()
        if row.status is LinkStatus.PROPOSED
        or (everything and (row.linked_by or row.merged_from or row.status is not LinkStatus.LINKED))
    ]
    return sorted(cases, key=lambda case: (case.row.linked_at, case.mapping))


def find_rows(rows: Mapping[str, XRef], text: str) -> dict[str, XRef]:
    """Cross-references of a record (system/entity/native id) or of a canonical id, also of one that was merged.

    Raises ``Stop`` if there is none.
    """
    found = {key: row for key, row in rows.items() if text in {key, row.canonical_id} or text in row.merged_from}
    if not found:
        raise Stop(f"nothing is linked as {text!r}; give system/entity/native id as list shows it, or a canonical id")
    return found


def decide_record(
    action: LinkAction,
    mapping: str,
    row: XRef | None,
    *,
    canonical_id: str | None,
    by: str,
    reason: str,
    at: dt.datetime,
) -> LinkDecision:
    """A decision on a proposed record. Raises ``Stop`` if there is none to decide."""
    if row is None:
        raise Stop(f"there is no record {mapping!r}; see: tieline links list")
    if row.status is not LinkStatus.PROPOSED:
        raise Stop(f"{mapping} is {row.status.lower()}, not proposed; see: tieline links list --all")
    wanted = canonical_id or row.canonical_id
    return _decision(action, by, reason, at, mapping=mapping, canonical_id=wanted)


def decide_pair(
    action: LinkAction, survivor: str, other: str, rows: Iterable[XRef], *, by: str, reason: str, at: dt.datetime
) -> LinkDecision:
    """A merge or its undoing. Raises ``Stop`` if the two are one already, or are not merged."""
    merged = any(other in row.merged_from and row.canonical_id == survivor for row in rows)
    if survivor == other:
        raise Stop(f"both are {survivor}; a merge needs two different assets")
    if action is LinkAction.MERGE and merged:
        raise Stop(f"{other} is merged into {survivor} already")
    if action is LinkAction.UNMERGE and not merged:
        raise Stop(f"{other} is not merged into {survivor}; see: tieline links list --all")
    return _decision(action, by, reason, at, canonical_id=survivor, other_id=other)


def to_record(decision: LinkDecision) -> Outbound:
    """The decision on its topic; all decisions on one thing or record have one order."""
    return Outbound(DECISIONS, decision.mapping or decision.canonical_id, Typed("LinkDecision", decision))


def cases_json(cases: Sequence[LinkCase]) -> str:
    """A JSON array; times ISO 8601 in UTC."""
    found = [
        {"mapping": c.mapping, "reason": c.reason, "waiting": c.waiting, **c.row.model_dump(mode="json")} for c in cases
    ]
    return json.dumps(found, indent=2)


def _decision(action: LinkAction, by: str, reason: str, at: dt.datetime, **what: str) -> LinkDecision:
    if not reason.strip():
        raise Stop("a decision needs a reason: --reason TEXT")
    return LinkDecision(decision_id=str(uuid.uuid4()), action=action, by=by, reason=reason.strip(), at=at, **what)
