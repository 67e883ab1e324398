"""Three real brokers as one cluster, for tests: every record on three, confirmed when two have it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tieline.stack import kafka
from tieline.stack.artifacts import bundles
from tieline.stack.downloads import ensure
from tieline.stack.java import JavaRuntime, find_java
from tieline.stack.parts import KafkaPart
from tieline.stack.paths import StackPaths, checkout
from tieline.stack.ports import HOST, free_ports

BROKERS = 3
HEAP_MB = 256


@dataclass(frozen=True, slots=True)
class Ports:
    """One broker's: for clients, what clients are told to use instead, for other brokers, for controllers."""

    client: int
    told: int
    inner: int
    controller: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """``bootstrap`` is where clients go; ``inner`` leads to the brokers themselves, past what is put in front."""

    brokers: Sequence[KafkaPart]
    bootstrap: str
    inner: str
    ways: Sequence[tuple[int, int]]
    """Pairs of ports: where clients are told to go, and where the broker listens for them."""


def server_properties(node: int, ports: Sequence[Ports], data: Path) -> str:
    """One broker's configuration; nodes count from 1."""
    mine = ports[node - 1]
    voters = ",".join(f"{number}@{HOST}:{one.controller}" for number, one in enumerate(ports, 1))
    settings = {
        "process.roles": "broker,controller",
        "node.id": node,
        "controller.quorum.voters": voters,
        "controller.listener.names": "CONTROLLER",
        "listeners": f"CLIENT://{HOST}:{mine.client},INNER://{HOST}:{mine.inner},CONTROLLER://{HOST}:{mine.controller}",
        "advertised.listeners": f"CLIENT://{HOST}:{mine.told},INNER://{HOST}:{mine.inner}",
        "inter.broker.listener.name": "INNER",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,INNER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": data,
        **kafka.tuning(),
        "default.replication.factor": BROKERS,
        "min.insync.replicas": BROKERS - 1,
        "offsets.topic.replication.factor": BROKERS,
        "transaction.state.log.replication.factor": BROKERS,
        "transaction.state.log.min.isr": BROKERS - 1,
        "share.coordinator.state.topic.replication.factor": BROKERS,
        "share.coordinator.state.topic.min.isr": BROKERS - 1,
        "replica.lag.time.max.ms": 3000,
        "log.segment.bytes": 16 * 1024 * 1024,
        "log.index.size.max.bytes": 512 * 1024,
        "log.cleaner.threads": 1,
        "num.network.threads": 2,
        "num.io.threads": 4,
    }
    return "\n".join(f"{key}={value}" for key, value in settings.items())


def _prepare(runtime: JavaRuntime, jars: Path, node: int, ports: Sequence[Ports], folder: Path) -> KafkaPart:
    config, data = folder / "config", folder / "data"
    properties = server_properties(node, ports, data)
    kafka.prepare_as(properties, runtime=runtime, jars=jars, config=config, data=data)
    inner = ports[node - 1].inner
    part = KafkaPart(
        name=f"kafka-{node}",
        argv=kafka.argv(runtime=runtime, jars=jars, config=config, heap_mb=HEAP_MB),
        log=folder / "kafka.log",
        is_ready=partial(kafka.is_ready, inner, timeout_secs=2.0),
    )
    part.port = ports[node - 1].client
    part.bootstrap = f"{HOST}:{inner}"
    return part


@contextmanager
def start_cluster(folder: Path, *, behind_proxy: bool = False) -> Iterator[Cluster]:
    """A ready cluster with its data under ``folder``, stopped with the context; blocks some 10 seconds.

    With ``behind_proxy`` clients are told ports on which nothing listens yet: put a proxy there (``Cluster.ways``).
    """
    runtime = find_java()
    jars = ensure(bundles()["kafka"], StackPaths(checkout() / ".tieline").downloads)
    numbers = free_ports(4 * BROKERS)
    ports = []
    for first in range(0, 4 * BROKERS, 4):
        client, told, inner, controller = numbers[first : first + 4]
        ports.append(Ports(client, told if behind_proxy else client, inner, controller))
    brokers: list[KafkaPart] = []
    with ThreadPoolExecutor(BROKERS) as pool:
        prepare = [
            pool.submit(_prepare, runtime, jars, node, ports, folder / str(node)) for node in range(1, BROKERS + 1)
        ]
        brokers += [one.result() for one in prepare]
        try:
            # Side by side: the first answers only when there is a majority.
            for started in [pool.submit(part.start) for part in brokers]:
                started.result()
            yield Cluster(
                brokers,
                bootstrap=",".join(f"{HOST}:{one.told}" for one in ports),
                inner=",".join(part.bootstrap for part in brokers),
                ways=[(one.told, one.client) for one in ports],
            )
        finally:
            for stopped in [pool.submit(part.kill) for part in brokers]:
                stopped.result()
