"""What a scene is played on: broker, registry, topics, target, and the hub's processes to start."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from tests.chaos.hub import ERP, WORKS
from tests.chaos.inside import apply_small, open_hub_small
from tests.chaos.proxy import Proxy
from tests.parts.cluster import start_cluster
from tests.scenes.crew import Crew
from tests.scenes.target import Target, serve_target

from tieline.kernel import broker
from tieline.kernel.asset_records import AssetFields
from tieline.kernel.clock import utc_now
from tieline.kernel.command_records import WriteAsset
from tieline.kernel.inspecting import LogReader
from tieline.kernel.producing import Writer
from tieline.kernel.records import Inbound, Outbound, Typed
from tieline.kernel.vocabulary import Dispatch
from tieline.stack.parts import start_kafka, start_registry
from tieline.synthetic.sending import wait_for_rest
from tieline.wiring import Hub

TRANSACTION_RECORDS = 1_000
OWNER = "scenes@example.org"


@dataclass(frozen=True, slots=True)
class Stage:
    """``hub`` is the scene's own view of the log, past the proxy if there is one."""

    folder: Path
    hub: Hub
    target: Target
    crew: Crew
    proxy: Proxy | None = None

    def write(self, records: Iterable[Outbound], *, account: str = "scene") -> int:
        """Write records in transactions, as the hub's processes do. Returns how many."""
        kafka = self.hub.landscape.kafka
        producer = broker.start_producer(kafka, account, lambda: False, on_wait=lambda _: None)
        writer = Writer(account, self.hub.codec, self.hub.partitions, utc_now)
        count = 0
        for count, record in enumerate(records, 1):
            if count % TRANSACTION_RECORDS == 1:
                producer.begin_transaction()
            writer.write(producer, record, None, count)
            if count % TRANSACTION_RECORDS == 0:
                producer.commit_transaction(broker.CALL_TIMEOUT_SECS)
        if count % TRANSACTION_RECORDS:
            producer.commit_transaction(broker.CALL_TIMEOUT_SECS)
        return count

    def read(self, *topics: str) -> list[Inbound]:
        """Every committed record of these topics."""
        found: list[Inbound] = []
        broker.read_to_end(self.hub.landscape.kafka, topics, found.append)
        return found

    def rest(self, *, secs: float) -> None:
        """Wait until nobody has anything left to do."""
        with LogReader(self.hub) as log:
            wait_for_rest(log, timeout_secs=secs)


def command(system: str, asset: str, version: int) -> Outbound:
    """A command to a system, as route writes it. Without writable fields: no newer one stands for it."""
    dispatch = Dispatch(command_id=f"{system}/asset/{asset}/{version}", target=system, version=version)
    fields = AssetFields(description=f"Pump {asset}")
    body = WriteAsset(dispatch=dispatch, asset_id=asset, fields=fields, writable_fields=())
    return Outbound(f"sink.{system}.command.v1", asset, Typed("WriteAsset", body))


@contextmanager
def open_stage(
    folder: Path,
    *,
    works: Sequence[str] = (WORKS,),
    apart: Sequence[str] = (),
    latency_secs: float = 0.005,
    behind_proxy: bool = False,
) -> Iterator[Stage]:
    """Everything but the hub's processes, ended with the context.

    Assets flow to the systems ``works``; to those ``apart`` nothing flows but the scene's own commands.
    ``behind_proxy`` starts three brokers instead of one, and the processes reach them through ``Stage.proxy``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        registry = stack.enter_context(start_registry(folder / "registry"))
        target, url = stack.enter_context(serve_target(latency_secs))
        proxy: Proxy | None = None
        if behind_proxy:
            cluster = stack.enter_context(start_cluster(folder / "kafka", behind_proxy=True))
            proxy = stack.enter_context(Proxy(cluster.ways))
            bootstrap, inner, replicas = cluster.bootstrap, cluster.inner, 3
        else:
            kafka = stack.enter_context(start_kafka(folder / "kafka"))
            bootstrap, inner, replicas = kafka.bootstrap, kafka.bootstrap, 1
        landscape = folder / "landscape.yaml"
        described = _landscape(bootstrap, replicas, registry.url, url, works=works, apart=apart)
        landscape.write_text(yaml.safe_dump(described), encoding="utf-8")
        hub = open_hub_small(landscape, inner)
        stack.callback(hub.close)
        apply_small(hub)
        crew = Crew(folder, landscape)
        stack.callback(crew.stop)
        yield Stage(folder, hub, target, crew, proxy)


def _landscape(
    bootstrap: str, replicas: int, registry: str, endpoint: str, *, works: Sequence[str], apart: Sequence[str]
) -> Mapping[str, object]:
    system = {"connector": "ledger", "owner": OWNER, "poll_interval_secs": 1, "settings": {"endpoint": endpoint}}
    flow = {
        "object": "asset",
        "source": ERP,
        "interval_mins": 5,
        "latency_target_secs": 3600,
        "owner": OWNER,
        "on_error": "hold",
        "mode": "enabled",
    }
    return {
        "name": "Scenes",
        "kafka": {"bootstrap_servers": bootstrap, "replication_factor": replicas},
        "registry": {"url": registry},
        "systems": {
            ERP: {**system, "role": "erp"},
            **{name: {**system, "role": "asset-management"} for name in (*works, *apart)},
        },
        "flows": [{**flow, "target": name} for name in works],
        "fiscal": {"periods": "optional", "late": "next-open"},
        "metrics_port": 0,
    }


def until(condition: Callable[[], bool], what: str, *, secs: float, pause_secs: float = 0.2) -> None:
    """Wait until the condition holds. Raises ``AssertionError`` with ``what`` if it never does."""
    deadline = time.monotonic() + secs
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"did not come about within {secs:.0f} s: {what}")
        time.sleep(pause_secs)
