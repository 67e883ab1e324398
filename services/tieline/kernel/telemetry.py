"""Logs: one JSON line an event on standard error. Success is silent; every event name is in ``Event``."""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog
import structlog.tracebacks

from tieline.kernel.disk import writing
from tieline.kernel.troubles import TROUBLE_OF

_PLACE = "the log (standard error)"
_REMEDY = "free space where it is kept and start the process again: it goes on where it was, nothing is lost"

Event = Literal[
    "started",  # a process is ready for work
    "stopped",  # it ended as asked
    "ended",  # it must not go on; `why` is also its last sentence on standard error
    "broker-waited-for",  # Kafka does not answer; trying again
    "transaction-repeated",  # an uncertain transaction was given up and is done again
    "record-dead-lettered",  # a record went to the dead-letter topic
    "trial-ended",  # a record ended the child in which it was tried; the second time it is dead-lettered undecoded
    "target-paused",  # a target does not answer; nothing is dead-lettered
    "target-resumed",  # it answers again
    "calls-left",  # a process ended before the outcome of calls was durable; the next start reads them back
    "key-parked",  # a key waits behind its dead letter
    "key-released",  # it flows again
    "source-unavailable",  # a source system does not answer; trying again
    "webhook-refused",  # a webhook was not authentic or not understood
    "observation-began",  # a system is being read back
    "observation-ended",  # it was read back
    "metrics-not-served",  # the port is taken; trying again, the work goes on
    "handler-failed",  # a defect in our own code; the record is dead-lettered, the traceback is here
]


def configure_logging(level: str = "info") -> None:
    """Set structlog up for this process: JSON lines on standard error, UTC times."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # Invariant 14: without local variables, which hold passwords and personal data.
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


class Log:
    """A logger that knows its consumer and speaks only the events above, each with the trouble that it tells of.

    Raises ``Stop`` where the log has no room: what nobody can see going wrong must not go on.
    """

    def __init__(self, consumer: str) -> None:
        self._logger = structlog.get_logger().bind(consumer=consumer)

    def info(self, event: Event, **fields: object) -> None:
        """Something a person may want to know."""
        with writing(_PLACE, _REMEDY):
            self._logger.info(event, **_named(event, fields))

    def warning(self, event: Event, **fields: object) -> None:
        """Something a person should look at."""
        with writing(_PLACE, _REMEDY):
            self._logger.warning(event, **_named(event, fields))

    def fault(self, event: Event, **fields: object) -> None:
        """A defect, with the traceback of the exception being handled."""
        with writing(_PLACE, _REMEDY):
            self._logger.error(event, exc_info=True, **_named(event, fields))  # noqa: LOG014  - called in a handler


def _named(event: Event, fields: dict[str, object]) -> dict[str, object]:
    trouble = TROUBLE_OF.get(event)
    return fields if trouble is None else {"trouble": str(trouble), **fields}
