"""Parked keys: a failed delivery and everything of the same key behind it, in order, until the desk resolves it.

Each waiting command is a dead letter; the parked row lists their coordinates, oldest first. A replay must start with
the first (Invariants 2 and 6). Only the sink of the target writes these rows.
"""

from __future__ import annotations

from tieline.kernel.clock import Clock
from tieline.kernel.dead_letters import ACTION, bury, clean, first_coordinates
from tieline.kernel.errors import Rejected, Stop
from tieline.kernel.memory import ParkedKey, WaitingLetter
from tieline.kernel.model import Command
from tieline.kernel.records import Inbound, Outbound
from tieline.kernel.settling import entity_of
from tieline.kernel.tables import Table

MAX_WAITING = 1000  # letters behind one key; past it the sink stops rather than grow without bound


class Parking:
    """The parked keys of one target."""

    def __init__(self, consumer: str, system: str, parked: Table[ParkedKey], clock: Clock) -> None:
        self._consumer = consumer
        self._system = system
        self._parked = parked
        self._clock = clock

    def admit(self, lane: str, record: Inbound, command: Command) -> list[Outbound] | None:
        """None if the command may be tried now; else what to write instead of trying it."""
        row = self._parked.get(self._key(lane))
        discard = record.header(ACTION) == "discard"
        if row is None:
            return [] if discard else None
        where = first_coordinates(record)
        waiting = [coordinates_of(letter) for letter in row.letters]
        if where in waiting:
            if discard:
                return self._without(lane, row, where)
            if where == waiting[0]:
                return None
        elif record.coordinates != where:
            return [] if discard else None  # a replay of something resolved long ago: the ledger knows
        elif _lies_before(record, row.letters[0]):
            return []  # what is before the first letter was settled before it; a restart has read it again
        else:
            self._append(lane, row, record, command)
        reason = Rejected(f"waits behind {waiting[0]}", remedy="resolve the first letter of this key")
        return [*self._parked.drain(), bury(self._consumer, record, reason, self._clock())]

    def holds(self, lane: str) -> bool:
        """Whether the key is parked."""
        return self._parked.get(self._key(lane)) is not None

    def park(self, record: Inbound, command: Command, rejection: Rejected) -> list[Outbound]:
        """Park the command's key behind its letter; a letter that fails again keeps its place."""
        lane = record.key_text
        row = self._parked.get(self._key(lane))
        if row is None:
            entity, canonical_id = entity_of(command)
            row = ParkedKey(
                target=self._system,
                entity=entity,
                canonical_id=canonical_id,
                letters=(_letter(record, command),),
                reason=clean(str(rejection)),
                since=self._clock(),
            )
        else:
            row = row.model_copy(update={"reason": clean(str(rejection))})
        self._parked.put(self._key(lane), row)
        return [*self._parked.drain(), bury(self._consumer, record, rejection, self._clock())]

    def release(self, record: Inbound) -> list[Outbound]:
        """A command succeeded: if it was a waiting letter, the next may come; after the last the key flows again."""
        row = self._parked.get(self._key(record.key_text))
        where = first_coordinates(record)
        if row is None or where not in [coordinates_of(letter) for letter in row.letters]:
            return []
        return self._without(record.key_text, row, where)

    def _without(self, lane: str, row: ParkedKey, where: str) -> list[Outbound]:
        letters = tuple(letter for letter in row.letters if coordinates_of(letter) != where)
        if letters:
            self._parked.put(self._key(lane), row.model_copy(update={"letters": letters}))
        else:
            self._parked.delete(self._key(lane))
        return self._parked.drain()

    def _append(self, lane: str, row: ParkedKey, record: Inbound, command: Command) -> None:
        if len(row.letters) >= MAX_WAITING:
            raise Stop(
                f"{self._consumer}: {MAX_WAITING} commands wait behind {self._key(lane)}; resolve its first letter"
            )
        self._parked.put(self._key(lane), row.model_copy(update={"letters": (*row.letters, _letter(record, command))}))

    def _key(self, lane: str) -> str:
        return f"{self._system}/key/{lane}"


def coordinates_of(letter: WaitingLetter) -> str:
    """``topic/partition/offset`` of a waiting letter."""
    return f"{letter.topic}/{letter.partition}/{letter.offset}"


def _lies_before(record: Inbound, letter: WaitingLetter) -> bool:
    here = (letter.topic, letter.partition)
    return (record.topic, record.partition) == here and record.offset < letter.offset


def _letter(record: Inbound, command: Command) -> WaitingLetter:
    topic, partition, offset = first_coordinates(record).rsplit("/", 2)
    return WaitingLetter(
        command_id=command.dispatch.command_id, topic=topic, partition=int(partition), offset=int(offset)
    )
