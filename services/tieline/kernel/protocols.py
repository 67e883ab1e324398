"""What a connector offers the kernel. Everything about one system stays behind these.

A connector's package has a module ``connector`` with one function
``connect(system: str, settings: Mapping[str, object]) -> Connector``. Importing it does nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tieline.kernel.command_records import Command
from tieline.kernel.errands import Priority
from tieline.kernel.ledger_records import LedgerBalance
from tieline.kernel.reports import Report


@dataclass(frozen=True, slots=True)
class RawItem:
    """One record as its system gave it.

    ``stream`` names the kind of record (``assets``), ``payload`` is the JSON document as received,
    ``native_id`` identifies it within the stream and is the order key of everything that follows from it.
    """

    stream: str
    native_id: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """Items in the order the system changed them, the position after them, and whether more wait already.

    ``position`` maps stream to an opaque cursor. The cursor covers exactly the items given so far (Invariant 1).
    """

    items: Sequence[RawItem]
    position: Mapping[str, str]
    more: bool = False


class Source(Protocol):
    """Reads one system. Never sleeps, never loops for ever; one call is bounded by the client's time-outs.

    Raises ``Unavailable`` when the system does not answer, ``Stop`` when it must not go on (wrong credentials).
    """

    async def read_changes(self, position: Mapping[str, str], limit: int) -> Page:
        """Everything that changed after ``position`` (empty: from the start), at most about ``limit`` items.

        May give an item twice, never skips one (Invariant 1): equal timestamps at a page border are read again.
        """
        ...

    async def read_one(self, stream: str, native_id: str) -> RawItem | None:
        """The record as it is now, or None when the system says it does not exist."""
        ...

    def read_all(self, stream: str) -> AsyncIterator[RawItem]:
        """Every record of the stream, each once. Ends normally only when the read was complete (Invariant 12)."""
        ...


@dataclass(frozen=True, slots=True)
class Written:
    """What the target holds after a write, by its own answer.

    ``digest`` is a hash of the mapped fields as the target returned them, after its own rounding and trimming.
    ``effect`` is False when the target already held exactly this and nothing was sent. ``recorded_at`` is when the
    target recorded it, by its own clock: what is reported later had seen it.
    """

    native_id: str
    number: str | None = None
    source_version: str | None = None
    digest: str | None = None
    effect: bool = True
    recorded_at: dt.datetime | None = None


class Sink(Protocol):
    """Writes canonical commands into one system.

    Order: within one key oldest first, never concurrently; other keys go side by side.
    Idempotent: doing the same command twice equals doing it once, also after a lost answer.
    Raises ``Retryable``, ``Unavailable``, ``OutcomeUnknown`` or ``Rejected`` (errors.py), nothing else on purpose.
    """

    async def write(self, command: Command, native_id: str | None) -> Written:
        """Bring the target to the command's state. ``native_id`` is the target's id when the hub knows it."""
        ...

    async def read_back(self, command: Command, native_id: str | None) -> Written | None:
        """What the target holds of this command's effect; None when it took no effect. Sends nothing that changes."""
        ...


@dataclass(frozen=True, slots=True)
class Webhook:
    """How the system's webhooks are received: path, and a pure parser of (headers, body) into records to read.

    ``parse`` returns (stream, native id) pairs; raises ``Rejected`` on a bad signature or shape.
    """

    path: str
    port: int
    parse: Callable[[Mapping[str, str], bytes], Sequence[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class ControlAccounts:
    """How a system's general ledger is read beside its asset subledger.

    ``read_all`` of the stream gives one item per control account. ``map_item`` is pure: it gives the balance, once for
    before and after, and raises ``Rejected`` with the field's path.
    """

    stream: str
    map_item: Callable[[RawItem], LedgerBalance]


class CallMeter(Protocol):
    """Who measures how an account's calls get on."""

    def waited(self, priority: Priority, secs: float) -> None:
        """A call begins that waited so long for its turn."""
        ...

    def throttled(self) -> None:
        """The system refused a call: there were too many."""
        ...


class Account(Protocol):
    """The account that a connector calls under, as far as this process may use it. Any thread may ask."""

    def calls_free(self) -> int:
        """Calls it has room for now."""
        ...

    def left(self) -> Mapping[str, float]:
        """Calls left by pool (``concurrent``, ``60s``, ``day``); always the same pools."""
        ...

    def reset_secs(self) -> Mapping[str, float]:
        """Time until each pool has room again, of ``day`` until it is counted anew; always the same pools."""
        ...

    def closed_secs(self, priority: Priority) -> float:
        """Time until it gives a call of this priority; 0: now, as far as is known."""
        ...

    def report_to(self, meter: CallMeter) -> None:
        """Tell it from now on."""
        ...


@dataclass(frozen=True, slots=True)
class Connector:
    """One system, connected. ``map_item`` is pure: it raises ``Rejected`` with the field's path, never I/O errors."""

    source: Source
    sink: Sink
    map_item: Callable[[RawItem], Sequence[Report]]
    snapshot_streams: Sequence[str]
    webhook: Webhook | None = None
    control_accounts: ControlAccounts | None = None  # None: the ledger is not compared, and reported as such
    close: Callable[[], object] = field(default=lambda: None)
    account: Account | None = None  # None: nothing limits its calls
