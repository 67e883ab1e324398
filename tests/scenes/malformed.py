"""Reports among which one of a hundred is malformed, in twelve ways, and some end the process that decodes them.

Clean and mixed chunks by turns wait while identify is frozen, then it takes them: its processor time a healthy report
is compared. Then killers are strewn, and identify is started again whenever it ends. Afterwards every malformed record
must be a dead letter with its exact coordinates and bytes, and every healthy one an event. At last causes are mended
(the fault that the killers meet; the target that refuses) and letters are replayed three times, by the desk and past
it.
"""

from __future__ import annotations

import random
import signal
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import Message, Producer
from tests.chaos.hub import ERP
from tests.parts.poison import FOREIGN, REPORTS, Sent, good_report, malformed
from tests.scenes.crew import cpu_secs
from tests.scenes.figures import Result
from tests.scenes.launching import TRAP, TRAP_FILE
from tests.scenes.replays import APART, replay_refused, replay_thrice
from tests.scenes.stage import Stage, open_stage, until
from tests.scenes.witness import Where, count_events, origin_of

from tieline.kernel import dead_letters
from tieline.kernel.consuming import group_of
from tieline.kernel.declarations import schema_text, subject
from tieline.kernel.inspecting import LogReader, all_partitions, read_committed, read_spans

CHUNK = 2_500
"""Healthy reports of one turn."""
HUNDRED = 100
BETWEEN_KILLERS = 1_600
"""Healthy reports for each killer: more than a fetch and the trial after a start take together."""
MOST_KILLERS = 20
PATIENCE_SECS = 600.0


@dataclass(slots=True)
class Senders:
    """A foreign producer, and what it sent where. ``healthy`` counts native ids."""

    stage: Stage
    producer: Producer
    dice: random.Random
    kinds: Sequence[str] = ()
    healthy: int = 0
    placed: dict[Where, tuple[str, Sent]] = field(default_factory=dict)

    def good(self, count: int) -> Iterator[Sent]:
        """So many reports of new assets."""
        for _ in range(count):
            self.healthy += 1
            yield good_report(self.stage.hub.codec, ERP, str(self.healthy))

    def bad(self, count: int) -> Iterator[tuple[str, Sent]]:
        """So many malformed ones, the kinds in turn. None shares its key with another."""
        hub = self.stage.hub
        foreign_id = foreign_schema_id(self.stage)
        for number in range(count):
            kinds = malformed(hub.codec, foreign_id, ERP, f"P{len(self.placed) + number}")
            self.kinds = list(kinds)
            kind = self.kinds[number % len(self.kinds)]
            yield kind, kinds[kind]

    def killers(self, count: int) -> Iterator[tuple[str, Sent]]:
        """So many that end the process."""
        for number in range(count):
            yield "killer", good_report(self.stage.hub.codec, ERP, f"K{number}", description=f"{TRAP} {number}")

    def send(self, good: Iterable[Sent], bad: Sequence[tuple[str, Sent]], share: int) -> None:
        """Send them mixed: one of ``bad`` after each ``share`` of ``good``. Returns when the broker has them."""
        waiting = list(bad)
        for number, sent in enumerate(good, 1):
            self._produce(sent, None)
            if waiting and number % share == 0:
                kind, poison = waiting.pop()
                self._produce(poison, kind)
        for kind, poison in waiting:
            self._produce(poison, kind)
        assert self.producer.flush(60) == 0

    def _produce(self, sent: Sent, kind: str | None) -> None:
        def note(error: object, message: Message) -> None:
            assert error is None, error
            where = Where(message.topic() or "", message.partition() or 0, message.offset() or 0)
            assert kind is not None
            self.placed[where] = kind, sent

        callback: dict[str, Any] = {} if kind is None else {"on_delivery": note}
        # By chance and not by key, as a foreign sender may: there is malformed on every partition.
        partition = self.dice.randrange(self.stage.hub.partitions[REPORTS])
        while True:
            try:
                self.producer.produce(REPORTS, sent.value, sent.key, partition, headers=list(sent.headers), **callback)
            except BufferError:
                self.producer.poll(0.1)
            else:
                self.producer.poll(0)
                return


def foreign_schema_id(stage: Stage) -> int:
    """A schema id that means something on another topic only."""
    hub = stage.hub
    found = hub.codec._registry.id_of(subject(hub.topics[FOREIGN], "CostReport"), schema_text("CostReport"))
    assert found is not None
    return int(found)


def play(folder: Path, size: int) -> Result:
    """``size`` reports, one of a hundred malformed."""
    killers = min(max(size // 10_000, 3), MOST_KILLERS)
    pairs = max((size - killers * BETWEEN_KILLERS) // (2 * CHUNK), 1)
    result = Result("malformed", "")
    trap = folder / "trapped"
    with open_stage(folder, apart=(APART,)) as stage, LogReader(stage.hub) as log:
        bootstrap = stage.hub.landscape.kafka.bootstrap_servers
        producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20, "log_level": 0})
        senders = Senders(stage, producer, random.Random(1))  # noqa: S311  - partitions, no secrets
        stage.crew.environment = {TRAP_FILE: str(trap)}
        stage.crew.start(["identify"])
        senders.send(senders.good(CHUNK), [], 1)  # what is made once, at the first record, is no cost of a report
        until_taken(log)
        clean, mixed = compare(stage, log, senders, pairs)
        began = time.monotonic()
        ends = strew_killers(stage, log, senders, killers)
        strewn_secs = time.monotonic() - began
        reports = senders.healthy + len(senders.placed)
        result.size = f"{reports:,} reports, {len(senders.placed):,} of them malformed in 12 kinds, {killers} killers"
        ratio = statistics.median(b / a for (a, _), (b, _) in zip(clean, mixed, strict=True))
        wall = statistics.median(b / a for (_, a), (_, b) in zip(clean, mixed, strict=True))
        result.note("processor time a healthy report, mixed by clean", f"{ratio:.3f}", "≤ 1.10", holds=ratio <= 1.10)
        result.note("the same by the clock (the machine was shared)", f"{wall:.3f}")
        of_clean = statistics.median(cpu for cpu, _ in clean)
        result.note("identify, processor time a report", f"{1000 * of_clean / CHUNK:.3f} ms")
        note_deaths(result, trap, killers, ends, strewn_secs)
        stage.crew.environment = {}
        stage.crew.start(["accept", "route"])
        stage.rest(secs=PATIENCE_SECS)
        check_letters(result, stage, senders)
        check_events(result, stage, senders)
        stage.crew.end("identify")
        stage.crew.start(["identify"])  # without the trap: the fault is mended
        replay_thrice(result, stage, log, senders.placed, senders.kinds)
        replay_refused(result, stage, log)
    return result


def compare(
    stage: Stage, log: LogReader, senders: Senders, pairs: int
) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Clean and mixed chunks by turns: processor seconds and seconds by the clock that identify took for each."""
    clean: list[tuple[float, float]] = []
    mixed: list[tuple[float, float]] = []
    for number in range(pairs):
        turns = [(clean, 0), (mixed, CHUNK // (HUNDRED // 2) + 1)]  # half the chunks have all that is malformed
        for taken, bad in turns if number % 2 == 0 else turns[::-1]:
            part = stage.crew.running["identify"]
            part.process.send_signal(signal.SIGSTOP)
            senders.send(senders.good(CHUNK), list(senders.bad(bad)), HUNDRED // 2)
            before, began = cpu_secs(part.process.pid), time.monotonic()
            part.process.send_signal(signal.SIGCONT)
            until_taken(log)
            taken.append((cpu_secs(part.process.pid) - before, time.monotonic() - began))
    return clean, mixed


def strew_killers(stage: Stage, log: LogReader, senders: Senders, killers: int) -> int:
    """Killers among healthy reports; identify is started again whenever it ends. Returns how often it ended."""
    senders.send(senders.good(killers * BETWEEN_KILLERS), list(senders.killers(killers)), BETWEEN_KILLERS - 1)
    ends = 0
    deadline = time.monotonic() + PATIENCE_SECS
    while not is_taken(log):
        ends += len(stage.crew.tend())
        assert time.monotonic() < deadline, stage.crew.running["identify"].last_words
        time.sleep(0.1)
    return ends


def until_taken(log: LogReader) -> None:
    """Wait until identify has handled every report."""
    until(lambda: is_taken(log), "identify has taken all", secs=PATIENCE_SECS, pause_secs=0.02)


def is_taken(log: LogReader) -> bool:
    """Whether identify's position stands at the end of the reports."""
    wheres = all_partitions(log, [REPORTS])
    group = group_of("identify")
    committed = read_committed(log, {group: wheres})[group]
    ends = read_spans(log, wheres)
    return all(committed.get(where, 0) >= span.end for where, span in ends.items())


def note_deaths(result: Result, trap: Path, killers: int, ends: int, secs: float) -> None:
    """How often identify, and the children in which it tries, ended at each killer."""
    lines = trap.read_text(encoding="ascii").splitlines() if trap.is_file() else []
    deaths = Counter(line.partition(" ")[2] for line in lines)
    most = ends / max(killers, 1)
    result.note("killers that were met", f"{len(deaths)} of {killers}", "all", holds=len(deaths) == killers)
    result.note("ends of identify for each killer", f"{most:.2f}", "≤ 2", holds=most <= 2)
    tries = sum(deaths.values()) - ends
    result.note("children that ended in its stead, for each killer", f"{tries / max(killers, 1):.2f}")
    result.note("from the first killer until all was taken", f"{secs:.0f} s for {killers * BETWEEN_KILLERS:,} reports")


def check_letters(result: Result, stage: Stage, senders: Senders) -> None:
    """A letter for each, with its exact coordinates and bytes, and none for anything else."""
    seen: Counter[Where] = Counter()
    wrong = []
    for letter in stage.read(dead_letters.dead_letter_topic("identify")):
        where = origin_of(letter)
        seen[where] += 1
        kind, sent = senders.placed.get(where, ("", Sent(None, None)))
        if (letter.key, letter.value) != (sent.key, sent.value):
            wrong.append(f"the letter of {where} has other bytes than were sent there ({kind or 'nothing malformed'})")
    missing = [f"{kind} at {where} has no letter" for where, (kind, _) in senders.placed.items() if not seen[where]]
    twice = [f"{where} has {count} letters" for where, count in seen.items() if count > 1]
    result.faults += [*wrong, *missing, *twice]
    good = len(senders.placed) - len(missing)
    result.note(
        "letters with exact coordinates and bytes",
        f"{good:,} of {len(senders.placed):,}",
        "all, once each, no others",
        holds=not (wrong or missing or twice),
    )


def check_events(result: Result, stage: Stage, senders: Senders) -> None:
    """Each healthy report is one event."""
    counts = count_events(stage)
    wanted = {f"P{number}" for number in range(1, senders.healthy + 1)}
    lost = sum(counts[one] == 0 for one in wanted)
    doubled = sum(counts[one] > 1 for one in wanted)
    others = counts.keys() - wanted
    result.note("healthy reports without an event", lost, "0", holds=lost == 0)
    result.note("healthy reports with two", doubled, "0", holds=doubled == 0)
    result.note("events of what is malformed", len(others), "0", holds=not others)
