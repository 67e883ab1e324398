"""How one report changes the hub's word on an asset: field by field, by the ownership matrix. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from tieline.kernel.asset_records import CLEARABLE, AssetFields, AssetReport, AssetState, PhysicalStatus, Word
from tieline.kernel.conflict_records import ConflictOutcome, ConflictSide
from tieline.kernel.digests import digest_fields
from tieline.kernel.memory import LedgerEntry
from tieline.kernel.ownership import FieldRule, Ownership, Policy
from tieline.kernel.vocabulary import Money
from tieline.processors.retiring import (
    DISPOSAL,
    STATUS,
    is_reinstated,
    outdated_by,
    repeats_a_disposal_taken_back,
    says_gone,
)
from tieline.processors.vectors import HUB, Words, as_text

PURCHASE_LINE = "purchase-line"
SHORTEST_CUT = 8  # no column is narrower; a shorter text is another text


@dataclass(frozen=True, slots=True)
class Collision:
    """Two values of one field of which only one can stand; ``lost`` is the report's, unless it ``REPLACED`` the other.

    ``is_news`` is False for a record that only still holds what it held before.
    """

    field: str
    policy: Policy
    outcome: ConflictOutcome
    standing: ConflictSide
    lost: ConflictSide
    is_concurrent: bool
    is_news: bool


@dataclass(frozen=True, slots=True)
class Merged:
    """The after-image, who vouches for each field, what changed, and what could not stand beside what."""

    fields: AssetFields
    said_by: dict[str, str]
    links: dict[str, str]
    changed: tuple[str, ...]
    refused: Mapping[str, str]
    """Field to who stands against it, of what the report said and did not bring about."""
    collisions: tuple[Collision, ...]
    agreed: tuple[str, ...]
    said_at: dict[str, dt.datetime]
    words: dict[str, tuple[Word, ...]]
    returned: tuple[str, ...]
    """Fields whose value must be written to the system that said it, over an older one on its way there."""


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
    seen: int = 0,
    seen_at_most: int = 0,
    has_waited: bool = False,
) -> Merged:
    """Apply ownership to every field the report speaks of.

    ``seen`` is the hub's version that the system had seen (``vectors.reach``). What was said having seen what stands
    follows it; what was said without is a concurrent edit, and the field's policy decides; the one that loses is a
    collision, whichever it is. A record that still holds what it held before a change it has not seen edits nothing.

    An echo (Invariant 8) contradicts nobody: it confirms what the owner holds, and speaks for itself only where the
    hub has no value (a number the target gave at creation), at the same system's own earlier word, and where the value
    is no form of ours: then somebody edited the record there between our write and the target's answer. While a newer
    version may be on its way (``echo`` is older than the state) such an edit is not taken over, because that write
    would settle it; an edit that is refused is a conflict all the same, and the write, if it comes, ends it.
    A report that ``has_waited`` does not replace what the owner of an open field said after it (Invariant 4).
    A report of a deletion only ends the link. What it says was ``cleared`` is a word like any other, of no value.
    """
    fields = state.fields if state else AssetFields()
    recorded_at = report.origin.recorded_at
    merging = _Merging(state, report, echo, (seen, seen_at_most), has_waited=has_waited)
    rules = ownership.effective(fields.company or report.fields.company, recorded_at.date()).rules
    for name, rule in rules.items():
        cleared = name in CLEARABLE.intersection(report.cleared) and getattr(fields, name) is not None
        if not report.deleted and (cleared or _is_word(getattr(report.fields, name))):
            merging.hear(name, rule, role)
    return merging.finish()


class _Merging:
    """One report on its way into the state, field by field."""

    def __init__(
        self,
        state: AssetState | None,
        report: AssetReport,
        echo: int | None,
        seen: tuple[int, int],
        *,
        has_waited: bool,
    ) -> None:
        self._state = state
        self._report = report
        self._echo = echo
        self._seen = seen
        self._has_waited = has_waited
        self._is_behind = echo is not None and state is not None and echo < state.version
        self._known = state.fields if state else AssetFields()
        self._recorded_at = report.origin.recorded_at
        self._speaker = HUB if report.origin.entity == PURCHASE_LINE else report.origin.system
        self._said_by = dict(state.said_by) if state else {}
        self._said_at = dict(state.said_at) if state else {}
        self._update: dict[str, object] = {}
        self._collisions: list[Collision] = []
        self._agreed: list[str] = []
        self._returned: list[str] = []
        self._words = dict(state.words) if state else {}

    def hear(self, name: str, rule: FieldRule, role: str) -> None:
        """Take over, confirm, pass over or refuse what the report says of a field."""
        said, known = getattr(self._report.fields, name), getattr(self._known, name)
        owns = rule.owner == role and self._speaker != HUB
        if said == known:
            self._agree(name, rule, owns=owns)
            return
        words = Words(self._state, name, self._speaker, *self._seen)
        later = outdated_by(self._state, name, said, self._speaker, self._recorded_at)
        if later or repeats_a_disposal_taken_back(self._state, name, self._speaker, self._update):
            if self._speaker != later:  # its own later word explains it
                self._refuse(name, rule, words, later)
            return
        author = self._said_by.get(name)
        repeats = self._echo is not None and known is not None and author != self._speaker
        if repeats and is_form_of(said, known):
            self._agreed.append(name)
        elif _may_say(
            replace(rule, open=False) if self._is_overtaken(name, words) else rule,
            owns=owns,
            proposes=role in rule.proposers or rule.owner == role,
            known=known,
            author=author,
            speaker=self._speaker,
            is_later=name not in self._said_at or (self._recorded_at, owns) > (self._said_at[name], False),
            follows=words.follows(),
            settles=_settles(words, said, self._speaker),
        ):
            held = words.repeats(said)
            # What its record held before a change it has not seen would undo that change (Invariant 4).
            if not (repeats and self._is_behind) and (held is None or not (held.stands or _weighs_words(rule))):
                self._take(name, rule, words, said, is_shared=not owns or _weighs_words(rule))
        else:
            self._refuse(name, rule, words)

    def finish(self) -> Merged:
        """What the fields heard come to."""
        if is_reinstated(self._state, self._update, self._report, self._speaker):
            self._update.update(dict.fromkeys(DISPOSAL))
            self._said_at.update(dict.fromkeys(DISPOSAL, self._recorded_at))
        fields = self._known.model_copy(update=self._update)
        changed = tuple(name for name in AssetFields.model_fields if name in self._update)
        links = _linked(self._state.links if self._state else {}, self._report)
        return Merged(
            fields,
            self._said_by,
            links,
            changed,
            {one.field: one.standing.system for one in self._collisions if one.lost.system == self._speaker},
            tuple(self._collisions),
            tuple(self._agreed),
            self._said_at,
            self._words,
            tuple(self._returned),
        )

    def _agree(self, name: str, rule: FieldRule, *, owns: bool) -> None:
        # Where a proposer may always speak, agreeing does not make it the owner's word: the proposer may go back.
        if owns and (not _weighs_words(rule) or self._said_by.get(name) == HUB):
            self._said_by[name] = self._speaker
        if name in STATUS and name in self._said_at and self._said_by.get(name) == self._speaker:
            self._said_at[name] = max(self._said_at[name], self._recorded_at)
        if self._speaker == HUB or not (_weighs_words(rule) or name in self._words):
            self._agreed.append(name)
            return
        words = Words(self._state, name, self._speaker, *self._seen)
        at = words.refused_at()
        # Where a person must decide, our own write over what waits there is no decision.
        settles = rule.policy is not Policy.MANUAL or self._echo is None or at is None or self._echo <= at
        if settles:
            self._agreed.append(name)
        confirmed = words.confirmed(settles=settles)
        if confirmed != words.all and (_weighs_words(rule) or at is not None):
            self._words[name] = confirmed

    def _take(self, name: str, rule: FieldRule, words: Words, said: object, *, is_shared: bool) -> None:
        self._update[name] = said
        self._said_by[name] = self._speaker
        if rule.policy is Policy.LWW_BY_VERSION or rule.open or says_gone(name, said) or name in self._said_at:
            self._said_at[name] = self._recorded_at
        if self._speaker == HUB or self._state is None:
            return
        # Its owner's system is never written a field that nobody else ever spoke of: a write back could only undo what
        # a person did there since.
        word = words.said(said, stands=True, may_return=is_shared or words.author is not None)
        if words.author is not None and not words.follows():
            self._collide(name, rule, ConflictOutcome.REPLACED, words, word=word)
        if word.returns:
            self._returned.append(name)
        self._words[name] = words.after(word)

    def _is_overtaken(self, name: str, words: Words) -> bool:
        # Two clocks are compared only where nothing tells whether the one had seen the other's word.
        is_older = self._recorded_at < self._said_at.get(name, self._recorded_at)
        return self._has_waited and is_older and not words.were_written()

    def _refuse(self, name: str, rule: FieldRule, words: Words, by: str | None = None) -> None:
        if self._speaker == HUB:
            return
        said = getattr(self._report.fields, name)
        word = words.said(said, stands=False)
        waits = rule.policy is Policy.MANUAL
        outcome = ConflictOutcome.WAITING if waits else ConflictOutcome.REFUSED
        self._collide(name, rule, outcome, words, word=word, by=by)
        if _weighs_words(rule) and words.repeats(said) is None:
            self._words[name] = words.after(word)

    def _collide(
        self, name: str, rule: FieldRule, outcome: ConflictOutcome, words: Words, *, word: Word, by: str | None = None
    ) -> None:
        """Two values of the field meet: the known one and the report's ``word``."""
        author = words.author
        known = ConflictSide(
            system=by or (author.system if author else self._said_by.get(name, rule.owner)),
            value=as_text(getattr(self._known, name)),
            version=self._state.version if self._state else None,
            seen=words.vector(author),
        )
        said = ConflictSide(
            system=self._speaker,
            value=as_text(getattr(self._report.fields, name)),
            version=word.version if word.stands else None,
            source_version=self._report.origin.source_version,
            seen=words.vector(word),
        )
        standing, lost = (said, known) if outcome is ConflictOutcome.REPLACED else (known, said)
        is_news = words.repeats(getattr(self._report.fields, name)) is None
        concurrent = not words.follows()
        self._collisions.append(Collision(name, rule.policy, outcome, standing, lost, concurrent, is_news))


def _weighs_words(rule: FieldRule) -> bool:
    """Whether more than one system may change a known value: then what was refused or confirmed counts later."""
    return rule.open or rule.policy in {Policy.LWW_BY_VERSION, Policy.MANUAL}


def _settles(words: Words, said: object, speaker: str) -> bool:
    """Whether a word on a MANUAL field was said by somebody who decides: having seen all that it stands against.

    That is an edit of what stands while nothing waits; and what makes the systems that differ say the same.
    """
    waiting = {system: digest for system, digest in words.waiting().items() if system != speaker}
    if words.author is not None and words.author.system != speaker and waiting:
        waiting.setdefault(words.author.system, words.author.digest)
    if not waiting:
        return words.follows()
    return set(waiting.values()) == {words.said(said, stands=False).digest}


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
    rule: FieldRule,
    *,
    owns: bool,
    proposes: bool,
    known: object,
    author: str | None,
    speaker: str,
    is_later: bool,
    follows: bool,
    settles: bool,
) -> bool:
    """Whether this speaker's value replaces the known one (ownership.yaml has the rule in words).

    ``follows``: it was said having seen the known one; ``settles``: nothing that waits is against it.
    """
    is_word = known is not None and author != HUB
    if is_word and rule.policy is Policy.IMMUTABLE:
        return False
    if is_word and (owns or proposes) and speaker != HUB and rule.policy in {Policy.MANUAL, Policy.LWW_BY_VERSION}:
        return settles if rule.policy is Policy.MANUAL else author == speaker or follows or is_later
    if owns or not proposes:
        return owns  # Invariant 9: the owner's word stands
    if known is None:
        return True
    if speaker == HUB:
        return author == HUB
    return (rule.open and follows) or author in {speaker, HUB}


def name_event(
    old: AssetState | None, new: AssetState, changed: tuple[str, ...], recorded_on: dt.date
) -> tuple[str, dt.date]:
    """Name of the event and the business date from which it holds.

    One event a version, named by what weighs most: what the books feel before what only people do. A move with a change
    of cost centre is a change of cost centre (T19); ``changed_fields`` says that it moved too.
    """
    fields = new.fields
    if old is None:
        return "AssetRegistered", fields.acquisition_date or recorded_on
    retired = "physical_status" in changed and fields.physical_status is PhysicalStatus.RETIRED
    if (old.fields.disposal_date is None and fields.disposal_date is not None) or retired:
        return "AssetDisposed", fields.disposal_date or recorded_on
    in_service = "physical_status" in changed and fields.physical_status is PhysicalStatus.IN_SERVICE
    is_here = fields.disposal_date is None and fields.physical_status is not PhysicalStatus.RETIRED
    if (is_here and old.fields.in_service_date is None and fields.in_service_date is not None) or in_service:
        return "AssetPlacedInService", fields.in_service_date or recorded_on
    return _name_move(fields, changed), recorded_on


def _name_move(fields: AssetFields, changed: tuple[str, ...]) -> str:
    if "cost_centre" in changed:
        return "AssetCostCentreChanged"
    if "location" in changed:
        return "AssetMoved"
    if "custodian" in changed:
        return "AssetAssigned" if fields.custodian is not None else "AssetReturned"
    return "AssetChanged"
