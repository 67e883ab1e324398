"""One command to its outcome: the effect state machine of a delivery, without Kafka.

           ┌── already applied, or older than what is applied ──▶ superseded
command ───┤
           └── intent ──▶ call ──▶ confirmed
                           │  └──▶ rejected ──▶ (the loop buries it and parks its key)
                           └── no trustworthy answer ──▶ read back ──▶ confirmed, or call again
                                                            └── no answer to that either ──▶ rejected, in doubt
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tieline.kernel.command_records import Command, PostCost, RemoveRecord, WriteAsset, WriteBook
from tieline.kernel.errands import Withheld
from tieline.kernel.errors import OutcomeUnknown, Rejected, Retryable, Unavailable
from tieline.kernel.family_records import FamilyCommand
from tieline.kernel.guarding import Gate, Postponed, Tries
from tieline.kernel.memory import LedgerEntry, Stage
from tieline.kernel.metrics import Cause
from tieline.kernel.protocols import Sink, Written

ATTEMPTS = 5
FIRST_PAUSE_SECS = 0.2
LONGEST_PAUSE_SECS = 3.0
# A request whose answer was lost may still be at work at the target; reading back at once would miss its effect.
READ_BACK_PAUSES_SECS = (0.3, 1.5)
MORE_READ_BACK_PAUSES_SECS = (LONGEST_PAUSE_SECS,) * 3  # only while the reading itself fails

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The target holds the command's state."""

    written: Written


@dataclass(frozen=True, slots=True)
class Failed:
    """The command cannot succeed as it is; ``attempts`` were made.

    ``in_doubt`` says that one of them may have taken effect: whoever tries again reads back first (Invariant 5).
    """

    rejection: Rejected
    attempts: int
    in_doubt: bool = False
    cause: Cause = Cause.REFUSED


@dataclass(frozen=True, slots=True)
class Superseded:
    """Nothing was sent: the target already holds this version or a newer one, or gets ``by_version`` in its stead."""

    entry: LedgerEntry | None
    by_version: int | None = None


Outcome = Confirmed | Failed | Superseded


def entity_of(command: Command) -> tuple[str, str]:
    """Entity and canonical id a command is about: the ledger's key, target aside. A book's is ``asset id|book id``."""
    match command:
        case WriteAsset():
            return "asset", command.asset_id
        case WriteBook():
            return "book", f"{command.asset_id}|{command.fields.book_id}"
        case PostCost():
            return "cost-document", command.cost_doc_id
        case RemoveRecord():
            return command.entity, command.record_id
        case FamilyCommand():
            return command.family.name, command.record_id


def ledger_key(command: Command) -> str:
    """``target/entity/canonical id``."""
    entity, canonical_id = entity_of(command)
    return f"{command.dispatch.target}/{entity}/{canonical_id}"


def aggregate_of(key: str) -> str:
    """Canonical id that decides the partition of ``target/entity/canonical id``: a book lives with its asset."""
    return key.split("/", 2)[2].split("|", 1)[0]


def is_superseded(command: Command, entry: LedgerEntry | None) -> bool:
    """Whether there is nothing left to do for a command, by the ledger."""
    if entry is None:
        return False
    dispatch = command.dispatch
    if entry.command_id == dispatch.command_id and entry.stage is Stage.CONFIRMED:
        return True  # Invariant 3: one effect per (target, entity, version)
    if dispatch.repair_id is not None:
        # A repair writes the version that is already applied once more; never an older one.
        return dispatch.version < entry.applied_version
    return dispatch.version <= entry.applied_version  # Invariant 4: an older version never overwrites a newer one


def overtaken_by(command: Command, entry: LedgerEntry | None) -> int | None:
    """The newer version that was begun when this command was passed over for it; None if it was not.

    Asked of the first of a lane, after a restart: what was begun before it lies behind it in the log, so the command
    was settled then. To write it now would put an older version over one that may have arrived (Invariants 4 and 5).
    """
    if entry is None or entry.stage is not Stage.INTENT or command.dispatch.repair_id is not None:
        return None
    return entry.version if entry.version > command.dispatch.version else None


def needs_read_back(command: Command, entry: LedgerEntry | None) -> bool:
    """Whether an earlier attempt at this very command may have taken effect without our knowing."""
    in_doubt = entry is not None and entry.stage in {Stage.INTENT, Stage.UNKNOWN}
    return in_doubt and entry is not None and entry.command_id == command.dispatch.command_id


async def settle(
    command: Command,
    native_id: str | None,
    sink: Sink,
    *,
    uncertain: bool,
    sleep: Sleep = asyncio.sleep,
    gate: Gate | None = None,
    tries: Tries | None = None,
) -> Confirmed | Failed:
    """Bring one command to its outcome; retries in place, at most ``ATTEMPTS`` times, then gives up as ``Failed``.

    ``uncertain`` says that an earlier attempt may have taken effect: it is looked for before anything is sent.
    Every call passes the target's ``gate``; ``tries`` is the same object each time the same command comes.
    Raises ``Unavailable`` when the target is out: then nothing is known to have been sent by the last attempt, and the
    caller comes back with ``uncertain=True``. ``Postponed`` (it is paused, or its retries are spent) is one of them.
    """
    guarded = _Guarded(sink, gate or Gate(), ledger_key(command), tries or Tries())
    try:
        outcome = await _settle(command, native_id, guarded, uncertain=uncertain, sleep=sleep)
    except _InDoubtError as error:
        guarded.gate.ended(guarded.key)
        reason = f"nobody knows whether it took effect: the target cannot be read back ({error})"
        rejection = Rejected(reason, remedy="replay it when the target answers: it is read first")
        return Failed(rejection, 1, in_doubt=True, cause=Cause.IN_DOUBT)
    except Unavailable:
        if guarded.gate.is_paused:
            guarded.tries.failures = 0  # Invariant 7: what an outage did is not the record's fault
        raise
    guarded.gate.ended(guarded.key)
    return outcome


@dataclass(frozen=True, slots=True)
class _Guarded:
    """A sink behind its target's gate, for one command."""

    sink: Sink
    gate: Gate
    key: str
    tries: Tries

    def is_alone(self, error: Unavailable) -> bool:
        """Whether the target is out for this record and for no other: it is there, and cannot take this one."""
        return not isinstance(error, Postponed | Withheld) and not self.gate.is_paused and self.gate.blames(self.key)

    async def write(self, command: Command, native_id: str | None) -> Written:
        return await self.gate.write(self.key, self.tries, lambda: self.sink.write(command, native_id))

    async def read_back(self, command: Command, native_id: str | None) -> Written | None:
        return await self.gate.read(self.key, lambda: self.sink.read_back(command, native_id))


class _InDoubtError(Exception):
    """A request may have taken effect, and the target does not say whether."""


@dataclass(frozen=True, slots=True)
class _Again:
    """The attempt failed, and the target shows no effect of it: it may be tried again."""

    why: Exception
    asked_secs: float = 0.0


async def _settle(
    command: Command, native_id: str | None, sink: _Guarded, *, uncertain: bool, sleep: Sleep
) -> Confirmed | Failed:
    if uncertain:
        # Invariant 5: an unknown outcome is read back before anything is sent again.
        found = await _read_back(command, native_id, sink, sleep)
        if found is not None:
            return Confirmed(found)
    tries = sink.tries
    while isinstance(outcome := await _try_once(command, native_id, sink, sleep), _Again):
        tries.failures += 1
        if tries.failures >= ATTEMPTS and not sink.gate.is_paused:
            break
        if outcome.asked_secs > LONGEST_PAUSE_SECS:
            raise Postponed(f"the target asks for a pause: {outcome.why}", outcome.asked_secs)
        longest_secs = min(FIRST_PAUSE_SECS * 2 ** (tries.failures - 1), LONGEST_PAUSE_SECS)
        jitter_secs = random.uniform(0, longest_secs)  # noqa: S311  - full jitter, not a secret
        await sleep(max(outcome.asked_secs, jitter_secs))
    else:
        return outcome
    in_doubt = isinstance(outcome.why, OutcomeUnknown)
    cause = Cause.IN_DOUBT if in_doubt else Cause.GAVE_UP
    return Failed(_gave_up(tries.failures, outcome.why), tries.sent, in_doubt, cause)


async def _try_once(
    command: Command, native_id: str | None, sink: _Guarded, sleep: Sleep
) -> Confirmed | Failed | _Again:
    tries = sink.tries
    try:
        return Confirmed(await sink.write(command, native_id))
    except Rejected as rejection:
        return Failed(rejection, tries.sent)
    except Unavailable as error:
        if not sink.is_alone(error):
            raise
        return Failed(_gave_up(tries.sent, error), tries.sent, cause=Cause.GAVE_UP)
    except OutcomeUnknown as error:
        found = await _read_back(command, native_id, sink, sleep)
        return _Again(error) if found is None else Confirmed(found)
    except Retryable as error:
        return _Again(error, error.retry_after_secs or 0.0)


def _gave_up(attempts: int, last: Exception) -> Rejected:
    return Rejected(f"gave up after {attempts} attempts: {last}", remedy="mend the cause, then replay")


async def _read_back(command: Command, native_id: str | None, sink: _Guarded, sleep: Sleep) -> Written | None:
    """What the target holds of the command, asked more than once: the first answer may come too early.

    That it holds nothing counts only from an answer, and not from an early one. Raises ``_InDoubtError`` without one.
    """
    last: Exception | None = None
    for number, pause_secs in enumerate((*READ_BACK_PAUSES_SECS, *MORE_READ_BACK_PAUSES_SECS), 1):
        await sleep(pause_secs)
        try:
            found = await sink.read_back(command, native_id)
        except (Retryable, OutcomeUnknown) as error:
            last = error
            continue
        except Unavailable as error:
            if not sink.is_alone(error):
                raise
            last = error
            break
        if found is not None or number >= len(READ_BACK_PAUSES_SECS):
            return found
    raise _InDoubtError(str(last)) from last
