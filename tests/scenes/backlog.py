"""Commands that wait for a sink while more arrive: how fast it starts, drains, and what memory it takes on the way.

The ledger knows every asset already (one row each, version 1); a command of version 2 waits for each; version 3 of
some arrives meanwhile. None is passed over: each is one effect, in order, by the target's own journal. At the end the
sink is killed and started again on the ledger as it is then, with intent and outcome of every command in it.
"""

from __future__ import annotations

import signal
import statistics
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.hub import WORKS
from tests.scenes.crew import cpu_secs, resident_mb
from tests.scenes.figures import Result
from tests.scenes.stage import Stage, command, open_stage, until

from tieline.kernel.clock import utc_now
from tieline.kernel.memory import LedgerEntry
from tieline.kernel.memory import Stage as Delivery
from tieline.kernel.records import Outbound, Typed
from tieline.kernel.settling import aggregate_of
from tieline.kernel.topic_names import LEDGER

SINK = f"sink-{WORKS}"
ARRIVALS_PER_SEC = 100
"""Three times what 50,000 reports in 25 minutes are (tests/load)."""
ARRIVAL_SECS = 0.5
START_BOUND_SECS = 10.0
PATIENCE_SECS = 3_600.0
WARM = 0.1
"""Share of the drain after which memory is watched: buffers and connections are there by then."""


def play(folder: Path, size: int) -> Result:
    """``size`` commands wait, and as many assets are in the ledger."""
    result = Result("backlog", "")
    with open_stage(folder, latency_secs=0.005) as stage:
        stage.write(ledger_rows(size))
        stage.write(command(WORKS, name(number), 2) for number in range(size))
        begun = time.monotonic()
        stage.crew.launch(SINK)
        first_secs = until_first(stage, 0, begun)
        drain = Drain(stage, size, begun)
        drain.run()
        result.size = f"{size:,} commands wait, {drain.arrived:,} arrive, {size:,} assets in the ledger"
        tell_drain(result, drain)
        tell_start(result, "cold start to the first effect", size, first_secs)
        check_journal(result, stage, size, drain.arrived)
        stage.crew.end(SINK, signal.SIGKILL)
        stage.write([command(WORKS, name(0), 4)])
        before, begun = len(stage.target.journal), time.monotonic()
        stage.crew.launch(SINK)
        rows = size + 2 * (size + drain.arrived)
        tell_start(result, "start after a kill -9 to the first effect", rows, until_first(stage, before, begun))
    return result


def name(number: int) -> str:
    """An asset's canonical id."""
    return f"A{number}"


def ledger_rows(count: int) -> Iterator[Outbound]:
    """Every asset confirmed at version 1, as a sink's recorder writes it."""
    for number in range(count):
        asset = name(number)
        entry = LedgerEntry(
            target=WORKS,
            entity="asset",
            canonical_id=asset,
            command_id=f"{WORKS}/asset/{asset}/1",
            version=1,
            applied_version=1,
            stage=Delivery.CONFIRMED,
            native_id=asset,
            digest="0" * 64,
            at=utc_now(),
        )
        key = f"{WORKS}/asset/{asset}"
        yield Outbound(LEDGER, key, Typed("LedgerEntry", entry), partition_key=aggregate_of(key))


@dataclass(slots=True)
class Drain:
    """The sink at work while commands arrive, and samples of it: time, effects, MB, processor seconds."""

    stage: Stage
    waiting: int
    begun: float
    arrived: int = 0
    samples: list[tuple[float, int, float, float]] = field(default_factory=list)

    def run(self) -> None:
        """Until everything that waited and came has its effect; nothing comes any more after what waited is gone."""
        ends = threading.Event()
        arrivals = threading.Thread(target=self._arrive, args=(ends,))
        arrivals.start()
        try:
            until(lambda: self._sampled() >= self.waiting, "the backlog is gone", secs=PATIENCE_SECS, pause_secs=1.0)
        finally:
            ends.set()
            arrivals.join()
        until(lambda: self._sampled() >= self.waiting + self.arrived, "all is gone", secs=PATIENCE_SECS, pause_secs=1.0)

    def _arrive(self, ends: threading.Event) -> None:
        share = int(ARRIVALS_PER_SEC * ARRIVAL_SECS)
        due = time.monotonic()
        while not ends.wait(max(due - time.monotonic(), 0.0)):
            due += ARRIVAL_SECS
            start, self_size = self.arrived, self.waiting
            numbers = [number % self_size for number in range(start, start + share)]
            version = 3 + start // self_size
            self.stage.write([command(WORKS, name(number), version) for number in numbers], account="arrivals")
            self.arrived += share

    def _sampled(self) -> int:
        pid = self.stage.crew.running[SINK].process.pid
        effects = len(self.stage.target.journal)
        self.samples.append((time.monotonic(), effects, resident_mb(pid), cpu_secs(pid)))
        return effects


def until_first(stage: Stage, before: int, begun: float) -> float:
    """Seconds from a process's start to the first effect after ``before`` others."""
    until(lambda: len(stage.target.journal) > before, "a first effect", secs=PATIENCE_SECS, pause_secs=0.01)
    return stage.target.journal[before].at_secs - begun


def tell_start(result: Result, what: str, rows: int, secs: float) -> None:
    """A start, against its bound."""
    holds = secs <= START_BOUND_SECS
    result.note(f"{what}, {rows:,} records of the ledger read first", f"{secs:.1f} s", "≤ 10 s", holds=holds)


def tell_drain(result: Result, drain: Drain) -> None:
    """Rate and memory."""
    (began, before, _, cpu_before), (ended, after, _, cpu_after) = drain.samples[0], drain.samples[-1]
    rate = (after - before) / (ended - began)
    per = rate / ARRIVALS_PER_SEC
    result.note(
        "drained, while 100 a second arrived",
        f"{rate:.0f} a second, {per:.1f} times arrival",
        "≥ 2 times",
        holds=per >= 2,
    )
    result.note("processor time of the sink a command", f"{1000 * (cpu_after - cpu_before) / (after - before):.2f} ms")
    watched = [mb for _, effects, mb, _ in drain.samples if effects > WARM * after]
    middle = statistics.median(watched)
    spread = max(max(watched) - middle, middle - min(watched)) / middle
    result.note(
        "memory from a tenth of the way to the end",
        f"{min(watched):.0f} to {max(watched):.0f} MB, ± {100 * spread:.1f} %",
        "± 5 %",
        holds=spread <= 0.05,
    )


def check_journal(result: Result, stage: Stage, size: int, arrived: int) -> None:
    """Each command one effect; each key's in order."""
    wanted = {(name(number), 2) for number in range(size)}
    wanted |= {(name(number % size), 3 + number // size) for number in range(arrived)}
    last: dict[str, int] = {}
    seen = set()
    doubled = disordered = 0
    for effect in list(stage.target.journal):
        doubled += (effect.ref, effect.version) in seen
        disordered += effect.version < last.get(effect.ref, 0)
        seen.add((effect.ref, effect.version))
        last[effect.ref] = effect.version
    result.note("commands without an effect", len(wanted - seen), "0", holds=not wanted - seen)
    result.note("second effects", doubled, "0", holds=doubled == 0)
    result.note("effects out of their key's order", disordered, "0", holds=disordered == 0)
