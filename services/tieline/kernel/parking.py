"""Parked keys: a failed delivery and everything of the same key behind it, in order, until the desk resolves it.

Each waiting command is a dead letter; the parked row lists their coordinates, oldest first. A replay must start with
the first (Invariants 2 and 6). Only the sink of the target writes these rows. By a flow's policy (error_policies.py)
a newer command may replace those that wait, or nothing waits at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tieline.kernel.clock import Clock
from tieline.kernel.coalescing import Statement, statement_of
from tieline.kernel.command_records import Command, RemoveRecord
from tieline.kernel.dead_letters import ACTION, bury, clean, first_coordinates
from tieline.kernel.error_policies import OnError
from tieline.kernel.errors import Rejected, Stop
from tieline.kernel.key_states import KeyEvent, state_after
from tieline.kernel.memory import ParkedKey, WaitingLetter
from tieline.kernel.records import Inbound, Outbound
from tieline.kernel.settling import entity_of
from tieline.kernel.tables import Table

MAX_WAITING = 1000  # letters behind one key; past it the sink stops rather than grow without bound


class Parking:
    """The parked keys of one target."""

    def __init__(
        self,
        consumer: str,
        system: str,
        parked: Table[ParkedKey],
        clock: Clock,
        policies: Mapping[str, OnError] = MappingProxyType({}),
    ) -> None:
        self._policies = policies
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
        elif _lies_before(record, row.letters[0]) or (discard and record.coordinates != where):
            return []  # what is before the first letter was settled before it; a restart has read it again
        elif record.coordinates != where or self._passes(row, command):
            return None  # a replay of something resolved long ago: the ledger knows
        else:
            self._append(lane, row, record, command)
        reason = Rejected(f"waits behind {waiting[0]}", remedy="resolve the first letter of this key")
        return [*self._parked.drain(), bury(self._consumer, record, reason, self._clock())]

    def holds(self, lane: str) -> bool:
        """Whether the key is parked."""
        return self._parked.get(self._key(lane)) is not None

    def park(self, record: Inbound, command: Command, rejection: Rejected) -> list[Outbound]:
        """Park the command's key behind its letter; a letter that fails again keeps its place.

        Where what is behind may go on, the letter is all, and the key flows.
        """
        lane = record.key_text
        row = self._parked.get(self._key(lane))
        entity, canonical_id = entity_of(command)
        letter = bury(self._consumer, record, rejection, self._clock())
        if row is None:
            if self._policy_of(command) is OnError.CONTINUE:
                return [letter]
            row = ParkedKey(
                target=self._system,
                entity=entity,
                canonical_id=canonical_id,
                letters=(_letter(record, command),),
                reason=clean(str(rejection)),
                since=self._clock(),
            )
        else:
            state = state_after(row.state, KeyEvent.GAVE_UP)
            row = row.model_copy(update={"reason": clean(str(rejection)), "state": state})
        self._parked.put(self._key(lane), row)
        if self._passes(row, command):  # it was to replace those that wait, and now waits behind them
            self._append(lane, row, record, command)
        return [*self._parked.drain(), letter]

    def release(self, record: Inbound, command: Command) -> list[Outbound]:
        """A command succeeded: if it was a waiting letter, the next may come; after the last the key flows again.

        If it replaced all that waited, the key flows at once.
        """
        lane = record.key_text
        row = self._parked.get(self._key(lane))
        where = first_coordinates(record)
        if row is None:
            return []
        if where in [coordinates_of(letter) for letter in row.letters]:
            return self._without(lane, row, where)
        if not self._passes(row, command):
            return []
        self._parked.delete(self._key(lane))
        return self._parked.drain()

    def _passes(self, row: ParkedKey, command: Command) -> bool:
        """Whether a command may go before everything that waits, because it says all of that anew."""
        if self._policy_of(command) is not OnError.SKIP_IF_NEWER or (says := statement_of(command)) is None:
            return False
        said = [_said_by(letter) for letter in row.letters]
        return all(one is not None and says.stands_for(one) for one in said)

    def _policy_of(self, command: Command) -> OnError:
        # What only a person's repair issues is no flow's, and keeps its place.
        kind = None if isinstance(command, RemoveRecord) else entity_of(command)[0]
        return self._policies.get(kind or "", OnError.HOLD)

    def _without(self, lane: str, row: ParkedKey, where: str) -> list[Outbound]:
        letters = tuple(letter for letter in row.letters if coordinates_of(letter) != where)
        if letters:
            is_first = where == coordinates_of(row.letters[0])
            state = state_after(row.state, KeyEvent.RESOLVED) if is_first else row.state
            self._parked.put(self._key(lane), row.model_copy(update={"letters": letters, "state": state}))
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


def _said_by(letter: WaitingLetter) -> Statement | None:
    """What the command in a letter says; None for one that no later command can replace."""
    if not letter.version:
        return None
    record = letter.command_id.removesuffix(f"/{letter.version}")
    known = frozenset() if letter.native_id is None else frozenset((letter.native_id,))
    return Statement(record, letter.version, frozenset(letter.fields), known)


def _letter(record: Inbound, command: Command) -> WaitingLetter:
    topic, partition, offset = first_coordinates(record).rsplit("/", 2)
    says = statement_of(command)
    return WaitingLetter(
        command_id=command.dispatch.command_id,
        topic=topic,
        partition=int(partition),
        offset=int(offset),
        version=says.version if says else 0,
        fields=tuple(sorted(says.fields)) if says else (),
        native_id=next(iter(says.known), None) if says else None,
    )
