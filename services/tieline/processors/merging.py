"""How one report changes the hub's word on an asset: field by field, by the ownership matrix. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from tieline.kernel.digests import digest_fields
from tieline.kernel.memory import LedgerEntry
from tieline.kernel.model import AssetFields, AssetReport, AssetState, Money, PhysicalStatus
from tieline.kernel.ownership import STANDING_POLICIES, FieldRule, Ownership, Policy

# Who "said" a value that an order line proposed: both systems may replace it.
HUB = "hub"
PURCHASE_LINE = "purchase-line"
SHORTEST_CUT = 8  # no column is narrower; a shorter text is another text
_MOVES = frozenset({"location", "custodian", "cost_centre"})


@dataclass(frozen=True, slots=True)
class Merged:
    """The after-image, who vouches for each field, what changed, and what was refused (field to who owns it)."""

    fields: AssetFields
    said_by: dict[str, str]
    links: dict[str, str]
    changed: tuple[str, ...]
    refused: Mapping[str, str]
    agreed: tuple[str, ...]
    said_at: dict[str, dt.datetime]


def echoed_version(report: AssetReport, entry: LedgerEntry | None) -> int | None:
    """The version whose write the system answered with exactly this report, its rounding and trimming included (8)."""
    # The stage does not matter: while the next write is under way, the digest is still that of the last one.
    if entry is None or entry.digest is None or entry.digest != digest_fields(report.fields):
        return None
    return entry.applied_version


def merge_report(
    state: AssetState | None,
    report: AssetReport,
    role: str,
    ownership: Ownership,
    *,
    echo: int | None = None,
    has_waited: bool = False,
) -> Merged:
    """Apply ownership to every field the report speaks of.

    An echo (Invariant 8) contradicts nobody: it confirms what the owner holds, and speaks for itself only where the
    hub has no value (a number the target gave at creation), at the same system's own earlier word, and where the value
    is no form of ours: then somebody edited the record there between our write and the target's answer. While a newer
    version may be on its way (``echo`` is older than the state) such an edit is not taken over, because that write
    would settle it; an edit that is refused is a conflict all the same, and the write, if it comes, ends it.
    A report that ``has_waited`` does not replace what the owner of an open field said after it (Invariant 4).
    A report of a deletion only ends the link.
    """
    fields = state.fields if state else AssetFields()
    said_by = dict(state.said_by) if state else {}
    said_at = dict(state.said_at) if state else {}
    recorded_at = report.origin.recorded_at
    speaker = HUB if report.origin.entity == PURCHASE_LINE else report.origin.system
    update: dict[str, object] = {}
    refused: dict[str, str] = {}
    agreed: list[str] = []
    is_behind = echo is not None and state is not None and echo < state.version
    rules = ownership.effective(fields.company or report.fields.company, recorded_at.date()).rules
    for name, rule in rules.items():
        said, known = getattr(report.fields, name), getattr(fields, name)
        if report.deleted or not _is_word(said):
            continue
        owns = rule.owner == role and speaker != HUB
        if said == known:
            agreed.append(name)
            # Where a proposer may always speak, agreeing does not make it the owner's word: the proposer may go back.
            if owns and (not rule.open or said_by.get(name) == HUB):
                said_by[name] = speaker
            continue
        repeats = echo is not None and known is not None and said_by.get(name) != speaker
        if repeats and is_form_of(said, known):
            agreed.append(name)
        elif _may_say(
            replace(rule, open=False) if has_waited and recorded_at < said_at.get(name, recorded_at) else rule,
            owns=owns,
            proposes=role in rule.proposers or rule.owner == role,
            known=known,
            author=said_by.get(name),
            speaker=speaker,
            is_later=name not in said_at or (recorded_at, owns) > (said_at[name], False),
        ):
            if repeats and is_behind:
                continue
            update[name] = said
            said_by[name] = speaker
            if rule.policy is Policy.LWW_BY_VERSION or rule.open:
                said_at[name] = recorded_at
        elif speaker != HUB:
            refused[name] = said_by.get(name, rule.owner)
    changed = tuple(name for name in AssetFields.model_fields if name in update)
    links = _linked(state.links if state else {}, report)
    return Merged(fields.model_copy(update=update), said_by, links, changed, refused, tuple(agreed), said_at)


def _linked(links: Mapping[str, str], report: AssetReport) -> dict[str, str]:
    """The links after the report: an order line is no record of the asset; only the linked record ends its link."""
    origin = report.origin
    if origin.entity == PURCHASE_LINE:
        return dict(links)
    if not report.deleted:
        return {**links, origin.system: origin.native_id}
    return {system: native for system, native in links.items() if (system, native) != (origin.system, origin.native_id)}


def is_form_of(said: object, written: object) -> bool:
    """Whether a target that was given ``written`` may hold it as ``said`` (T27).

    Text in another case, with other spaces, or cut off after ``SHORTEST_CUT`` characters or more; a number or an amount
    rounded. Dates and symbols are kept as they are, or are another word.
    """
    match said, written:
        case StrEnum(), StrEnum():
            return said == written
        case str(), str():
            here, there = _squeezed(said), _squeezed(written)
            return here == there or (len(here) >= SHORTEST_CUT and there.startswith(here))
        case Decimal(), Decimal():
            return _is_rounded(said, written)
        case Money(), Money():
            return said.currency == written.currency and _is_rounded(said.amount, written.amount)
        case _:
            return said == written


def _squeezed(text: str) -> str:
    return " ".join(text.casefold().split())


def _is_rounded(said: Decimal, written: Decimal) -> bool:
    """Whether the two are less than one unit of the last place of ``said`` apart: rounded or cut off there."""
    exponent = said.as_tuple().exponent
    return isinstance(exponent, int) and abs(said - written) < Decimal(1).scaleb(exponent)


def _is_word(said: object) -> bool:
    """Whether a reported value says anything: a code this version does not know must not replace one it does."""
    return said is not None and not (isinstance(said, StrEnum) and said.value == "UNKNOWN")


def _may_say(
    rule: FieldRule, *, owns: bool, proposes: bool, known: object, author: str | None, speaker: str, is_later: bool
) -> bool:
    """Whether this speaker's value replaces the known one (ownership.yaml has the rule in words)."""
    if rule.policy in STANDING_POLICIES and known is not None and author != HUB:
        return False
    if rule.policy is Policy.LWW_BY_VERSION and (owns or proposes) and speaker != HUB:
        return known is None or author in {speaker, HUB} or is_later
    if owns or not proposes:
        return owns  # Invariant 9: the owner's word stands
    if known is None:
        return True
    if speaker == HUB:
        return author == HUB
    return rule.open or author in {speaker, HUB}


def name_event(
    old: AssetState | None, new: AssetState, changed: tuple[str, ...], recorded_on: dt.date
) -> tuple[str, dt.date]:
    """Name of the event and the business date from which it holds."""
    fields = new.fields
    if old is None:
        return "AssetRegistered", fields.acquisition_date or recorded_on
    retired = "physical_status" in changed and fields.physical_status is PhysicalStatus.RETIRED
    if (old.fields.disposal_date is None and fields.disposal_date is not None) or retired:
        return "AssetDisposed", fields.disposal_date or recorded_on
    in_service = "physical_status" in changed and fields.physical_status is PhysicalStatus.IN_SERVICE
    if (old.fields.in_service_date is None and fields.in_service_date is not None) or in_service:
        return "AssetPlacedInService", fields.in_service_date or recorded_on
    if _MOVES & set(changed):
        return "AssetMoved", recorded_on
    return "AssetChanged", recorded_on
