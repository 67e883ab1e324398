"""Dead letters replayed three times after their cause is mended: one effect, whoever sends them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import Producer
from tests.parts.poison import Sent
from tests.scenes.figures import Result
from tests.scenes.stage import Stage, command, until
from tests.scenes.witness import Where, events_of

from tieline.deadletters.desk import carry_out, draw_up, headers_of
from tieline.deadletters.planning import Plan, Selection, plan_discard, plan_replay
from tieline.kernel.inspecting import LogReader
from tieline.kernel.letters import Letter, Standing, read_book
from tieline.kernel.memory import LetterAction

THRICE = 3
REFUSED_KEYS = 40
APART = "apart"
"""A system that nothing flows to but what is refused here."""
SINK = f"sink-{APART}"
PATIENCE_SECS = 120.0
ALL_LETTERS = 1_000_000


def replay_thrice(
    result: Result, stage: Stage, log: LogReader, placed: Mapping[Where, tuple[str, Sent]], kinds: Sequence[str]
) -> None:
    """Killers, whose cause is mended, and one of each malformed kind, whose bytes nobody can mend."""
    book = read_book(log, ["identify"], ALL_LETTERS)
    by_kind: dict[str, list[Letter]] = {}
    for letter in book.letters:
        origin = letter.origin
        assert origin is not None
        kind = placed[Where(origin.topic, origin.partition, origin.offset)][0]
        by_kind.setdefault(kind, []).append(letter)
    killers = by_kind["killer"]
    samples = [by_kind[kind][0] for kind in kinds]
    carried = Counter[int]()
    for turn in range(THRICE):
        for letters in (killers, samples):
            carried[turn] += replay(log, "identify", tuple(letter.letter_id for letter in letters))
        stage.rest(secs=PATIENCE_SECS)
    owed = len(killers) + len(samples)
    late = carried[1] + carried[2]
    result.note("letters replayed the first time", f"{carried[0]} of {owed}", "all", holds=carried[0] == owed)
    result.note("replayed a second and a third time", late, "0: each is refused", holds=late == 0)
    for _ in range(THRICE - 1):
        send_past_the_desk(stage, killers)
    stage.rest(secs=PATIENCE_SECS)
    effects = events_of(stage, killers)
    once = sum(count == 1 for count in effects.values())
    result.note(
        "killers with one event, after three replays by the desk and two past it",
        f"{once} of {len(killers)}",
        "all",
        holds=once == len(killers),
    )
    book = read_book(log, ["identify"], ALL_LETTERS)
    again = [letter for letter in book.letters if letter.attempt > 1 and book.stands(letter) is Standing.OPEN]
    origins = {letter.origin for letter in samples}
    same = sum(letter.origin in origins for letter in again)
    result.note(
        "malformed letters that came back with the coordinates they had",
        f"{same} of {len(samples)}",
        "all",
        holds=same == len(samples) == len(again),
    )


def replay_refused(result: Result, stage: Stage, log: LogReader) -> None:
    """What the target refused is replayed when it refuses no more; of half the keys version 2 overtakes by a person."""
    keys = [f"refused{number}" for number in range(REFUSED_KEYS)]
    stale = keys[: REFUSED_KEYS // 2]
    stage.target.refused.update(keys)
    stage.crew.start([SINK])
    stage.write(command(APART, key, version) for version in (1, 2) for key in keys)
    until(lambda: len(read_book(log, [SINK]).letters) == 2 * REFUSED_KEYS, "all letters", secs=PATIENCE_SECS)
    stage.target.refused.clear()
    book = read_book(log, [SINK])
    firsts = {letter.key: letter for letter in book.letters if book.stands(letter) is Standing.OPEN}
    given_up = tuple(firsts[key].letter_id for key in stale)
    done = plan(log, SINK, Selection(given_up), LetterAction.DISCARD)
    carry_out(
        log,
        done,
        by="scenes",
        reason="stale",
        draw_again=lambda: plan(log, SINK, Selection(given_up), LetterAction.DISCARD),
    )
    until(lambda: _open_heads(log, stale) == len(stale), "version 2 heads its key", secs=PATIENCE_SECS)
    for turn in range(THRICE):
        moved = replay(log, SINK, ())
        owed = 2 * REFUSED_KEYS - len(stale) if turn == 0 else 0
        result.note(
            f"commands replayed the {('first', 'second', 'third')[turn]} time", moved, str(owed), holds=moved == owed
        )
        until(lambda: len(stage.target.journal) >= 2 * REFUSED_KEYS - len(stale), "the effects", secs=PATIENCE_SECS)
    refused = THRICE * len(stale) - sum(
        replay(log, SINK, tuple(firsts[key].letter_id for key in stale)) for _ in range(THRICE)
    )
    result.note(
        "stale replays refused by the desk",
        f"{refused} of {THRICE * len(stale)}",
        "all",
        holds=refused == THRICE * len(stale),
    )
    before = len(stage.target.journal)
    for _ in range(THRICE):
        send_past_the_desk(stage, list(firsts.values()))
    marker = "after"
    stage.write([command(APART, marker, 1), *(command(APART, key, 3) for key in keys)])
    until(lambda: len(stage.target.journal) >= before + 1 + len(keys), "what comes after", secs=PATIENCE_SECS)
    counts = Counter((effect.ref, effect.version) for effect in stage.target.journal)
    twice = sum(count > 1 for count in counts.values())
    stale_effects = sum(counts[key, 1] for key in stale)
    result.note("replayed commands with a second effect", twice, "0", holds=twice == 0)
    result.note("effects of stale versions, by the target's journal", stale_effects, "0", holds=stale_effects == 0)


def plan(log: LogReader, consumer: str, selection: Selection, action: LetterAction) -> Plan:
    """What the desk would do."""
    make = plan_replay if action is LetterAction.REPLAY else plan_discard
    return draw_up(log, [consumer], lambda book: make(book, selection, log.topics), ALL_LETTERS)


def replay(log: LogReader, consumer: str, ids: tuple[str, ...]) -> int:
    """Replay these letters, or all that are pending, at the desk; how many went back."""
    selection = Selection(ids, consumer=None if ids else consumer)
    done = plan(log, consumer, selection, LetterAction.REPLAY)
    if not done.moves:
        return 0
    return carry_out(
        log,
        done,
        by="scenes",
        reason="the cause is mended",
        draw_again=lambda: plan(log, consumer, selection, LetterAction.REPLAY),
    )


def send_past_the_desk(stage: Stage, letters: Sequence[Letter]) -> None:
    """As somebody would who copies records from topic to topic: the headers say what the desk's would."""
    producer = Producer({"bootstrap.servers": stage.hub.landscape.kafka.bootstrap_servers, "log_level": 0})
    for letter in letters:
        origin, record = letter.origin, letter.record
        assert origin is not None
        headers: Any = list(headers_of(letter, LetterAction.REPLAY).items())
        producer.produce(origin.topic, record.value, record.key, origin.partition, headers=headers)
    assert producer.flush(30) == 0


def _open_heads(log: LogReader, keys: Sequence[str]) -> int:
    book = read_book(log, [SINK])
    return len({letter.key for letter in book.letters if letter.key in keys and book.stands(letter) is Standing.OPEN})
