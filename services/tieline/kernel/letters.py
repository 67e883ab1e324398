"""Dead letters as people handle them: where each came from, why it failed, and how it stands now.

A letter's standing is derived, never stored twice: from the parked rows of the sinks, from the cases people decided,
and from the delivery ledger.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tieline.kernel import dead_letters
from tieline.kernel.admitting import decode
from tieline.kernel.command_records import Command, PostCost, RemoveRecord, WriteAsset, WriteBook
from tieline.kernel.declarations import Topic
from tieline.kernel.errors import Rejected
from tieline.kernel.family_records import FamilyCommand
from tieline.kernel.inspecting import LogReader, read_rows, read_tail
from tieline.kernel.memory import LedgerEntry, LetterAction, LetterCase, ParkedKey
from tieline.kernel.parking import coordinates_of
from tieline.kernel.records import Inbound
from tieline.kernel.settling import aggregate_of, is_superseded, ledger_key
from tieline.kernel.topic_names import LEDGER

CASES = "hub.case.state.v1"
PARKED = "hub.parked.state.v1"
DEFAULT_LIMIT = 1000
_MAX_DIGITS = 18  # of an offset in a header; more is nobody's offset


class Standing(StrEnum):
    """How a dead letter stands."""

    OPEN = "open"
    WAITING = "waiting"  # behind another letter of its key
    REPLAYED = "replayed"
    DISCARDED = "discarded"
    SUPERSEDED = "superseded"  # a newer letter, or a newer version at the target, has taken its place


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the record of a letter was first read."""

    topic: str
    partition: int
    offset: int

    @property
    def coordinates(self) -> str:
        """``topic/partition/offset``."""
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True, slots=True)
class Letter:
    """One record of a dead-letter topic. ``consumer`` comes from the topic's name, the rest from its headers."""

    consumer: str
    record: Inbound

    @property
    def letter_id(self) -> str:
        """``consumer/partition/offset``."""
        return f"{self.consumer}/{self.record.partition}/{self.record.offset}"

    @property
    def origin(self) -> Origin | None:
        """Where it says it came from; None if it does not say so in a form that can be one."""
        topic = self.record.header(dead_letters.TOPIC)
        partition = _number(self.record.header(dead_letters.PARTITION))
        offset = _number(self.record.header(dead_letters.OFFSET))
        if not topic or partition is None or offset is None:
            return None
        return Origin(topic, partition, offset)

    @property
    def reason(self) -> str:
        """Why it failed, printable."""
        return self._text(dead_letters.REASON) or "no reason was given"

    @property
    def field(self) -> str | None:
        """Path of the offending value."""
        return self._text(dead_letters.FIELD)

    @property
    def remedy(self) -> str | None:
        """What a person can do."""
        return self._text(dead_letters.REMEDY)

    @property
    def quarantined(self) -> bool:
        """Whether it ends the process that decodes it; nobody does."""
        return self.record.header(dead_letters.QUARANTINED) is not None

    @property
    def attempt(self) -> int:
        """Which attempt failed."""
        return dead_letters.attempt_of(self.record)

    @property
    def failed_at(self) -> dt.datetime:
        """When it was put here (UTC), by the log."""
        return dt.datetime.fromtimestamp(self.record.timestamp_ms / 1000, tz=dt.UTC)

    @property
    def key(self) -> str:
        """The record's key, printable."""
        return dead_letters.clean(self.record.key_text)

    @property
    def parked_key(self) -> str | None:
        """Key of the row that would hold it, if a sink wrote it."""
        system = self.consumer.removeprefix("sink-")
        return f"{system}/key/{self.record.key_text}" if system != self.consumer else None

    def _text(self, header: str) -> str | None:
        value = self.record.header(header)
        return dead_letters.clean(value) if value else None


@dataclass(frozen=True, slots=True)
class Book:
    """The letters looked at, newest first, and how each stands. ``cut``: older ones were not looked at."""

    letters: Sequence[Letter]
    standing: Mapping[str, Standing]
    cases: Mapping[str, LetterCase]
    rows: Mapping[str, ParkedKey]
    cut: bool

    def find(self, letter_id: str) -> Letter | None:
        """The letter of that id, if it is among those looked at."""
        return next((letter for letter in self.letters if letter.letter_id == letter_id), None)

    def stands(self, letter: Letter) -> Standing:
        """How a letter of this book stands."""
        return self.standing[letter.letter_id]

    def count(self, consumer: str, standing: Standing) -> int:
        """Number of letters of a consumer that stand so."""
        return sum(1 for letter in self.letters if letter.consumer == consumer and self.stands(letter) is standing)

    def queue(self, letter: Letter) -> list[tuple[str, Letter | None]]:
        """The parked queue a letter stands in, oldest first: first coordinates and the live letter. Empty if none."""
        row = self.rows.get(letter.parked_key or "")
        if row is None:
            return []
        live = live_letters(self.letters)
        return [(where, live.get((letter.consumer, where))) for where in map(coordinates_of, row.letters)]


def input_topics(topics: Mapping[str, Topic], consumer: str) -> tuple[str, ...]:
    """Topics whose records this consumer handles one by one, by their declarations; its tables are not among them."""
    handled = {"raw", "report", "event", "command", "result"}
    return tuple(name for name, topic in topics.items() if consumer in topic.readers and topic.klass in handled)


def read_book(log: LogReader, consumers: Sequence[str], limit: int = DEFAULT_LIMIT) -> Book:
    """The newest ``limit`` letters of these consumers and their standing. Blocks for some seconds at most.

    Raises ``Unavailable`` or ``Retryable`` when the broker or the registry does not answer.
    """
    names = {dead_letters.dead_letter_topic(consumer): consumer for consumer in consumers}
    records, cut = read_tail(log, list(names), limit)
    letters = [Letter(names[record.topic], record) for record in records]
    cases = read_rows(log, CASES, LetterCase)
    lanes = {letter.parked_key for letter in letters} - {None}
    rows = read_rows(log, PARKED, ParkedKey, keys=[lane for lane in lanes if lane], partition_by=aggregate_of)
    delivered = _delivered(log, [letter for letter in live_letters(letters).values() if letter.parked_key])
    return Book(letters, standings(letters, cases, rows, delivered.__contains__), cases, rows, cut)


def standings(
    letters: Iterable[Letter],
    cases: Mapping[str, LetterCase],
    rows: Mapping[str, ParkedKey],
    is_delivered: Callable[[str], bool],
) -> dict[str, Standing]:
    """Standing by letter id. ``is_delivered``: whether the ledger shows that nothing is left to do for a letter."""
    found = list(letters)
    live = {letter.letter_id for letter in live_letters(found).values()}
    waiting = {key: [coordinates_of(letter) for letter in row.letters] for key, row in rows.items()}

    def stand(letter: Letter) -> Standing:
        case = cases.get(letter.letter_id)
        if case is not None:
            return Standing.DISCARDED if case.action is LetterAction.DISCARD else Standing.REPLAYED
        if letter.letter_id not in live:
            return Standing.SUPERSEDED
        queue = waiting.get(letter.parked_key or "", [])
        where = letter.origin.coordinates if letter.origin else ""
        if where in queue:
            return Standing.OPEN if where == queue[0] else Standing.WAITING
        return Standing.SUPERSEDED if is_delivered(letter.letter_id) else Standing.OPEN

    return {letter.letter_id: stand(letter) for letter in found}


def live_letters(letters: Iterable[Letter]) -> dict[tuple[str, str], Letter]:
    """The newest letter of each record: by consumer and first coordinates (its own id where it names none)."""
    live: dict[tuple[str, str], Letter] = {}
    for letter in letters:
        where = letter.origin.coordinates if letter.origin else letter.letter_id
        known = live.get((letter.consumer, where))
        if known is None or _age(known) < _age(letter):
            live[letter.consumer, where] = letter
    return live


def command_of(log: LogReader, letter: Letter) -> Command | None:
    """The command in a sink's letter; None if its bytes are not one, and of a quarantined one."""
    origin = letter.origin
    if (
        letter.quarantined
        or origin is None
        or origin.topic not in input_topics(log.topics, letter.consumer)
        or letter.record.value is None
    ):
        return None
    try:
        body = log.codec.decode(origin.topic, letter.record.value).body
    except Rejected:
        return None
    return body if isinstance(body, WriteAsset | WriteBook | PostCost | RemoveRecord | FamilyCommand) else None


def content_of(log: LogReader, letter: Letter) -> tuple[str, object] | None:
    """Record name and content of a letter, if the codec of its origin can decode it; None for bytes without schema.

    Also None for a quarantined letter: what decodes that ends.
    """
    origin = letter.origin
    if letter.quarantined or origin is None or origin.topic not in log.topics or log.codec.is_raw(origin.topic):
        return None
    record = letter.record
    typed = decode(log.codec, Inbound(origin.topic, origin.partition, origin.offset, record.key, record.value))
    return typed.name, typed.body.model_dump(mode="json")


def _delivered(log: LogReader, letters: Sequence[Letter]) -> set[str]:
    # A sink that could not even read a command parks nothing, so that no row does not mean: resolved. The ledger knows.
    commands = {letter.letter_id: command for letter in letters if (command := command_of(log, letter)) is not None}
    keys = {ledger_key(command) for command in commands.values()}
    ledger = read_rows(log, LEDGER, LedgerEntry, keys=keys, partition_by=aggregate_of)
    return {name for name, command in commands.items() if is_superseded(command, ledger.get(ledger_key(command)))}


def _age(letter: Letter) -> tuple[int, int]:
    return letter.record.timestamp_ms, letter.record.offset


def _number(text: str | None) -> int | None:
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        return None
    return int(text)
