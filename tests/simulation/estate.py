"""The whole hub in one thread: real loops and processors over the log in memory, killed and restarted by seed."""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Protocol, cast

import pytest
from confluent_kafka import KafkaError, KafkaException
from tests.simulation.log import Killed, Log
from tests.simulation.systems import Api, System
from tests.simulation.virtual_time import VirtualTime, virtual_runner

from tieline.kernel import broker, calling, capturing, consuming, delivering, metering, positions, vetting
from tieline.kernel import metrics as metrics_module
from tieline.kernel.capturing import SourceLoop
from tieline.kernel.codecs import Codec
from tieline.kernel.consuming import Runtime, TransactionalLoop
from tieline.kernel.declarations import Topic, schema_text, subject, topics_for
from tieline.kernel.delivering import DeliveryLoop
from tieline.kernel.landscape import Landscape
from tieline.kernel.metrics import Metrics
from tieline.kernel.records import Inbound
from tieline.kernel.telemetry import Log as Telemetry
from tieline.kernel.trials import Attempt, Death
from tieline.processors.wiring import build_processor

AM, ERP = "am", "erp"
PARTITIONS = 3
FATES = ("busy", "lost", "late", "unanswered", "out")


class Loop(Protocol):
    """A process's main loop, whichever."""

    def start(self) -> None: ...

    def run_once(self, timeout_secs: float) -> object: ...


class Ids:
    """A registry in memory with every declared subject; equal text has one id under all of its subjects, as there."""

    def __init__(self, topics: Mapping[str, Topic]) -> None:
        self._texts: list[str] = []
        self._subjects: dict[str, set[str]] = {}
        for topic in topics.values():
            for name in topic.records:
                text = schema_text(name)
                if text not in self._subjects:
                    self._texts.append(text)
                self._subjects.setdefault(text, set()).add(subject(topic, name))

    def id_of(self, subject_name: str, text: str) -> int | None:
        """See ``SchemaIds``."""
        return self._texts.index(text) + 1 if subject_name in self._subjects.get(text, ()) else None

    def find(self, schema_id: int) -> tuple[str, frozenset[str]] | None:
        """See ``SchemaIds``."""
        if not 0 < schema_id <= len(self._texts):
            return None
        text = self._texts[schema_id - 1]
        return text, frozenset(self._subjects[text])


class Notes:
    """What the processes logged; a defect of ours fails the simulation where it happened."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Mapping[str, object]]] = []

    def info(self, event: str, **fields: object) -> None:
        self.seen.append((event, fields))

    warning = info

    def fault(self, event: str, **fields: object) -> None:
        raise AssertionError(f"{event} {fields}") from sys.exception()


@dataclass
class Trouble:
    """What goes wrong, by the dice, while ``on``."""

    dice: random.Random
    on: bool = True
    kills: int = 0
    breaks: int = 0
    kill_chance: float = 0.02
    break_chance: float = 0.03
    fate_chance: float = 0.1
    aim: Callable[[str], None] | None = None
    """Decides alone, if it is there, what happens at each point."""
    fates: list[str] | None = None
    """What becomes of the next writes, one after the other, if it is there; those after them go well."""

    def point(self, label: str) -> None:
        """A step at which a process can die, or a commit lose its answer."""
        if self.aim is not None:
            self.aim(label)
            return
        if not self.on:
            return
        if self.dice.random() < self.kill_chance:
            self.kills += 1
            raise Killed(label)
        if label.endswith("commit") and self.dice.random() < self.break_chance:
            self.breaks += 1
            raise lost_answer(label)

    def fate(self, kind: str) -> str:
        """What becomes of a request."""
        if self.fates is not None:
            return self.fates.pop(0) if self.fates and kind == "write" else "ok"
        if not self.on or self.dice.random() >= self.fate_chance:
            return "ok"
        return self.dice.choice(FATES)

    def latency_secs(self) -> float:
        """How long a request takes to arrive."""
        return self.dice.uniform(0.01, 0.5)


def in_process(records: Sequence[Inbound], attempt: Attempt) -> Death | None:
    """A ``Trial`` without a child: a process ends here by ``Killed``, and the loops take back what attempts change."""
    for place, record in enumerate(records):
        try:
            attempt(record)
        except Killed as death:
            return Death(place, str(death))
        except Exception:  # noqa: BLE001, S110  - as in a child: an answer like any other
            pass
    return None


def lost_answer(label: str) -> KafkaException:
    """What the client raises when it does not know whether the broker did what it was asked."""
    return KafkaException(KafkaError(KafkaError._TIMED_OUT, f"no answer: {label}", retriable=True))


@dataclass
class Estate:
    """Systems, log and processes. ``step`` lets one process do one turn."""

    seed: int
    time: VirtualTime
    dice: random.Random
    trouble: Trouble
    log: Log
    systems: Mapping[str, System]
    make: dict[str, Callable[[], Loop]]
    notes: Notes
    codec: Codec
    metrics: Metrics  # of all processes together: their labels tell them apart
    ids: Ids
    running: dict[str, Loop] = field(default_factory=dict)
    restarts: int = 0
    deaths: Counter[str] = field(default_factory=Counter)  # by what the process died of

    def step(self, name: str) -> None:
        """One turn of a process; a killed one starts again at its next turn."""
        self.time.sleep(self.dice.uniform(0.01, 0.3))
        try:
            if name not in self.running:
                loop = self.make[name]()
                self.restarts += 1
                loop.start()
                self.running[name] = loop
            self.running[name].run_once(0.0)
        except Killed as death:
            self.deaths[str(death)] += 1
            self.running.pop(name, None)

    def wander(self, turns: int) -> None:
        """Turns of processes chosen by the dice."""
        names = sorted(self.make)
        for _ in range(turns):
            self.step(self.dice.choice(names))

    def _delivering(self) -> bool:
        # A call can be at work, or a target left alone, for longer than some rounds.
        return any(self.log.unread(f"tieline.sink-{name}", f"sink.{name}.command.v1") for name in self.systems)

    def rest(self, limit: int = 1000) -> None:
        """Round after round without trouble, until nothing waits anywhere. Raises if that does not come."""
        self.trouble.on = False
        quiet = 0
        for _ in range(limit):
            before = sum(len(records) for records in self.log.records.values())
            for name in sorted(self.make):
                self.step(name)
            self.time.sleep(1.0)
            after = sum(len(records) for records in self.log.records.values())
            quiet = quiet + 1 if after == before and not self._delivering() else 0
            if quiet >= 3:
                return
        raise AssertionError(f"seed {self.seed}: the hub does not come to rest")


def landscape() -> Landscape:
    """One asset management and one ERP, everything flowing both ways."""
    system = {"owner": "works", "poll_interval_secs": 1, "settings": {}}
    flow = {"interval_mins": 1, "latency_target_secs": 60, "owner": "works", "on_error": "hold", "mode": "enabled"}
    flows = (("asset", AM, ERP), ("asset", ERP, AM), ("cost-document", AM, ERP))
    return Landscape.model_validate(
        {
            "name": "simulation",
            "kafka": {"bootstrap_servers": "memory:1", "replication_factor": 1},
            "registry": {"url": "http://127.0.0.1:1"},
            "systems": {
                AM: system | {"connector": "unio24", "role": "asset-management"},
                ERP: system | {"connector": "tryton", "role": "erp"},
            },
            "flows": [flow | {"object": kind, "source": source, "target": target} for kind, source, target in flows],
        }
    )


@cache
def declared() -> tuple[Landscape, Mapping[str, Topic]]:
    """The landscape and its topics; the same for every seed."""
    plan = landscape()
    return plan, {topic.name: topic for topic in topics_for(plan)}


def _processor(name: str, plan: Landscape, runtime: Runtime) -> TransactionalLoop:
    return TransactionalLoop(build_processor(name, plan, runtime.clock), runtime)


@contextmanager
def estate(seed: int, **chances: float) -> Iterator[Estate]:
    """A hub in memory whose every accident follows from the seed."""
    dice = random.Random(seed)  # noqa: S311  - reproducible accidents, no secrets
    time, opened = VirtualTime(), cast("list[asyncio.Runner]", [])
    trouble = Trouble(random.Random(dice.random()), **chances)  # type: ignore[arg-type]  # noqa: S311  - as above
    plan, topics = declared()
    partitions = dict.fromkeys(topics, PARTITIONS)
    log = Log(partitions, random.Random(dice.random()), trouble.point, time.now_ms)  # noqa: S311  - as above
    systems = {name: System(name, time, trouble.fate, trouble.point, trouble.latency_secs) for name in plan.systems}
    notes = Notes()
    ids = Ids(topics)
    codec = Codec(topics, ids)
    metrics = Metrics()
    told = cast("Telemetry", notes)
    runtime = Runtime(
        plan.kafka, codec, partitions, told, lambda: False, time.hub_now, metrics=metrics, trial=in_process
    )
    random.seed(seed)  # the kernel's own jitter
    make: dict[str, Callable[[], Loop]] = {
        name: partial(_processor, name, plan, runtime) for name in ("identify", "accept", "route")
    }
    for name, system in systems.items():
        api = Api(system)
        make[f"source-{name}"] = partial(SourceLoop, name, api.connector(), 1.0, runtime)
        make[f"sink-{name}"] = partial(DeliveryLoop, name, api, runtime)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(broker, "Consumer", log.open_consumer)
        patch.setattr(broker, "Producer", log.open_producer)
        for module in (broker, calling, consuming, delivering, capturing, metering, metrics_module, positions, vetting):
            patch.setattr(module, "time", time)
        patch.setattr(asyncio, "Runner", virtual_runner(time, opened))
        try:
            yield Estate(seed, time, dice, trouble, log, systems, make, notes, codec, metrics, ids)
        finally:
            for runner in opened:
                runner.close()
