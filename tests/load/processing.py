"""Processor time a report of identify, accept and route: their real loops and codec over the log in memory.

``python -m tests.load.processing --assets 300 --months 3`` tells a synthetic year, chapter by chapter. No broker, no
network: what is measured is the hub's own work, and the log's in memory with it (a few microseconds a record). Compare
two versions by turns on one machine; a single figure says as much about the machine.
"""

from __future__ import annotations

import argparse
import cProfile
import datetime as dt
import hashlib
import pstats
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import cast
from unittest import mock

import yaml
from tests.simulation.estate import Ids, Notes
from tests.simulation.log import Log

from tieline.kernel import broker
from tieline.kernel.codecs import Codec
from tieline.kernel.consuming import Runtime, TransactionalLoop
from tieline.kernel.declarations import topics_for
from tieline.kernel.landscape import Landscape
from tieline.kernel.producing import Writer
from tieline.kernel.sweeping import sweeping
from tieline.kernel.telemetry import Log as Telemetry
from tieline.processors.wiring import build_processor
from tieline.synthetic.estate import landscape_text
from tieline.synthetic.shape import Shape
from tieline.synthetic.year import Arrival, make_year, outbound

STAGES = ("identify", "accept", "route")
PARTITIONS = 3
WARM_UP = Shape(assets=20, months=2)
"""Told first and not counted: what is made once, at the first record of a kind, is no cost of a report."""


def now() -> dt.datetime:
    """Time stands still, so that the same reports give the same bytes."""
    return dt.datetime(2027, 2, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Bench:
    """A hub in memory, and the processor seconds of each stage."""

    log: Log
    runtime: Runtime
    plan: Landscape
    secs: dict[str, float]
    handled: dict[str, int]
    sweep: Callable[[], None]
    """What a process does after each turn."""

    def start(self, name: str) -> TransactionalLoop:
        """A processor, as it starts: with its tables read."""
        loop = TransactionalLoop(build_processor(name, self.plan, now), self.runtime)
        loop.start()
        return loop

    def rest(self, loops: Mapping[str, TransactionalLoop]) -> None:
        """Stage by stage until nothing more comes of what was said."""
        moved = 1
        while moved:
            moved = 0
            for name, loop in loops.items():
                began = time.process_time()
                while count := loop.run_once(0.0):
                    moved += count
                    self.handled[name] += count
                    self.sweep()
                self.secs[name] += time.process_time() - began


def open_bench(sweep: Callable[[], None]) -> Bench:
    """The synthetic organisation's landscape over an empty log."""
    plan = Landscape.model_validate(yaml.safe_load(landscape_text()))
    topics = {topic.name: topic for topic in topics_for(plan)}
    partitions = dict.fromkeys(topics, PARTITIONS)
    log = Log(partitions, random.Random(1), lambda _: None)  # noqa: S311  - the order of partitions
    runtime = Runtime(
        plan.kafka, Codec(topics, Ids(topics)), partitions, cast("Telemetry", Notes()), lambda: False, now
    )
    return Bench(log, runtime, plan, dict.fromkeys(STAGES, 0.0), dict.fromkeys(STAGES, 0), sweep)


def tell_year(bench: Bench, shape: Shape) -> int:
    """The year through the hub. Returns the number of reports."""
    writer = Writer("bench", bench.runtime.codec, bench.runtime.partitions, now)
    producer = broker.open_producer(bench.plan.kafka, "bench")
    producer.init_transactions(1.0)
    loops = {name: bench.start(name) for name in STAGES}
    told = make_year(shape).reports(Arrival("shuffled"))
    reports = 0
    for _, chapter in groupby(told, key=lambda one: one.chapter):
        producer.begin_transaction()
        for ordinal, one in enumerate(chapter):
            writer.write(producer, outbound(one.report), None, ordinal)
            reports += 1
        producer.commit_transaction(1.0)
        bench.rest(loops)
    return reports


@contextmanager
def opened() -> Iterator[Bench]:
    """A bench in the broker's place."""
    with sweeping() as sweep:
        bench = open_bench(sweep)
        with (
            mock.patch.object(broker, "Consumer", bench.log.open_consumer),
            mock.patch.object(broker, "Producer", bench.log.open_producer),
        ):
            yield bench


def measure(shape: Shape) -> None:
    """Tell the year, start each stage anew on what it left, and print the figures."""
    with opened() as bench:
        tell_year(bench, WARM_UP)
    with opened() as bench:
        reports = tell_year(bench, shape)
        letters = [m for topic in bench.runtime.partitions if "dead-letter" in topic for m in bench.log.all_of(topic)]
        say(f"{reports} reports, {len(letters)} dead letters")
        for name in STAGES:
            say(f"{name} {1000 * bench.secs[name] / reports:.3f} ms a report, {bench.handled[name]} records")
        say(f"together {1000 * sum(bench.secs.values()) / reports:.3f} ms a report")
        for name in STAGES:
            began = time.process_time()
            bench.start(name)
            say(f"{name} starts in {time.process_time() - began:.3f} s")
        say(f"the log's hash is {digest(bench)}")


def digest(bench: Bench) -> str:
    """A hash of every record on every topic, to the byte: two versions that behave alike agree in it."""
    records = (
        (message.at, message.at_offset, message.content)
        for topic in sorted(bench.runtime.partitions)
        for message in bench.log.all_of(topic)
    )
    return hashlib.blake2b(repr(list(records)).encode(), digest_size=8).hexdigest()


def say(text: str) -> None:
    """One line of figures."""
    print(text)  # noqa: T201  - the figures are what this is for


def main() -> None:
    """Measure, or with ``--profile`` show where the time goes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=int, default=300)
    parser.add_argument("--months", type=int, default=3)
    parser.add_argument("--profile", action="store_true", help="where the time goes, the dearest functions first")
    given = parser.parse_args()
    run: Callable[[], None] = lambda: measure(Shape(assets=given.assets, months=given.months))  # noqa: E731
    if not given.profile:
        run()
        return
    profile = cProfile.Profile()
    profile.runcall(run)
    pstats.Stats(profile).sort_stats("tottime").print_stats(45)


if __name__ == "__main__":
    main()
