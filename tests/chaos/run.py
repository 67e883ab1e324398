"""One run: a cluster of three, a hub, two targets, a load, and an adversary; and what the checker says of it."""

from __future__ import annotations

import random
import resource
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from confluent_kafka import Consumer, KafkaException
from tests.chaos.adversary import STORM_JOINS, Aim, Plan, Strike, make_plan, make_strikes
from tests.chaos.history import check
from tests.chaos.hub import write_landscape
from tests.chaos.inside import apply_small, open_hub_small
from tests.chaos.ledger import Ledger, serve_ledger
from tests.chaos.load import AGAIN_PERCENT, FLOWS, Item, last_of, make_load, outbound, say_again
from tests.chaos.processes import Processes
from tests.chaos.proxy import Proxy
from tests.chaos.result import Result
from tests.chaos.witness import Effects, known_to_works, read_histories
from tests.parts.cluster import Cluster, start_cluster
from tests.parts.unio24 import TOKEN, Unio24Part, start_unio24

from tieline.kernel import broker
from tieline.kernel.clock import utc_now
from tieline.kernel.consuming import group_of
from tieline.kernel.inspecting import LogReader
from tieline.kernel.letters import input_topics
from tieline.kernel.producing import Writer
from tieline.synthetic.sending import wait_for_rest
from tieline.wiring import Hub

TICK_SECS = 0.05
LOOK_SECS = 0.5
MOST_WAITING = 500
"""Things on their way when the next chunk is sent: enough that every process has work when it comes back."""
CHUNK_EVENTS = 500
KILLS_AT_A_TIME = 3
PATIENT_SECS, IMPATIENT_SECS = 8.0, 2.0
BROKER_DOWN_SECS = 2.0
STRANGER_STAYS_SECS = 1.0
QUIET_SECS = 3.0
"""So long nothing may happen any more before a run counts as over: late effects of zombies would come by then."""
LONGEST_RESTS = 5
"""Times as long as nothing may move: so long it may go on in all, when there are no more accidents."""
LIES = ("timeout_after_commit", "error_500_after_commit", "cut_body", "error_503")


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything. Kills come at points and, a fifth of them, from outside."""

    events: int
    kills: int
    freezes: int
    bounces: int
    spoils: int
    storms: int
    usurpers: int
    frozen_secs: float = 11.0
    """Longer than a sink trusts its last transaction (``delivering.FRESH_SECS``)."""
    patience_secs: float = 300.0
    rests_secs: float = 300.0
    """When nothing has moved for so long, without any more accidents, what is owed counts as not coming."""


class Run:
    """The parts of a run under way."""

    def __init__(
        self,
        *,
        size: Size,
        cluster: Cluster,
        proxy: Proxy,
        hub: Hub,
        works: Unio24Part,
        ledger: Ledger,
        processes: Processes,
        pool: ThreadPoolExecutor,
    ) -> None:
        self._size = size
        self._cluster = cluster
        self._proxy = proxy
        self._hub = hub
        self._works = works
        self._ledger = ledger
        self._pool = pool
        self._under_way: list[Future[None]] = []
        self._one_broker_at_a_time = threading.Lock()
        self.processes = processes
        self.effects = Effects(works, ledger)
        self._sender = Sender(hub)
        self._dice = random.Random(len(hub.topics))  # noqa: S311  - what is said again; no secrets
        self.sent: list[Item] = []

    def open(self, first: Sequence[Item]) -> None:
        """Send, and wait until every system knows these assets and the hub knows that they do. In peace."""
        self._sender.send(first)
        self.sent += first
        known = self._pool.submit(self._wait_until_known, len(first))
        while not known.done():
            self._tick()
        known.result()

    def _wait_until_known(self, count: int) -> None:
        deadline = time.monotonic() + self._size.patience_secs
        while len(known_to_works(self._hub)) < count:
            if time.monotonic() > deadline:
                raise AssertionError("the first assets do not become known")
            time.sleep(1.0)
        with LogReader(self._hub) as log:
            wait_for_rest(log, timeout_secs=self._size.patience_secs)

    def send_all(self, load: Sequence[Item], plan: Plan) -> None:
        """Chunk by chunk: strike, send, and go on when as many have died as shall by then (or are goaded to).

        What was sent before is still on its way then: points are reached at once, and amid work.
        """
        self.processes.let_strike()
        chunks = len(plan.strikes)
        for number, strikes in enumerate(plan.strikes):
            chunk = load[number * len(load) // chunks : (number + 1) * len(load) // chunks]
            for strike in strikes:
                self._strike(strike)
            self._sender.send([*chunk, *say_again(self.sent, len(chunk) * AGAIN_PERCENT // 100, self._dice)])
            self.sent += chunk
            owed = (number + 1) * self._size.kills // chunks
            self.processes.let_die(owed)
            self._until_killed(owed)
            self._until_caught_up()

    def _until_killed(self, owed: int) -> None:
        """Goes on when so many have died: at their points, or goaded when those do not come."""
        goad_at = time.monotonic() + PATIENT_SECS
        while self.processes.kills < owed:
            self._tick()
            if time.monotonic() > goad_at:
                self.processes.goad()
                goad_at = time.monotonic() + IMPATIENT_SECS

    def _until_caught_up(self) -> None:
        """Goes on when few things wait, or after as long as one may wait: then the checker says what is left."""
        deadline = time.monotonic() + self._size.rests_secs
        while self._waiting() > MOST_WAITING and time.monotonic() < deadline:
            self._tick(LOOK_SECS)

    def _waiting(self) -> int:
        """Things whose newest version has no effect yet."""
        return len(last_of(self.sent) - {one.version for found in self.effects.read_on().values() for one in found})

    def calm_down(self) -> None:
        """No more accidents; returns when every effect owed is there and nothing has moved for a while."""
        self.processes.disarm()
        self._proxy.forget()
        for one in self._under_way:
            while not one.done():
                self._tick()
            one.result()
        httpx.delete(f"{self._works.url}/_faults", headers=_bearer(), trust_env=False).raise_for_status()
        owed = last_of(self.sent)
        seen, quiet_since = -1, time.monotonic()
        deadline = quiet_since + LONGEST_RESTS * self._size.rests_secs
        while (quiet_secs := time.monotonic() - quiet_since) < self._size.rests_secs and time.monotonic() < deadline:
            self._tick(LOOK_SECS)
            noted = [one for found in self.effects.read_on().values() for one in found]
            if len(noted) != seen or not self.processes.is_calm:
                seen, quiet_since = len(noted), time.monotonic()
            elif quiet_secs > QUIET_SECS and owed <= {one.version for one in noted}:
                return

    def result(self, seed: int, began: float, processor_secs: float) -> Result:
        """Read what there is, and check it."""
        effects = self.effects.read_on()
        faults = [
            f"{fault.rule}: {fault.text}"
            for history in read_histories(self._hub, self.sent, effects)
            for fault in check(history)
        ]
        tally = self.processes.tally
        struck = tally.strikes.copy()
        struck.update(spoil.name for spoil in self._proxy.struck)
        if self._ledger.lost_answers:
            struck["lost answer of the ledger"] = self._ledger.lost_answers
        return Result(
            seed=seed,
            events=len(self.sent),
            effects={flow: len(effects[flow]) for flow in FLOWS},
            kills=dict(sorted(tally.kills.items())),
            freezes=dict(sorted(tally.freezes.items())),
            strikes=dict(sorted(struck.items())),
            starts=tally.starts,
            fenced=tally.fenced + tally.zombies_fenced,
            repeated=self.processes.repeated,
            wall_secs=round(time.monotonic() - began, 1),
            processor_secs=round(processor_secs, 1),
            faults=[*faults, *(f"crashed: {words}" for words in tally.crashes)],
        )

    def _tick(self, secs: float = TICK_SECS) -> None:
        until = time.monotonic() + secs
        while time.monotonic() < until:
            time.sleep(TICK_SECS)
            self.processes.tend()

    def _strike(self, strike: Strike) -> None:
        if strike.spoil is not None:
            self._proxy.plan(strike.spoil)  # counted when it strikes
            return
        if strike.kind != "kill":  # those are counted where they die
            self.processes.tally.strikes[strike.name] += 1
        match strike.kind:
            case "kill":
                self.processes.kill(str(strike.part))
            case "usurp":
                self.processes.usurp(str(strike.part))
            case "broker-kill" | "broker-stop":
                self._under_way.append(self._pool.submit(self._bounce, strike))
            case "storm":
                self._under_way.append(self._pool.submit(self._storm, strike))
            case "target-restart":
                self._works.restart()
            case "target-lies":
                self._ledger.lose_answers(2)
                rules = [{"kind": kind, "method": "POST|PATCH|PUT", "count": 1, "seconds": 0} for kind in LIES]
                url = f"{self._works.url}/_faults"
                httpx.post(url, json=rules, headers=_bearer(), trust_env=False).raise_for_status()

    def _bounce(self, strike: Strike) -> None:
        part = self._cluster.brokers[int(strike.part)]
        with self._one_broker_at_a_time:
            (part.kill if strike.kind == "broker-kill" else part.stop)()
            time.sleep(BROKER_DOWN_SECS)
            part.start(wait_secs=120)

    def _storm(self, strike: Strike) -> None:
        """Strangers join the process's group and leave it, again and again; its positions must not move by that."""
        protocol = (
            {"group.protocol": "consumer"}
            if strike.protocol == "consumer"
            else {"partition.assignment.strategy": "cooperative-sticky"}
        )
        name = str(strike.part)
        topics = input_topics(self._hub.topics, name)
        for _ in range(STORM_JOINS):
            stranger = Consumer(
                {
                    "bootstrap.servers": self._cluster.inner,
                    "group.id": group_of(name),
                    "enable.auto.commit": False,
                    "log_level": 0,
                    **protocol,
                }
            )
            stranger.subscribe(list(topics))
            until = time.monotonic() + STRANGER_STAYS_SECS
            while time.monotonic() < until:
                stranger.poll(0.1)
            stranger.close()


class Sender:
    """Sends as a source does: at least once. What was perhaps not written is written again."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._writer = Writer("chaos", hub.codec, hub.partitions, utc_now)
        self._producer = broker.start_producer(hub.landscape.kafka, "chaos", lambda: False, on_wait=lambda _: None)

    def send(self, items: Sequence[Item]) -> None:
        """In one transaction; returns when it is durable."""
        while True:
            try:
                self._producer.begin_transaction()
                for ordinal, item in enumerate(items):
                    self._writer.write(self._producer, outbound(item), None, ordinal)
                self._producer.commit_transaction(broker.CALL_TIMEOUT_SECS)
            except KafkaException:
                kafka = self._hub.landscape.kafka
                self._producer = broker.start_producer(kafka, "chaos", lambda: False, on_wait=lambda _: None)
            else:
                return


@contextmanager
def open_run(folder: Path, registry: str, size: Size, plan: Plan, services: Path | None) -> Iterator[Run]:
    """Everything started; ended with the context, whatever became of it."""
    with ExitStack() as stack:
        cluster = stack.enter_context(start_cluster(folder / "kafka", behind_proxy=True))
        proxy = stack.enter_context(Proxy(cluster.ways))
        works = stack.enter_context(start_unio24(folder / "unio24"))
        ledger, url = stack.enter_context(serve_ledger(folder / "ledger.jsonl"))
        path = write_landscape(
            folder, bootstrap=cluster.bootstrap, registry=registry, works=works.url, token=TOKEN, ledger=url
        )
        hub = open_hub_small(path, cluster.inner)
        stack.callback(hub.close)
        apply_small(hub)
        processes = Processes(folder, path, plan.arms, frozen_secs=size.frozen_secs, services=services)
        stack.callback(processes.stop)
        processes.start_all()
        pool = stack.enter_context(ThreadPoolExecutor(4))
        yield Run(
            size=size,
            cluster=cluster,
            proxy=proxy,
            hub=hub,
            works=works,
            ledger=ledger,
            processes=processes,
            pool=pool,
        )


def run_once(
    folder: Path, registry: str, size: Size, seed: int, *, services: Path | None = None, aim: Aim | None = None
) -> Result:
    """One run from nothing to its figures; of the product in ``services``, or of this checkout's."""
    folder.mkdir(parents=True, exist_ok=True)
    began, before = time.monotonic(), processor_secs()
    outside = 0 if aim else size.kills // 5
    strikes = make_strikes(
        seed=seed,
        outside_kills=outside,
        bounces=size.bounces,
        spoils=size.spoils,
        storms=size.storms,
        usurpers=size.usurpers,
    )
    chunks = max(-(-size.kills // KILLS_AT_A_TIME), size.events // CHUNK_EVENTS) + 1
    plan = make_plan(
        seed=seed, kills=size.kills - outside, freezes=size.freezes, chunks=chunks, strikes=strikes, aim=aim
    )
    phases = Phases()
    with open_run(folder, registry, size, plan, services) as run:
        phases.end("start")
        first, rest = make_load(size.events, seed)
        run.open(first)
        phases.end("first assets")
        run.send_all(rest, plan)
        phases.end("trouble")
        run.calm_down()
        phases.end("rest")
        result = run.result(seed, began, 0.0)
    result.phases = phases.secs
    # The children's time counts once they have ended.
    result.processor_secs = round(processor_secs() - before, 1)
    return result


class Phases:
    """How long each part of a run took, in seconds."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self.secs: dict[str, float] = {}

    def end(self, name: str) -> None:
        """What began with the end of the one before is over."""
        now = time.monotonic()
        self.secs[name] = round(now - self._since, 1)
        self._since = now


def processor_secs() -> float:
    """Processor time of this process and of its ended children (seconds)."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _bearer() -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKEN}"}
