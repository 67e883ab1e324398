"""The state of the hub in one look: what is in trouble, how processes and flows stand, whether a person must act."""

from __future__ import annotations

import datetime as dt
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException

from confluent_kafka import KafkaException

from tieline.kernel.clock import Clock, utc_now
from tieline.kernel.errors import Retryable, Unavailable
from tieline.kernel.fleet import consumers, processes
from tieline.kernel.inspecting import LogReader, read_rows
from tieline.kernel.landscape import Landscape
from tieline.kernel.letters import read_book
from tieline.kernel.memory import Conflict, HeldReport, PeriodHold
from tieline.kernel.metrics import Measure
from tieline.kernel.procurement_records import PurchaseProcess
from tieline.kernel.topic_names import PERIOD_HOLDS
from tieline.operating.account_stories import pools_of
from tieline.operating.flows import read_flows
from tieline.operating.holds import (
    CONFLICTS,
    HOLDS,
    Held,
    count_conflicts,
    count_held_reports,
    count_period_holds,
)
from tieline.operating.hours import FlowHour, read_hours
from tieline.operating.positions import find_gaps
from tieline.operating.processes import VIEWS, process_names, read_processes, take_sample
from tieline.operating.purchases import PROCESSES, count_late
from tieline.operating.scene import Away, Scene
from tieline.operating.stories import tell
from tieline.operating.story import Story
from tieline.operating.workers import Workers, read_workers

LOOK_SECS = 2.5
"""How long Kafka and the registry may take to answer at all, before anything is read."""


class Status(Scene):
    """Everything at one moment, and what it means."""

    @property
    def stories(self) -> list[Story]:
        """Every trouble, the one that explains others first."""
        return tell(self)

    @property
    def needs_attention(self) -> bool:
        """Whether a person should look after the hub; a closed period or a late delivery is no fault of it."""
        return any(story.is_fault for story in self.stories)


def read_status(
    log: LogReader,
    clock: Clock = utc_now,
    *,
    workers: Callable[[Landscape], Workers] = read_workers,
    look: Callable[[LogReader], list[Away]] | None = None,
    hours: Callable[[dt.datetime, int], list[FlowHour]] = read_hours,
    sleep: Callable[[float], None] = time.sleep,
) -> Status:
    """Look at everything; reads only, and within bounds. Blocks for some seconds; with Kafka away for less than five.

    Raises ``Stop`` when topics are missing.
    """
    with ThreadPoolExecutor(1) as thread:
        asked = thread.submit(workers, log.landscape)
        away = (look or look_for_parts)(log)
        known = asked.result()
    now = clock()
    if not away:
        try:
            return _read(log, now, known, hours, sleep)
        except (Unavailable, Retryable, KafkaException) as error:
            away = [Away("Kafka or the schema registry", str(error))]  # it went while it was read
    return Status(
        now,
        (),
        (),
        letters_cut=False,
        workers=known,
        away=away,
        commands=_starts(log.landscape),
        metrics_off=not log.landscape.metrics_port,
    )


def _read(
    log: LogReader,
    now: dt.datetime,
    workers: Workers,
    hours: Callable[[dt.datetime, int], list[FlowHour]],
    sleep: Callable[[float], None],
) -> Status:
    readers = consumers(log.landscape)
    book = read_book(log, readers)
    sample = take_sample(log, process_names(log))
    gaps = find_gaps(log, sample, readers)
    flows = read_flows(log, sample, now)
    found = read_processes(log, book, sample, now, workers=workers, gone=gaps, sleep=sleep)
    views = workers.get(VIEWS)
    return Status(
        now,
        found,
        flows,
        letters_cut=book.cut,
        workers=workers,
        gaps=gaps,
        period_holds=count_period_holds(read_rows(log, PERIOD_HOLDS, PeriodHold).values()),
        held_reports=count_held_reports(read_rows(log, HOLDS, HeldReport)),
        conflicts=count_conflicts(read_rows(log, CONFLICTS, Conflict).values()),
        overdue_orders=count_late(read_rows(log, PROCESSES, PurchaseProcess).values(), now.date()),
        hours=hours(now, log.landscape.views_port) if views and views.of(Measure.VIEWS_READY) else (),
        commands=_starts(log.landscape),
        metrics_off=not log.landscape.metrics_port,
    )


def look_for_parts(log: LogReader) -> list[Away]:
    """Kafka and the registry, if they do not answer within ``LOOK_SECS``; both are asked at once."""
    with ThreadPoolExecutor(1) as thread:
        registry = thread.submit(_registry_fault, log.landscape.registry.url)
        kafka = _kafka_fault(log)
        found = {"Kafka": kafka, "the schema registry": registry.result()}
    return [Away(part, why) for part, why in found.items() if why is not None]


def _kafka_fault(log: LogReader) -> str | None:
    try:
        log.consumer.list_topics(timeout=LOOK_SECS)
    except KafkaException as error:
        return f"{log.kafka.bootstrap_servers}: {error.args[0].str()}"
    return None


def _registry_fault(url: str) -> str | None:
    opener = urllib.request.build_opener()
    try:
        with opener.open(f"{url.rstrip('/')}/schemas/types", timeout=LOOK_SECS) as answer:
            answer.read(1)
    except urllib.error.HTTPError as error:
        # It is there: what it thinks of the question does not matter here.
        return f"{url}: HTTP {error.code}" if error.code >= 500 else None  # noqa: PLR2004  - server errors
    except (OSError, ValueError, HTTPException) as error:
        return f"{url}: {getattr(error, 'reason', error)}"
    return None


def _starts(landscape: Landscape) -> dict[str, str]:
    return {spec.name: " ".join(spec.argv) for spec in processes(landscape)}


def status_json(status: Status) -> str:
    """The status as one JSON object; times ISO 8601 in UTC, durations in seconds."""
    document = {
        "at": status.at.isoformat(),
        "needs_attention": status.needs_attention,
        "troubles": [_story(story) for story in status.stories],
        "period_holds": sum(held.count for held in status.period_holds),
        "overdue_orders": status.overdue_orders,
        "holds": {
            "period": [_held(held) for held in status.period_holds],
            "report": [_held(held) for held in status.held_reports],
            "conflict": [_held(held) for held in status.conflicts],
        },
        "processes": [
            {
                "name": p.name,
                "state": str(p.state),
                "needs_attention": p.needs_attention,
                "answers": None if p.name not in status.workers else not status.is_silent(p.name),
                "records": p.records,
                "lag": p.lag,
                "oldest_waiting_at": _iso(p.oldest_waiting_at),
                "last_event_at": _iso(p.last_event_at),
                "last_read_at": _iso(p.last_read_at),
                "open_letters": p.open_letters,
                "waiting_letters": p.waiting_letters,
                "parked_keys": p.parked_keys,
                "draining_keys": p.draining_keys,
                "expires_at": _iso(p.expiry.at if p.expiry else None),
                "retention_left_share": p.expiry.share_left if p.expiry else None,
            }
            for p in status.processes
        ],
        "flows": [
            {
                "name": f.flow.name,
                "mode": str(f.flow.mode),
                "health": f.health,
                "needs_attention": f.needs_attention,
                "delivered": f.delivered if f.counted else None,
                "pending": f.pending if f.counted else None,
                "pending_is_least": f.pending_is_least,
                "parked": f.parked if f.counted else None,
                "rejected": f.rejected if f.counted else None,
                "last_confirmed_at": _iso(f.last_confirmed_at),
                "latency_samples": f.samples,
                "latency_p50_secs": f.latency_p50_secs,
                "latency_p95_secs": f.latency_p95_secs,
                "latency_target_secs": f.flow.latency_target_secs,
            }
            for f in status.flows
        ],
        "calls_left": [
            {"process": p.process, "system": p.system, "pool": p.name, "left": p.left, "reset_secs": p.reset_secs}
            for p in pools_of(status)
        ],
        "completeness": [
            {
                "hour": row.hour.isoformat(),
                "flow": row.flow,
                "routed": row.routed,
                "open": row.still_open,
                "completeness": row.complete,
            }
            for row in status.hours
        ],
    }
    return json.dumps(document, indent=2)


def _story(story: Story) -> dict[str, object]:
    return {
        "trouble": str(story.kind),
        "subject": story.subject,
        "is_fault": story.is_fault,
        "what": story.what,
        "since": _iso(story.since),
        "since_note": story.since_note or None,
        "waits": story.waits,
        "next": story.next,
        "do": story.do or None,
        "run": list(story.run),
    }


def _held(held: Held) -> dict[str, object]:
    return {"reason": held.reason, "count": held.count, "since": _iso(held.since), "needs_person": held.needs_person}


def _iso(value: dt.datetime | None) -> str | None:
    return None if value is None else value.isoformat()
