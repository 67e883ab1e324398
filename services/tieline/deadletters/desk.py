"""The desk: reads the letters, checks a plan against the log itself, and carries it out in transactions.

A letter's replay and the note that it was replayed are one transaction: a desk that is killed has done both or none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from tieline.deadletters.planning import Move, Plan, refuse
from tieline.kernel import broker, dead_letters
from tieline.kernel.clock import Clock, utc_now
from tieline.kernel.consuming import FENCED
from tieline.kernel.errors import Stop, Unavailable
from tieline.kernel.inspecting import LogReader, Span, Where, Window, read_spans, read_windows
from tieline.kernel.letters import CASES, DEFAULT_LIMIT, Book, Letter, Origin, read_book
from tieline.kernel.memory import LetterAction, LetterCase
from tieline.kernel.producing import Writer
from tieline.kernel.records import Inbound, Outbound, Typed

DESK = "desk"  # transactional id: a second desk fences the first, so that no letter is replayed twice
LETTERS_PER_TRANSACTION = 200
# What a letter says about its failure; the record that goes back is as it first came.
_OF_THE_LETTER = frozenset(
    {
        dead_letters.REASON,
        dead_letters.FIELD,
        dead_letters.REMEDY,
        dead_letters.CONSUMER,
        dead_letters.TOPIC,
        dead_letters.PARTITION,
        dead_letters.OFFSET,
        dead_letters.TIMESTAMP_MS,
        dead_letters.FAILED_AT,
        dead_letters.ATTEMPT,
        dead_letters.REPLAY_OF,
        dead_letters.ACTION,
    }
)

Planner = Callable[[Book], Plan]


def draw_up(log: LogReader, consumers: Sequence[str], planner: Planner, limit: int = DEFAULT_LIMIT) -> Plan:
    """The plan as things stand now, every origin checked against the log. Writes nothing."""
    return check_origins(log, planner(read_book(log, consumers, limit)))


def check_origins(log: LogReader, plan: Plan) -> Plan:
    """Refuse each move whose bytes or key are not those of the record at the coordinates it names.

    A record that retention has removed cannot be compared: then the letter's own bytes count.
    """
    targets = {move.target for move in plan.moves if move.target is not None}
    spans = read_spans(log, {(t.topic, t.partition) for t in targets})
    stored = _read_origins(log, targets, spans)

    def fault(move: Move) -> str | None:
        origin = move.target
        if origin is None or origin.offset < spans[origin.topic, origin.partition].first:
            return None
        record = stored.get(origin)
        if record is None:
            return f"it claims to come from {origin.coordinates}, where the log has no record"
        # Invariant 13: only what is stored goes back, and only to where it is stored.
        if (record.value, record.key) != (move.letter.record.value, move.letter.record.key):
            return f"its bytes are not those of {origin.coordinates}: the letter was not written by the hub"
        return None

    return refuse(plan, fault)


def carry_out(
    log: LogReader,
    plan: Plan,
    *,
    by: str,
    reason: str | None,
    draw_again: Callable[[], Plan],
    clock: Clock = utc_now,
    limit: int = LETTERS_PER_TRANSACTION,
) -> int:
    """Do what the plan says and note it; returns the number of letters dealt with. Blocks until it is committed.

    ``draw_again`` gives the plan anew once any other desk is fenced: if letters were settled since the plan was shown,
    nothing is written. Raises ``Stop`` then, and when another desk takes over.
    """
    if plan.action is LetterAction.DISCARD and not reason:
        raise Stop("a discard needs a reason: --reason TEXT")
    producer = broker.start_producer(log.landscape.kafka, DESK, lambda: True, on_wait=_give_up)
    if draw_again().moves != plan.moves:
        raise Stop("the letters have changed since the plan was shown; nothing was done, look again")
    writer = Writer(DESK, log.codec, log.partitions, clock)
    done = 0
    for group in _groups(plan.moves, limit):
        try:
            producer.begin_transaction()
            for ordinal, move in enumerate(group):
                if move.target is not None:
                    _send(producer, move.target, move.letter, plan.action)
                case = LetterCase(
                    letter_id=move.letter.letter_id,
                    action=plan.action,
                    by=by,
                    reason=dead_letters.clean(reason) if reason else None,
                    at=clock(),
                    attempt=move.letter.attempt,
                )
                note = Outbound(CASES, case.letter_id, Typed("LetterCase", case))
                writer.write(producer, note, move.letter.record, ordinal)
            producer.commit_transaction(broker.CALL_TIMEOUT_SECS)
        except KafkaException as error:
            raise _failed(error, done, len(plan.moves)) from error
        done += len(group)
    return done


def headers_of(letter: Letter, action: LetterAction) -> dict[str, str | bytes]:
    """Headers of the record that goes back: its own, where it first was, and which attempt comes now."""
    origin = letter.origin
    headers: dict[str, str | bytes] = {n: v for n, v in letter.record.headers if n not in _OF_THE_LETTER}
    return headers | {
        dead_letters.REPLAY_OF: origin.coordinates if origin else "",
        dead_letters.ATTEMPT: str(letter.attempt + 1),
        dead_letters.ACTION: action.value.lower(),
    }


def _send(producer: Producer, target: Origin, letter: Letter, action: LetterAction) -> None:
    record = letter.record
    arguments: dict[str, Any] = {"headers": list(headers_of(letter, action).items())}
    while True:
        try:
            producer.produce(target.topic, value=record.value, key=record.key, partition=target.partition, **arguments)
        except BufferError:
            producer.poll(0.1)
        else:
            return


def _read_origins(log: LogReader, origins: set[Origin], spans: Mapping[Where, Span]) -> dict[Origin, Inbound]:
    """The records at these coordinates, in as few passes as there are letters on the fullest partition."""
    found: dict[Origin, Inbound] = {}
    waiting: dict[Where, list[int]] = {}
    for origin in origins:
        span = spans[origin.topic, origin.partition]
        if span.first <= origin.offset < span.end:
            waiting.setdefault((origin.topic, origin.partition), []).append(origin.offset)
    for offsets in waiting.values():
        offsets.sort()

    def take(record: Inbound) -> None:
        where = Origin(record.topic, record.partition, record.offset)
        if where in origins:
            found[where] = record

    while waiting:
        windows: dict[Where, Window] = {}
        for where, offsets in list(waiting.items()):
            run, rest = _split_run(offsets)
            windows[where] = Window(spans[where].first, run[0], run[-1] + 1)
            if rest:
                waiting[where] = rest
            else:
                del waiting[where]
        read_windows(log, windows, take)
    return found


def _split_run(offsets: list[int], reach: int = 1000) -> tuple[list[int], list[int]]:
    """The offsets worth reading in one go: no gap longer than ``reach`` between them. Then the rest."""
    for at in range(1, len(offsets)):
        if offsets[at] - offsets[at - 1] > reach:
            return offsets[:at], offsets[at:]
    return offsets, []


def _groups(moves: Sequence[Move], limit: int) -> Iterator[list[Move]]:
    """Moves in transactions of about ``limit``; a lane is never divided."""
    group: list[Move] = []
    for move in moves:
        if len(group) >= limit and move.lane != group[-1].lane:
            yield group
            group = []
        group.append(move)
    if group:
        yield group


def _give_up(why: str) -> None:
    raise Unavailable(f"the broker does not answer: {why}")


def _failed(error: KafkaException, done: int, wanted: int) -> Stop:
    cause = error.args[0]
    fenced = isinstance(cause, KafkaError) and cause.code() in FENCED
    why = "another desk has taken over" if fenced else f"the broker refused the transaction ({cause})"
    return Stop(f"{why}; {done} of {wanted} letters were dealt with, look again: tieline dead-letters list")
