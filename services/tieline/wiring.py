"""The composition root: from a landscape file to running loops. Only ``cli.py`` and the rooms' commands call it."""

from __future__ import annotations

import importlib
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, cast

from tieline.accounts import part_of
from tieline.kernel import broker
from tieline.kernel.clock import utc_now
from tieline.kernel.code_lists import codes_of
from tieline.kernel.codecs import Codec, ConfluentSchemaIds
from tieline.kernel.consuming import Runtime, TransactionalLoop
from tieline.kernel.correspondence import RECORDS
from tieline.kernel.declarations import Topic, topics_for
from tieline.kernel.error_policies import policies_of
from tieline.kernel.errors import Stop
from tieline.kernel.exposing import serve_metrics
from tieline.kernel.landscape import Landscape, Mode, load_landscape, resolve_settings
from tieline.kernel.manifests import Held, manifest_of
from tieline.kernel.metering import announce_flows, announce_retention, follow_account
from tieline.kernel.privacy import custodians_of
from tieline.kernel.producing import Writer
from tieline.kernel.protocols import Connector
from tieline.kernel.quotas import Caller
from tieline.kernel.records import Outbound
from tieline.kernel.retention import retention_secs
from tieline.kernel.shapes import shapes_of
from tieline.kernel.sweeping import sweeping
from tieline.kernel.telemetry import Log
from tieline.kernel.topic_names import commands_of

if TYPE_CHECKING:  # of the rooms each command loads only its own
    from tieline.depreciation.dialects import Dialect
    from tieline.kernel.capturing import SourceLoop
    from tieline.kernel.delivering import DeliveryLoop
    from tieline.kernel.receiving import WebhookServer
    from tieline.reconciliation import running as reconciling

POLL_SECS = 0.2


@dataclass(frozen=True, slots=True)
class Hub:
    """A landscape with what it declares: topics by name, their partition counts, and the codec for them."""

    path: Path
    landscape: Landscape
    topics: Mapping[str, Topic]
    codec: Codec
    partitions: Mapping[str, int]
    close: Callable[[], None]
    """Ends the connections to the registry; a command that ends with its process need not call it."""

    def runtime(self, consumer: str, stopping: Callable[[], bool]) -> Runtime:
        """What the loops of one process share."""
        return Runtime(self.landscape.kafka, self.codec, self.partitions, Log(consumer), stopping, utc_now)

    def connect(self, system: str, caller: Caller = Caller.OPERATOR) -> Connector:
        """The connector of a system of this landscape, for one of its processes.

        Raises ``Stop`` with the reason if it cannot be built.
        """
        if system not in self.landscape.systems:
            known = ", ".join(self.landscape.systems)
            raise Stop(f"{self.path}: there is no system {system!r}; it has {known}")
        found = self.landscape.systems[system]
        try:
            module = importlib.import_module(f"tieline.connectors.{found.connector}.connector")
        except ModuleNotFoundError as error:
            raise Stop(f"{self.path}: there is no connector {found.connector!r} under tieline/connectors") from error
        connect = cast("Callable[..., Connector]", module.connect)
        settings = resolve_settings(found.settings, self.path.parent)
        codes = codes_of(self.landscape.code_lists, system)
        # A connector without coded fields need not know of code lists; `tieline check` refuses one it does not apply.
        # Nor need one know of declared families that maps none.
        more: dict[str, object] = {"codes": codes} if codes.lists else {}
        if RECORDS in settings:
            if "shapes" not in signature(connect).parameters:
                raise Stop(f"{self.path}: systems.{system}.settings.{RECORDS}: its connector maps no declared families")
            more["shapes"] = shapes_of(self.landscape.families)
        part = part_of(self.landscape, system, caller)
        if part is not None:
            if "allowance" not in signature(connect).parameters:
                raise Stop(f"{self.path}: systems.{system}.quota: its connector makes no calls that could be limited")
            more["allowance"] = part
        return connect(system, settings, **more)


def open_hub(path: Path) -> Hub:
    """Read a landscape and what it declares. Contacts nobody yet. Raises ``Stop`` with file, line and reason."""
    landscape = load_landscape(path)
    topics = {topic.name: topic for topic in topics_for(landscape)}
    ids = ConfluentSchemaIds(landscape.registry.url)
    partitions = {name: topic.partitions for name, topic in topics.items()}
    return Hub(path, landscape, topics, Codec(topics, ids, shapes_of(landscape.families)), partitions, ids.close)


def publish_once(hub: Hub, name: str, outbounds: Sequence[Outbound]) -> None:
    """Write records in one transaction and return when they are durable. Raises ``Stop`` or a Kafka error if not."""
    producer = broker.start_producer(hub.landscape.kafka, name, lambda: True, on_wait=lambda _: None)
    writer = Writer(name, hub.codec, hub.partitions, utc_now)
    producer.begin_transaction()
    for ordinal, outbound in enumerate(outbounds):
        writer.write(producer, outbound, None, ordinal)
    producer.commit_transaction(broker.CALL_TIMEOUT_SECS)


def held_fields(landscape: Landscape) -> dict[str, frozenset[str]]:
    """Asset fields that each system holds, as its connector's manifest declares."""
    objects = {name: _objects(system.connector) for name, system in landscape.systems.items()}
    return {name: frozenset(held["asset"].fields if "asset" in held else ()) for name, held in objects.items()}


def dialects_of(landscape: Landscape) -> dict[str, Dialect]:
    """How each system's own schedules count, where its connector's manifest says so."""
    from tieline.depreciation.dialects import Dialect  # noqa: PLC0415  - each command loads only what it needs

    said = {name: _objects(system.connector).get("book") for name, system in landscape.systems.items()}
    return {name: Dialect(book.dialect) for name, book in said.items() if book is not None and book.dialect}


def _objects(connector: str) -> Mapping[str, Held]:
    manifest = manifest_of(connector)
    if manifest is None:
        raise Stop(f"there is no connector {connector!r} under tieline/connectors")
    return manifest.objects


def open_reconciliation(hub: Hub) -> reconciling.Hub:
    """What the reconciliation room works with."""
    from tieline.kernel.kafka_log import KafkaLog  # noqa: PLC0415  - as above
    from tieline.reconciliation import running as reconciling  # noqa: PLC0415  - as above

    return reconciling.Hub(
        log=KafkaLog(hub.landscape.kafka, hub.codec),
        publish=lambda outbounds: publish_once(hub, "reconciliation", outbounds),
        landscape=hub.landscape,
        held=held_fields(hub.landscape),
        dialects=dialects_of(hub.landscape),
    )


def run_processor(hub: Hub, name: str) -> None:
    """Run identify, accept or route until the process is told to stop. Raises ``Stop`` when it must not go on."""
    from tieline.processors.wiring import build_processor  # noqa: PLC0415  - as above

    runtime = hub.runtime(name, _stop_signal())
    loop = TransactionalLoop(build_processor(name, hub.landscape, utc_now), runtime)
    with serve_metrics(hub.landscape, name, runtime.metrics, runtime.log):
        _run(loop, runtime)


def run_source(hub: Hub, system: str) -> None:
    """Run the source side of one system, with its webhook receiver, until told to stop."""
    from tieline.kernel.capturing import SourceLoop  # noqa: PLC0415  - as above

    name = f"source-{system}"
    # Only a source holds the key: behind it there are pseudonyms.
    custodians = custodians_of(hub.landscape, hub.path.parent)
    runtime = replace(hub.runtime(name, _stop_signal()), custodians=custodians)
    connector = hub.connect(system, Caller.SOURCE)
    follow_account(runtime.metrics, name, system, connector)
    loop = SourceLoop(system, connector, hub.landscape.systems[system].poll_interval_secs, runtime)
    server = None
    if connector.webhook:
        from tieline.kernel.receiving import WebhookServer  # noqa: PLC0415  - as above

        host = os.environ.get("TIELINE_WEBHOOK_HOST", "127.0.0.1")  # a container must listen beyond its own loopback
        server = WebhookServer(connector.webhook, loop.webhooks, runtime.log, host=host)
    with serve_metrics(hub.landscape, name, runtime.metrics, runtime.log):
        _run(loop, runtime, server)


def run_sink(hub: Hub, system: str) -> None:
    """Run the sink side of one system until told to stop."""
    from tieline.kernel.delivering import DeliveryLoop  # noqa: PLC0415  - as above

    name = f"sink-{system}"
    runtime = hub.runtime(name, _stop_signal())
    connector = hub.connect(system, Caller.SINK)
    follow_account(runtime.metrics, name, system, connector)
    flows = [flow for flow in hub.landscape.flows if flow.target == system and flow.mode is Mode.ENABLED]
    loop = DeliveryLoop(system, connector.sink, runtime, close=connector.close, policies=policies_of(flows))
    announce_flows(runtime.metrics, flows)
    announce_retention(runtime.metrics, system, retention_secs(hub.topics[commands_of(system)].configs))
    with serve_metrics(hub.landscape, name, runtime.metrics, runtime.log):
        _run(loop, runtime)


def _run(
    loop: TransactionalLoop | SourceLoop | DeliveryLoop, runtime: Runtime, server: WebhookServer | None = None
) -> None:
    """Turn after turn, until told to stop; ``server`` serves meanwhile."""
    try:
        loop.start()
        if server is not None:
            server.start()
        runtime.log.info("started")
        with sweeping() as sweep, runtime.watchdog as watchdog:
            while not runtime.stopping():
                watchdog.feed()
                loop.run_once(POLL_SECS)
                sweep()
    except Stop as stop:
        more = {"trouble": stop.trouble} if stop.trouble else {}
        runtime.log.warning("ended", why=str(stop), **more)
        raise
    finally:
        if server is not None:
            server.close()
        loop.close()
    runtime.log.info("stopped")


def _stop_signal() -> Callable[[], bool]:
    """True once SIGTERM or SIGINT arrived; a second signal ends the process at once."""
    asked = threading.Event()

    def ask(number: int, _frame: object) -> None:
        if asked.is_set():
            raise SystemExit(128 + number)
        asked.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    return asked.is_set
