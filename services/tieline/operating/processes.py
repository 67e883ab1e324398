"""How each process stands: what it has to read, how far it is, and whether it moves."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from tieline.kernel.consuming import group_of
from tieline.kernel.dead_letters import dead_letter_topic
from tieline.kernel.fleet import consumers
from tieline.kernel.inspecting import (
    LogReader,
    Span,
    Where,
    Window,
    all_partitions,
    read_committed,
    read_rows,
    read_spans,
    read_windows,
)
from tieline.kernel.letters import PARKED, Book, Letter, Standing, input_topics
from tieline.kernel.memory import KeyState, ParkedKey, SourcePosition
from tieline.kernel.metrics import Measure
from tieline.kernel.records import Inbound
from tieline.kernel.retention import Expiry, first_expiry, retention_secs
from tieline.kernel.topic_names import RUN_TOPIC
from tieline.operating.workers import Workers

VIEWS = "views"
# Offsets looked at for the newest record: the last ones of a partition are often transaction markers.
LAST_OFFSETS = 6
SAMPLE_PAUSE_SECS = 1.0
BEHIND_SECS = 60.0
STALLED_SECS = 5.0
# A sink moves its position once a batch, which a slow target stretches; its results tell that it works.
RESULT_SECS = 20.0


class State(StrEnum):
    """What a process is doing, by what the log shows of it."""

    IDLE = "idle"  # nothing to do
    FLOWING = "flowing"
    BEHIND = "behind"  # it moves, but what it reads next has waited for long
    STALLED = "stalled"  # there is work, and its position does not move: stopped, or its target is paused
    PAUSED = "paused"  # it runs, and leaves its system alone for now, which does not answer
    DOWN = "down"  # its metrics port does not answer


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """One process. Counts of log records are by offset, so transaction markers count among ``records`` and ``lag``."""

    name: str
    state: State
    records: int
    lag: int
    oldest_waiting_at: dt.datetime | None
    last_event_at: dt.datetime | None
    open_letters: int = 0
    waiting_letters: int = 0
    parked_keys: int = 0  # the draining ones too
    draining_keys: int = 0
    last_read_at: dt.datetime | None = None  # a source's last poll that found something
    expiry: Expiry | None = None  # of what it has to read, and of the letters of parked keys
    letters: Sequence[Letter] = ()  # the open ones, newest first
    parked: Sequence[ParkedKey] = ()
    last_wrote_at: dt.datetime | None = None  # looked for where the process is down, or has a gap

    @property
    def needs_attention(self) -> bool:
        """Whether a person should look."""
        if self.expiry is not None and self.expiry.is_near:
            return True
        in_trouble = self.state not in {State.IDLE, State.FLOWING}
        return in_trouble or self.open_letters > 0 or self.parked_keys > 0


@dataclass(frozen=True, slots=True)
class Sample:
    """Positions at one moment: spans of all inputs, where each group goes on, and the first record it has to read.

    ``taken_at_secs`` is the monotonic clock's time after the positions were read.
    """

    spans: Mapping[Where, Span]
    committed: Mapping[str, Mapping[Where, int]]
    waiting: Mapping[str, Mapping[Where, Inbound]]
    taken_at_secs: float


def process_names(log: LogReader) -> tuple[str, ...]:
    """Every process of the fleet that reads topics."""
    return (*consumers(log.landscape), VIEWS)


def read_processes(
    log: LogReader,
    book: Book,
    sample: Sample,
    now: dt.datetime,
    *,
    workers: Workers = MappingProxyType({}),
    gone: Collection[str] = (),
    sleep: Callable[[float], None] = time.sleep,
) -> list[ProcessStatus]:
    """Status of every process. Looks a second time, some time after the sample, at those for which anything waits.

    ``gone`` are those that have ended as far as is known: it is told when they wrote last.
    """
    lasts = _last_records(log, sample)
    parked = _parked_keys(log)
    busy = [name for name, waiting in sample.waiting.items() if waiting]
    if busy:
        sleep(max(0.0, SAMPLE_PAUSE_SECS - (time.monotonic() - sample.taken_at_secs)))
    later = read_committed(log, _inputs_by_group(log, busy))
    wrote = _last_written(log, [*gone, *(name for name, figures in workers.items() if figures is None)])
    found = []
    for name in sample.waiting:
        inputs = set(input_topics(log.topics, name))
        waiting = sample.waiting[name]
        moved = any(later[group].get(where) != at for group, where, at in _positions(sample, name))
        moved = moved or _is_recent(lasts, _results_of(name), now)
        oldest = min((record.timestamp_ms for record in waiting.values()), default=None)
        last = max((ms for (topic, _), ms in lasts.items() if topic in inputs), default=None)
        system = name.partition("-")[2]
        status = ProcessStatus(
            name=name,
            state=state_of(bool(waiting), moved, _at(oldest), now, _condition(name, workers)),
            records=sum(span.end - span.first for where, span in sample.spans.items() if where[0] in inputs),
            lag=sum(sample.spans[where].end - record.offset for where, record in waiting.items()),
            oldest_waiting_at=_at(oldest),
            last_event_at=_at(last),
            open_letters=book.count(name, Standing.OPEN),
            waiting_letters=book.count(name, Standing.WAITING),
            parked_keys=len(parked.get(name, ())),
            draining_keys=sum(row.state is KeyState.DRAINING for row in parked.get(name, ())),
            expiry=expiry_of(log, name, waiting, parked.get(name, ()), now),
            last_read_at=_last_read(log, system) if name.startswith("source-") else None,
            letters=[one for one in book.letters if one.consumer == name and book.stands(one) is Standing.OPEN],
            parked=tuple(parked.get(name, ())),
            last_wrote_at=wrote.get(name),
        )
        found.append(status)
    return found


def state_of(
    waits: bool,  # noqa: FBT001  - facts
    moved: bool,  # noqa: FBT001  - facts
    oldest: dt.datetime | None,
    now: dt.datetime,
    said: State | None = None,
) -> State:
    """State from what two samples show, unless the process's own metrics have ``said`` it, or said nothing."""
    if said is not None:
        return said
    if not waits:
        return State.IDLE
    age_secs = (now - oldest).total_seconds() if oldest else 0.0
    if not moved and age_secs > STALLED_SECS:
        return State.STALLED
    return State.BEHIND if age_secs > BEHIND_SECS else State.FLOWING


def _condition(name: str, workers: Workers) -> State | None:
    """What a process's metrics say that its positions cannot."""
    if name not in workers:
        return None
    figures = workers[name]
    if figures is None:
        return State.DOWN
    kind, _, system = name.partition("-")
    away = {"sink": (Measure.TARGET_PAUSED, "target"), "source": (Measure.SOURCE_FAILING_AGE, "system")}.get(kind)
    return State.PAUSED if away and figures.of(away[0], **{away[1]: system}) > 0 else None


def _last_written(log: LogReader, names: Collection[str]) -> dict[str, dt.datetime]:
    """When each process wrote last, by the topics that only it writes."""
    topics = {name: topic.writers[0] for name, topic in log.topics.items() if len(topic.writers) == 1}
    mine = [name for name, writer in topics.items() if writer in names and name in log.partitions]
    windows = {where: span.tail(LAST_OFFSETS) for where, span in read_spans(log, all_partitions(log, mine)).items()}
    found: dict[str, dt.datetime] = {}

    def take(record: Inbound) -> None:
        at, writer = dt.datetime.fromtimestamp(record.timestamp_ms / 1000, tz=dt.UTC), topics[record.topic]
        found[writer] = max(found.get(writer, at), at)

    read_windows(log, windows, take, headers=False)
    return found


def expiry_of(
    log: LogReader, name: str, waiting: Mapping[Where, Inbound], parked: Sequence[ParkedKey], now: dt.datetime
) -> Expiry | None:
    """What would be lost first if nothing moved: a record not read yet, or the oldest letter of a parked key."""
    kept = {topic: retention_secs(log.topics[topic].configs) for topic, _ in waiting}
    unread = [(dt.datetime.fromtimestamp(r.timestamp_ms / 1000, dt.UTC), kept[r.topic]) for r in waiting.values()]
    letters = log.topics.get(dead_letter_topic(name))
    held = [(row.since, retention_secs(letters.configs)) for row in parked] if letters else []
    return first_expiry([*unread, *held], now)


def take_sample(log: LogReader, names: Sequence[str]) -> Sample:
    """Spans, positions and the first waiting record of each partition: three round trips and one short read."""
    topics = sorted({topic for name in names for topic in input_topics(log.topics, name)})
    spans = read_spans(log, all_partitions(log, topics))
    committed = read_committed(log, _inputs_by_group(log, names))
    taken_at_secs = time.monotonic()
    # An offset counts a transaction's marker too; only a look tells whether a record waits behind the position.
    starts: dict[Where, set[int]] = {}
    for name in names:
        for where, start in _starts(log, name, spans, committed).items():
            starts.setdefault(where, set()).add(start)
    firsts: dict[tuple[Where, int], Inbound] = {}
    while starts:
        # Two readers of one topic stand at different places: one pass for each place.
        now_at = {where: offsets.pop() for where, offsets in starts.items()}
        starts = {where: offsets for where, offsets in starts.items() if offsets}

        def take(record: Inbound, now_at: Mapping[Where, int] = now_at) -> None:
            where = (record.topic, record.partition)
            firsts[where, now_at[where]] = record

        windows = {where: spans[where].since(at) for where, at in now_at.items()}
        read_windows(log, windows, take, first_only=True)
    waiting = {
        name: {
            where: firsts[where, start]
            for where, start in _starts(log, name, spans, committed).items()
            if (where, start) in firsts
        }
        for name in names
    }
    return Sample(spans, committed, waiting, taken_at_secs)


def group_for(name: str, topic: str) -> str:
    """The consumer group under which a process reads a topic."""
    return f"{group_of(name)}-requests" if topic == RUN_TOPIC and name.startswith("source-") else group_of(name)


def _inputs_by_group(log: LogReader, names: Sequence[str]) -> dict[str, list[Where]]:
    groups: dict[str, list[Where]] = {}
    for name in names:
        for topic in input_topics(log.topics, name):
            groups.setdefault(group_for(name, topic), []).extend(all_partitions(log, [topic]))
    return groups


def _starts(
    log: LogReader, name: str, spans: Mapping[Where, Span], committed: Mapping[str, Mapping[Where, int]]
) -> dict[Where, int]:
    """Where a process goes on, for the partitions whose end it has not reached."""
    starts: dict[Where, int] = {}
    for where in all_partitions(log, input_topics(log.topics, name)):
        span = spans[where]
        start = max(span.first, committed[group_for(name, where[0])].get(where, span.first))
        if start < span.end:
            starts[where] = start
    return starts


def _positions(sample: Sample, name: str) -> list[tuple[str, Where, int | None]]:
    groups = {where: group_for(name, where[0]) for where in sample.waiting[name]}
    return [(group, where, sample.committed[group].get(where)) for where, group in groups.items()]


def _results_of(name: str) -> str | None:
    return f"sink.{name.removeprefix('sink-')}.result.v1" if name.startswith("sink-") else None


def _is_recent(lasts: Mapping[Where, int], topic: str | None, now: dt.datetime) -> bool:
    after_ms = (now.timestamp() - RESULT_SECS) * 1000
    return any(millis > after_ms for (name, _), millis in lasts.items() if name == topic)


def _last_records(log: LogReader, sample: Sample) -> dict[Where, int]:
    lasts: dict[Where, int] = {}

    def take(record: Inbound) -> None:
        where = (record.topic, record.partition)
        lasts[where] = max(lasts.get(where, 0), record.timestamp_ms)

    windows: dict[Where, Window] = {where: span.tail(LAST_OFFSETS) for where, span in sample.spans.items()}
    read_windows(log, windows, take, headers=False)
    return lasts


def _parked_keys(log: LogReader) -> dict[str, list[ParkedKey]]:
    """Parked keys by the name of their sink."""
    found: dict[str, list[ParkedKey]] = {}
    for row in read_rows(log, PARKED, ParkedKey).values():
        found.setdefault(f"sink-{row.target}", []).append(row)
    return found


def _last_read(log: LogReader, system: str) -> dt.datetime | None:
    row = read_rows(log, f"src.{system}.position.state.v1", SourcePosition).get(system)
    return row.polled_at if row else None


def _at(millis: int | None) -> dt.datetime | None:
    return None if millis is None else dt.datetime.fromtimestamp(millis / 1000, tz=dt.UTC)
