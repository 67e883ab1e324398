"""Every kind of trouble there is, in one list: status, logs, JSON and alerts call it by the same name and words.

``name`` stands in ``tieline status``, in its JSON, in the field ``trouble`` of a log line and in the label ``trouble``
of an alert. ``words`` follow what is in trouble ("erp takes no commands"); an alert's summary has them too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. ``alert`` is its rule under deploy/alerts; without one ``unalarmed`` says why there is none."""

    name: str
    words: str
    alert: str | None = None
    unalarmed: str = ""
    is_fault: bool = True
    """Whether a person should look after the hub; what the business waits for, a closed period say, is no fault."""


class Trouble(Enum):
    """The list, in the order in which status tells them: what explains others comes first."""

    BROKER_AWAY = Kind("broker-away", "does not answer", "TielineBrokerAway")
    PROCESS_SILENT = Kind("process-silent", "is down, or cannot be reached", "TielineProcessSilent")
    FENCED = Kind(
        "fenced",
        "was replaced by another copy of it",
        unalarmed="the other copy does the work; where none runs, process-silent alarms",
    )
    GAP = Kind(
        "gap",
        "cannot go on where it stood",
        unalarmed="the process has ended with it, so process-silent alarms; its last log line says gap",
    )
    TARGET_PAUSED = Kind("target-paused", "takes no commands", "TielineTargetPaused")
    CALLS_SPENT = Kind("calls-spent", "gives no more calls", "TielineCallsSpent")
    RETRIES_SPENT = Kind(
        "retries-spent",
        "is not asked again for now",
        unalarmed="what is new still goes out, and flow-late alarms as soon as a promise is not kept",
    )
    SOURCE_UNAVAILABLE = Kind("source-unavailable", "is not read", "TielineSourceNotRead")
    PROCESS_STALLED = Kind("process-stalled", "does not move", "TielineProcessHangs")
    PROCESS_BEHIND = Kind(
        "process-behind",
        "is behind",
        unalarmed="it moves; flow-late alarms as soon as a promise is not kept",
    )
    TRANSACTION_REPEATED = Kind("transaction-repeated", "repeats its transactions", "TielineTransactionsRepeated")
    RECORDS_EXPIRE = Kind("records-expire", "will lose what waits for it", "TielineCommandsExpire")
    DELIVERY_IN_DOUBT = Kind("delivery-in-doubt", "may or may not have taken", "TielineDeliveryInDoubt")
    KEY_PARKED = Kind("key-parked", "behind a dead letter", "TielineKeysParked")
    KEY_DRAINING = Kind(
        "key-draining",
        "behind a letter that was resolved",
        unalarmed="it ends by itself; until then key-parked goes on alarming",
    )
    DEAD_LETTER = Kind("dead-letter", "could not process", "TielineDeadLetters")
    FLOW_LATE = Kind("flow-late", "is later than promised", "TielineFlowLate")
    FLOW_SLOW = Kind("flow-slow", "is slower than promised", "TielineFlowSlow")
    PERIOD_HELD = Kind(
        "period-held",
        "for a fiscal period or a cost centre",
        unalarmed="a closed period is no fault: what waits is posted when the ERP opens it",
        is_fault=False,
    )
    REPORT_HELD = Kind(
        "report-held",
        "for another record, or a person's word",
        unalarmed="most end by themselves; the others are a question of data, not of the hub's health",
        is_fault=False,
    )
    CONFLICT = Kind(
        "conflict",
        "say what does not stand",
        unalarmed="a question of data: the owner's word stands until a person ends it",
        is_fault=False,
    )
    ORDERS_OVERDUE = Kind(
        "orders-overdue",
        "are overdue",
        unalarmed="a late delivery is no fault of the hub",
        is_fault=False,
    )

    def __str__(self) -> str:
        return self.value.name


TROUBLE_OF: Mapping[str, Trouble] = MappingProxyType(
    {
        "broker-waited-for": Trouble.BROKER_AWAY,
        "transaction-repeated": Trouble.TRANSACTION_REPEATED,
        "record-dead-lettered": Trouble.DEAD_LETTER,
        "handler-failed": Trouble.DEAD_LETTER,
        "trial-ended": Trouble.DEAD_LETTER,
        "target-paused": Trouble.TARGET_PAUSED,
        "key-parked": Trouble.KEY_PARKED,
        "source-unavailable": Trouble.SOURCE_UNAVAILABLE,
        "metrics-not-served": Trouble.PROCESS_SILENT,
        "ended": Trouble.PROCESS_SILENT,  # unless what ended it says more: fenced, gap
    }
)
"""Which trouble a log event tells of; an event that is not here tells of none."""
