"""One real Kafka broker, KRaft, broker and controller in one process, on the loopback."""

from __future__ import annotations

from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tieline.stack.java import JavaRuntime, class_path, tool
from tieline.stack.ports import HOST

# One cluster id for every local stack: data folders stay usable after the configuration is generated anew.
CLUSTER_ID = "VGllbGluZUxvY2FsU3RrMQ"

_LOGGING = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d] %p %m (%c)%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
logger.config.name = org.apache.kafka.common.config
logger.config.level = warn
logger.settings.name = kafka.server.KafkaConfig
logger.settings.level = warn
"""


def tuning() -> dict[str, object]:
    """Broker settings that hold natively and in a container: single replicas, and no topic appears unasked."""
    return {
        "auto.create.topics.enable": "false",
        "num.partitions": 1,
        "offsets.topic.num.partitions": 4,
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
        "group.consumer.min.heartbeat.interval.ms": 1000,
        # A killed broker may come back after this long, not after 9 seconds.
        "broker.session.timeout.ms": 2000,
        "broker.heartbeat.interval.ms": 500,
        "log.segment.bytes": 64 * 1024 * 1024,
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
    }


def server_properties(*, port: int, controller_port: int, data: Path) -> str:
    """The native broker's configuration, one ``key=value`` a line."""
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": data,
        **tuning(),
    }
    return "\n".join(f"{key}={value}" for key, value in settings.items())


def prepare(*, runtime: JavaRuntime, jars: Path, config: Path, data: Path, port: int, controller_port: int) -> None:
    """Write the configuration into ``config`` and format ``data`` once; blocks about a second the first time.

    Raises ``StackError`` when formatting fails.
    """
    properties = server_properties(port=port, controller_port=controller_port, data=data)
    prepare_as(properties, runtime=runtime, jars=jars, config=config, data=data)


def prepare_as(properties: str, *, runtime: JavaRuntime, jars: Path, config: Path, data: Path) -> None:
    """As ``prepare``, with a configuration of the caller's own whose ``log.dirs`` is ``data``."""
    config.mkdir(parents=True, exist_ok=True)
    file = config / "server.properties"
    file.write_text(properties + "\n", encoding="utf-8")
    (config / "log4j2.properties").write_text(_LOGGING, encoding="utf-8")
    if (data / "meta.properties").is_file():
        return
    data.mkdir(parents=True, exist_ok=True)
    formatting = ("format", "--ignore-formatted", "-t", CLUSTER_ID, "-c", str(file))
    tool(runtime, ("-cp", class_path(jars), "kafka.tools.StorageTool", *formatting))


def argv(*, runtime: JavaRuntime, jars: Path, config: Path, heap_mb: int = 512) -> tuple[str, ...]:
    """Command line of a prepared broker."""
    return runtime.argv(
        f"-Dlog4j2.configurationFile={config / 'log4j2.properties'}",
        "-cp",
        class_path(jars),
        "kafka.Kafka",
        str(config / "server.properties"),
        heap_mb=heap_mb,
    )


def is_ready(port: int, *, timeout_secs: float = 1.0) -> bool:
    """True when the broker answers a metadata request."""
    admin = AdminClient({"bootstrap.servers": f"{HOST}:{port}", "log_level": 0})
    try:
        return bool(admin.list_topics(timeout=timeout_secs).brokers)
    except KafkaException:
        return False
