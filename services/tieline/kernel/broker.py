"""The thin edge to Kafka: how our consumers and producers are configured, positions, and reading a topic to its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from tieline.kernel.errors import Stop
from tieline.kernel.landscape import Kafka
from tieline.kernel.records import HEADERS_UNREADABLE, Inbound
from tieline.kernel.troubles import Trouble

CALL_TIMEOUT_SECS = 30.0
# Shorter than the broker's default of a minute: a killed process's open transaction hides what others wrote behind it.
TRANSACTION_TIMEOUT_MS = 30_000
# A dead letter is the record as it was, of a megabyte if need be, and says where it came from and why: its topic takes
# so much, every other topic what a broker takes by itself.
LETTER_BYTES = 2_000_000
# The first pause comes before the first connection too, so every client that is opened waits for about half of it;
# it doubles up to the longest, so a dead broker is not tried (and logged) many times a second.
FIRST_RECONNECT_MS = 20
LONGEST_RECONNECT_MS = 2_000
GAP_REMEDY = (
    "Nothing goes on by itself. Look: tieline positions show; to go on without what is missing: "
    "tieline positions accept-gap; then: tieline reconcile run"
)
# A call returns after this even if more may come: what is short of a full batch waits so long.
FETCH_SECS = 0.05


def open_consumer(kafka: Kafka, group: str, *, tell_ends: bool = False, committed_only: bool = True) -> Consumer:
    """A consumer that never commits by itself, never jumps to another position, and sees committed records only.

    With ``tell_ends`` it also gives an end-of-partition message each time it reaches one. Without ``committed_only`` it
    is good for asking where logs end, open transactions included; nothing is read with it.
    """
    return Consumer(
        {
            "bootstrap.servers": kafka.bootstrap_servers,
            "group.id": group,
            "client.id": group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed" if committed_only else "read_uncommitted",
            "enable.partition.eof": tell_ends,
            "allow.auto.create.topics": False,
            # A record is given at once whatever this says; it is how soon a reader learns that there is none. Loops
            # wait for records, and to ask for them twenty times a second costs each idle process, and the broker, a
            # share of a core; who reads to an end waits for that answer.
            "fetch.wait.max.ms": 50 if tell_ends else 500,
            "queued.max.messages.kbytes": 16_384,
            "reconnect.backoff.ms": FIRST_RECONNECT_MS,
            "reconnect.backoff.max.ms": LONGEST_RECONNECT_MS,
            "log_level": 3,
            **kafka.client,
        }
    )


def open_producer(kafka: Kafka, transactional_id: str) -> Producer:
    """A transactional producer. The caller runs ``init_transactions`` (``start_producer`` does both)."""
    return Producer(
        {
            "bootstrap.servers": kafka.bootstrap_servers,
            "client.id": transactional_id,
            "transactional.id": transactional_id,
            "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
            "delivery.timeout.ms": TRANSACTION_TIMEOUT_MS - 5_000,
            "acks": "all",
            "enable.idempotence": True,
            "message.max.bytes": LETTER_BYTES,
            "partitioner": "murmur2_random",
            "compression.type": "lz4",
            "linger.ms": 2,
            "reconnect.backoff.ms": FIRST_RECONNECT_MS,
            "reconnect.backoff.max.ms": LONGEST_RECONNECT_MS,
            "log_level": 3,
            **kafka.client,
        }
    )


def start_producer(
    kafka: Kafka, transactional_id: str, stopping: Callable[[], bool], *, on_wait: Callable[[str], None]
) -> Producer:
    """A transactional producer that has fenced its predecessors. Waits for the broker as long as it takes.

    Raises ``Stop`` when ``stopping`` turns true or the broker refuses for good.
    """
    while True:
        producer = open_producer(kafka, transactional_id)
        try:
            producer.init_transactions(CALL_TIMEOUT_SECS)
        except KafkaException as error:
            cause: KafkaError = error.args[0]
            if cause.fatal() and not cause.retriable():
                raise Stop(f"{transactional_id}: the broker refuses its transactions: {cause.str()}") from error
            on_wait(cause.str())
        else:
            return producer
        if stopping():
            raise Stop(f"{transactional_id}: stopped while waiting for the broker")
        time.sleep(1.0)


def why_refused(producer: Producer, error: KafkaException) -> KafkaException:
    """The error behind one of ``produce``.

    After a fatal error in the background ``produce`` says only that there was one. The next call on the transaction
    says which, and who is told nothing does not learn that another copy has taken over.
    """
    cause: KafkaError = error.args[0]
    if cause.code() != KafkaError._FATAL:  # noqa: SLF001  - the client's own name
        return error
    try:
        producer.abort_transaction(CALL_TIMEOUT_SECS)  # of a producer that can do nothing any more
    except KafkaException as behind:
        return behind
    return error


def partitions_of(consumer: Consumer, topics: Iterable[str]) -> dict[str, int]:
    """Number of partitions per topic. Raises ``Stop`` for a topic that does not exist."""
    counts: dict[str, int] = {}
    metadata = consumer.list_topics(timeout=CALL_TIMEOUT_SECS).topics
    for topic in topics:
        found = metadata.get(topic)
        if found is None or found.error is not None or not found.partitions:
            raise Stop(f"topic {topic} does not exist; run: tieline topics apply")
        counts[topic] = len(found.partitions)
    return counts


def end_offsets(kafka: Kafka, topics: Iterable[str], *, stable: bool = False) -> dict[tuple[str, int], int]:
    """Next offset to be written, per (topic, partition).

    With ``stable`` only up to the first transaction that is still open. A transaction counts as open for a moment after
    its commit has returned, so the stable end may lie before what the caller itself has just committed.
    """
    consumer = open_consumer(kafka, "tieline.reader", committed_only=stable)
    try:
        ends: dict[tuple[str, int], int] = {}
        for topic, count in partitions_of(consumer, topics).items():
            for p in range(count):
                _, high = consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=CALL_TIMEOUT_SECS)
                ends[topic, p] = high
        return ends
    finally:
        consumer.close()


def to_inbound(message: Message) -> Inbound:
    """Our view of a client's message."""
    try:
        given = message.headers() or ()
        headers = tuple([(str(p[0]), p[1] if isinstance(p[1], bytes) else _bytes(p[1]) or b"") for p in given])
    except UnicodeDecodeError:
        headers = ((HEADERS_UNREADABLE, b""),)  # the client reads names as UTF-8 and gives none of them if one is not
    return Inbound(
        topic=message.topic() or "",
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        key=_bytes(message.key()),
        value=_bytes(message.value()),
        headers=headers,
        timestamp_ms=message.timestamp()[1],
    )


def check_message(message: Message) -> bool:
    """True for a record, False for broker trouble that the client waits out. Raises ``Stop`` for a gap."""
    error = message.error()
    if error is None:
        return True
    code = error.code()
    if code in {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}:  # noqa: SLF001  - the client's own name
        raise Stop(
            f"gap: {message.topic()}/{message.partition()}: the position is no longer in the log ({error.str()}). "
            f"{GAP_REMEDY}",
            trouble=str(Trouble.GAP),
        )
    if code in {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC}:  # noqa: SLF001  - the client's own name
        raise Stop(f"topic {message.topic()} does not exist; run: tieline topics apply")
    if code == KafkaError.TOPIC_AUTHORIZATION_FAILED:
        raise Stop(f"topic {message.topic()}: this principal may not read it; grant Read")
    return False


def read_to_end(
    kafka: Kafka, topics: Sequence[str], take: Callable[[Inbound], None], *, patience_secs: float = 120.0
) -> dict[tuple[str, int], int]:
    """Give every committed record of the topics to ``take``, in order per partition, up to the end as of the call.

    Waits for transactions still open below that end. Returns the end offsets. Raises ``Stop`` past ``patience_secs``.
    """
    ends = end_offsets(kafka, topics)
    consumer = open_consumer(kafka, "tieline.reader", tell_ends=True)
    try:
        waiting = {tp for tp, end in ends.items() if end > 0}
        consumer.list_topics(timeout=CALL_TIMEOUT_SECS)  # a client that knows no leaders yet waits half a second
        consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for topic, p in waiting])
        deadline = time.monotonic() + patience_secs
        while waiting:
            for message in consumer.consume(1000, FETCH_SECS):
                record = to_inbound(message)
                where = (record.topic, record.partition)
                if is_end(message):
                    # Below the end while a transaction is open: the end-of-partition comes again when it is decided.
                    if record.offset >= ends[where]:
                        waiting.discard(where)
                elif check_message(message):
                    deadline = time.monotonic() + patience_secs
                    if record.offset < ends[where]:
                        take(record)
                    if record.offset + 1 >= ends[where]:
                        waiting.discard(where)
            if time.monotonic() > deadline:
                raise Stop(f"cannot read {', '.join(sorted({t for t, _ in waiting}))} to the end: the broker stalls")
        return ends
    finally:
        consumer.close()


def is_end(message: Message) -> bool:
    """Whether the message only says that the end of its partition was reached."""
    error = message.error()
    return error is not None and error.code() == KafkaError._PARTITION_EOF  # noqa: SLF001  - the client's own name


def _bytes(value: Any) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    return str(value).encode()
