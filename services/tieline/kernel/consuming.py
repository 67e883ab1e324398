"""The transactional loop: poll, handle, produce, send offsets, commit: one Kafka transaction a batch.

One thread, one process, all partitions of its inputs: the transactional id fences a second copy (docs/decisions).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tieline.kernel.records import Inbound, Outbound, Typed
from tieline.kernel.tables import Table

Handle = Callable[[Inbound, Typed], Iterable[Outbound]]


@dataclass(frozen=True, slots=True)
class Processor:
    """What the loop runs.

    ``handle`` gets each record of ``inputs`` decoded, in order per partition, and gives what is to be written; it may
    read and change ``tables`` (its own compacted state; what they queue is written after what it returns) and read
    ``followed`` (other processes' compacted state, kept up to date by the loop). It does no I/O and asks no clock but
    the one it was built with. It raises ``Rejected`` for a record that is at fault: the loop then undoes the record's
    table changes and writes it, untouched, to ``hub.<name>.dead-letter.v1``.
    """

    name: str
    inputs: Sequence[str]
    handle: Handle
    tables: Sequence[Table[Any]] = ()
    followed: Sequence[Table[Any]] = ()
