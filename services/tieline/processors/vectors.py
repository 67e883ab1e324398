"""Who had seen what when he spoke: whether an edit follows another one or was made beside it. Pure.

All words on an asset pass the hub, so a version vector needs no entry per pair of systems: a word is known by its
system and the hub's version that took it over, and by the version up to which its system had seen the hub's word. A
word follows another one if it was said having seen it; two of which neither follows the other are concurrent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from decimal import Decimal

from tieline.kernel.asset_records import AssetReport, AssetState, Word
from tieline.kernel.memory import LedgerEntry, Stage
from tieline.kernel.vocabulary import Money

HUB = "hub"
"""Who "said" a value that an order line proposed: both systems may replace it."""
KEPT_STANDING = 16
"""Words that stood which are kept per field, beside each system's last: a record that lags further behind than so many
changes of one field may have its former value taken for an edit."""
REGISTERED = 1
"""Version of the hub's first word on an asset; fields without words of their own were said then."""


def reach(report: AssetReport, entry: LedgerEntry | None, echo: int | None) -> int:
    """The hub's version that the reporting system had seen: the last one confirmed there before the report; 0 for none.

    Both times are of the system's own clock, so no clock is compared with another (a ledger row of an earlier version
    of the product has the sink's time only). In doubt the write was not seen: then a person may be asked for nothing,
    while the other mistake would lose an edit.
    """
    if entry is None or echo is not None:
        return echo or 0
    confirmed_at = entry.recorded_at or (entry.at if entry.stage is Stage.CONFIRMED else None)
    same = entry.source_version is not None and entry.source_version == report.origin.source_version
    later = confirmed_at is not None and report.origin.recorded_at > confirmed_at
    return entry.applied_version if same or later else 0


def as_text(value: object) -> str | None:
    """A field's value as text, the same for the same number, however many zeros it came with."""
    match value:
        case None:
            return None
        case Money():
            return f"{_plain(value.amount)} {value.currency}"
        case Decimal():
            return _plain(value)
        case _:
            return str(value)


def digest_of(value: object) -> str:
    """BLAKE2b-64 (16 hex digits) of a value's text: a former value is only ever compared."""
    return hashlib.blake2b((as_text(value) or "").encode(), digest_size=8).hexdigest()


class Words:
    """The words on one field, and how a new one of ``speaker`` stands to them.

    A refused word is among them until its system agrees or says something else that stands: so long it waits.
    ``seen`` is what the speaker had seen for certain, ``at_most`` what it may have (of two writes between a reading
    and its report the ledger knows the last one only).
    """

    def __init__(self, state: AssetState | None, name: str, speaker: str, seen: int, at_most: int = 0) -> None:
        self._speaker = speaker
        self._at_most = at_most
        self._version = state.version if state else 0
        known = getattr(state.fields, name) if state else None
        self.all = _known(state, name, known)
        self._standing = _last_run(self.all, digest_of(known)) if known is not None else ()
        self._written = seen
        self._sent = state.sent.get(speaker, 0) if state else 0
        self._seen = max([seen, *(word.seen for word in self.all if word.system == speaker)])

    @property
    def author(self) -> Word | None:
        """The word that the field's value is of; None where the hub itself proposed it, or there is none."""
        return self._standing[0] if self._standing else None

    def follows(self) -> bool:
        """Whether what the speaker says now was said having seen what stands."""
        said = any(word.system == self._speaker for word in self._standing)
        return self.author is None or said or self.author.version <= self._seen

    def were_written(self) -> bool:
        """Whether what stands was written into the speaker's record before it spoke."""
        return self.author is not None and self.author.version <= self._written

    def repeats(self, value: object) -> Word | None:
        """The word that the speaker's record held before, if the value is only that: nobody edited it since."""
        digest, own = digest_of(value), [word for word in self.all if word.system == self._speaker]
        if self.author is None:
            return None
        if own and not own[-1].stands and own[-1].digest == digest:
            return own[-1]  # nothing else was read there since, whatever was sent
        held = self._held(self.all)
        if held is not None and held.digest == digest:
            return held
        # Between what it has seen and what it may have seen, any of our writes may be what it holds.
        maybe = [word for word in self.all if self._is_written(word) and self._written < word.version <= self._at_most]
        return next((word for word in maybe if word.digest == digest), None)

    def waiting(self) -> dict[str, str]:
        """Systems with a refused word, and its hash."""
        return {word.system: word.digest for word in self.all if not word.stands}

    def said(self, value: object, *, stands: bool, may_return: bool = True) -> Word:
        """The speaker's new word on the field; ``may_return``: the hub writes the field to the speaker's system."""
        return Word(
            system=self._speaker,
            version=self._version + 1 if stands else self._version,
            seen=self._seen,
            digest=digest_of(value),
            stands=stands,
            returns=stands and may_return and self._is_under_way(),
        )

    def after(self, word: Word) -> tuple[Word, ...]:
        """The words with the speaker's new one: what was refused of it is past, and so is what said the same."""
        others = [one for one in self.all if one.stands or word.digest != one.digest]
        return _kept([*(one for one in others if one.stands or one.system != self._speaker), word])

    def confirmed(self, *, settles: bool) -> tuple[Word, ...]:
        """The words once the speaker's record says what stands; ``settles``: somebody there made it say so."""
        if self.author is None:
            return self.all
        words = [word for word in self.all if word.stands or word.system != self._speaker or not settles]
        held, own = self._held(words), [word for word in words if word.system == self._speaker]
        if held is None or held.digest != self.author.digest or (own and not own[-1].stands):
            seen = max(self._seen, self.author.version)
            digest = self.author.digest
            words.append(Word(system=self._speaker, version=self._version, seen=seen, digest=digest))
        return _kept(words) if words != list(self.all) else self.all

    def refused_at(self) -> int | None:
        """Up to which version the speaker had seen the hub's word when its own, which waits, was refused."""
        return next((word.seen for word in self.all if word.system == self._speaker and not word.stands), None)

    def vector(self, word: Word | None) -> dict[str, int]:
        """The hub's version that a word had last seen of each system that spoke of the field."""
        if word is None:
            return {}
        systems = {self._speaker, *(other.system for other in self.all)}
        return {system: word.version if system == word.system else word.seen for system in sorted(systems)}

    def _held(self, words: Sequence[Word]) -> Word | None:
        """What the speaker's record held last: what was said there, or what was written there since."""
        found, latest = None, (0, False)
        stood = [word for word in words if word.stands and word.version <= self._written]
        author = _last_run(stood, stood[-1].digest)[0] if stood else None
        for word in words:
            if self._is_written(word) and word.version <= self._written:
                # A write carries the whole record, so that the last one put the value there that stood then: not what
                # stood before, and no value whose author the system itself is.
                place = (self._written if word is author else word.version, False)
            elif word.system == self._speaker:
                place = (word.seen, True)
            else:
                continue
            if place >= latest:
                found, latest = word, place
        return found

    def _is_written(self, word: Word) -> bool:
        return word.stands and (word.system != self._speaker or word.returns)

    def _is_under_way(self) -> bool:
        """Whether a write of another value may still reach the speaker's record, over what it says now."""
        if self.author is not None and self.author.system == self._speaker:
            return self.author.returns and self.author.version > self._written
        return self._sent > self._written


def _known(state: AssetState | None, name: str, known: object) -> tuple[Word, ...]:
    if state is None:
        return ()
    words, author = state.words.get(name, ()), state.said_by.get(name)
    if known is None or author in {None, HUB} or _last_run(words, digest_of(known)):
        return words
    return (*words, Word(system=author, version=REGISTERED, seen=0, digest=digest_of(known)))


def _last_run(words: Sequence[Word], digest: str) -> tuple[Word, ...]:
    """The last standing words, as far as they say the same; empty if that is not the value of this hash."""
    run: list[Word] = []
    for word in reversed([word for word in words if word.stands]):
        if word.digest != digest:
            break
        run.append(word)
    return tuple(reversed(run))


def _kept(words: Sequence[Word]) -> tuple[Word, ...]:
    """The words that later reports are measured by: the last ones that stand, and the last of each system."""
    standing = [word for word in words if word.stands][-KEPT_STANDING:]
    last = {(word.system, word.stands): word for word in words}
    return tuple(word for word in words if any(word is one for one in (*standing, *last.values())))


def _plain(number: Decimal) -> str:
    return format(number.normalize(), "f")
