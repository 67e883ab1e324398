"""Joins and leaves, twenty a minute: how long no position of a partition moves while records come to it.

A stage is one process with all its partitions, so a join is a successor that fences the one before it, and a leave is
an end (SIGTERM, or kill -9) after which a supervisor starts the next.
"""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.hub import WORKS
from tests.chaos.load import last_of
from tests.chaos.processes import FENCED
from tests.scenes.commits import Load
from tests.scenes.crew import Crew
from tests.scenes.figures import Result
from tests.scenes.histories import asset_faults, noted
from tests.scenes.stage import Stage, open_stage, until

from tieline.kernel.consuming import group_of
from tieline.kernel.inspecting import LogReader, Where, all_partitions, read_committed
from tieline.kernel.topic_names import IDENTIFIED

INPUTS: Mapping[str, str] = {
    "identify": "asset.asset.report.v1",
    "accept": IDENTIFIED,
    "route": "asset.asset.event.v1",
    f"sink-{WORKS}": f"sink.{WORKS}.command.v1",
}
PER_MINUTE = 20
LOOK_SECS = 0.5
BOUND_SECS = 30.0
PATIENCE_SECS = 240.0


@dataclass(slots=True)
class Idleness:
    """How long each partition's position has stood still, at most."""

    since: dict[tuple[str, Where], tuple[int, float]] = field(default_factory=dict)
    longest: dict[tuple[str, Where], float] = field(default_factory=dict)

    def look(self, positions: Mapping[str, Mapping[Where, int]], now_secs: float) -> None:
        """Take positions by group."""
        for group, of_group in positions.items():
            for where, position in of_group.items():
                at = group, where
                before, since = self.since.get(at, (-1, now_secs))
                if position != before:
                    self.since[at] = position, now_secs
                self.longest[at] = max(self.longest.get(at, 0.0), now_secs - since)


def play(folder: Path, size: int) -> Result:
    """``size`` joins and leaves."""
    dice = random.Random(5)  # noqa: S311  - who and when, no secrets
    result = Result("storm", "")
    idleness = Idleness()
    with open_stage(folder) as stage, LogReader(stage.hub) as log:
        crew = stage.crew
        crew.start([*INPUTS])
        load = Load(stage)
        thread = threading.Thread(target=load.run)
        thread.start()
        try:
            wanted = {group_of(name): all_partitions(log, [topic]) for name, topic in INPUTS.items()}
            until(lambda: _all_flow(log, wanted), "every partition flows", secs=PATIENCE_SECS)
            done, took_secs = blow(stage, log, wanted, idleness, dice=dice, size=size)
        finally:
            load.ended.set()
            thread.join()
        until(lambda: _all_there(stage, load), "the last version of every asset is there", secs=PATIENCE_SECS)
        stage.rest(secs=PATIENCE_SECS)
        tend(crew)
        told = ", ".join(f"{count} {what}" for what, count in sorted(done.items()))
        result.size = f"{done.total()} ({told}) in {took_secs / 60:.1f} minutes, {len(load.sent):,} reports"
        per_minute = 60 * done.total() / took_secs
        result.note(
            "joins and leaves a minute", f"{per_minute:.1f}", f"{PER_MINUTE}", holds=per_minute >= PER_MINUTE - 1
        )
        for name in INPUTS:
            longest = [secs for (group, _), secs in idleness.longest.items() if group == group_of(name)]
            worst = max(longest)
            result.note(
                f"longest without a move: {name}, any of {len(longest)} partitions",
                f"{worst:.1f} s",
                "≤ 30 s",
                holds=worst <= BOUND_SECS,
            )
        faults = asset_faults(stage, load.sent, WORKS)
        result.note("reports or effects lost, doubled or out of order", len(faults), "0", holds=not faults)
        result.note("replaced copies that ended and said why", crew.fenced)
        result.note("ends that nobody caused", len(crew.crashes), "0", holds=not crew.crashes)
        result.faults += [*faults, *crew.crashes]
    return result


def blow(
    stage: Stage,
    log: LogReader,
    wanted: Mapping[str, list[Where]],
    idleness: Idleness,
    *,
    dice: random.Random,
    size: int,
) -> tuple[Counter[str], float]:
    """Join after leave after join, and look at positions all the time. Gives what was done, in how many seconds."""
    done: Counter[str] = Counter()
    began = time.monotonic()
    while done.total() < size:
        due = began + done.total() * 60 / PER_MINUTE
        while time.monotonic() < due:
            idleness.look(read_committed(log, wanted), time.monotonic())
            tend(stage.crew)
            time.sleep(LOOK_SECS)
        done[strike(stage.crew, dice)] += 1
    took_secs = time.monotonic() - began + 60 / PER_MINUTE
    for _ in range(int(BOUND_SECS / LOOK_SECS)):
        idleness.look(read_committed(log, wanted), time.monotonic())
        time.sleep(LOOK_SECS)
    return done, took_secs


def strike(crew: Crew, dice: random.Random) -> str:
    """One process joins or leaves; of those that are at work, if any is."""
    at_work = [name for name, copy in crew.running.items() if copy.is_started] or list(crew.running)
    name = dice.choice(at_work)
    what = dice.choice(["joins", "joins", "leaves by SIGTERM", "leaves by kill -9"])
    if what != "joins":
        copy = crew.running[name]
        copy.killed = True
        copy.process.send_signal(signal.SIGKILL if "kill" in what else signal.SIGTERM)
    crew.launch(name)
    return what


def tend(crew: Crew) -> None:
    """Start again who ended; an end that is not that of one who has been replaced is a crash."""
    for copy in crew.tend():
        if FENCED in copy.last_words:
            crew.fenced += 1
        else:
            crew.crashes.append(f"{copy.name} ended with {copy.process.returncode}: {copy.last_words}")


def _all_flow(log: LogReader, wanted: Mapping[str, list[Where]]) -> bool:
    found = read_committed(log, wanted)
    return all(found[group].get(where, 0) > 0 for group, wheres in wanted.items() for where in wheres)


def _all_there(stage: Stage, load: Load) -> bool:
    tend(stage.crew)
    return last_of(load.sent) <= {noted(effect).version for effect in list(stage.target.journal)}
