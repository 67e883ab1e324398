"""Calls to a target at work on an event loop that stands still while nobody waits for it.

The delivery loop is one plain thread: it reads, writes a transaction, then lets the calls go on for a moment. A call
that has ended is handed over once; what it raised (``Stop``, a defect of ours) is raised there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

from tieline.kernel.command_records import Command, PostCost, RemoveRecord
from tieline.kernel.consuming import close_connector
from tieline.kernel.errands import NotBegun, errand, priority_of
from tieline.kernel.errors import Rejected, Stop, Unavailable
from tieline.kernel.family_records import FamilyCommand
from tieline.kernel.guarding import Gate, pause_secs
from tieline.kernel.lanes import Task
from tieline.kernel.memory import LedgerEntry
from tieline.kernel.metering import TargetMeter
from tieline.kernel.metrics import Cause
from tieline.kernel.protocols import Sink
from tieline.kernel.settling import Failed, ledger_key, settle
from tieline.kernel.tables import Table
from tieline.kernel.telemetry import Log

LANES = 16
"""Calls at a time."""
BEGUN = 4 * LANES
"""Commands whose intent is recorded and whose call is not over; those beyond ``LANES`` wait for a place."""
LINGER_SECS = 0.02
"""What ends so soon after the first shares its transaction."""
# How long after a transaction of its own a process takes it that no other has replaced it. One that was paused between
# its intent and its call would write an old version over a newer one.
FRESH_SECS = 10.0
NEVER = float("-inf")


class Calls:
    """Tasks whose call is under way or waits for a place, and the gate that each of them passes (guarding.py).

    ``begin`` only what has its intent durable; ``vouch`` after each transaction, or nothing is sent.
    """

    def __init__(self, sink: Sink, ledger: Table[LedgerEntry], target: TargetMeter, log: Log) -> None:
        self._sink = sink
        self._ledger = ledger
        self._target = target
        self._log = log
        self._runner = asyncio.Runner()
        self._places = asyncio.Semaphore(LANES)
        self._at_work: dict[asyncio.Task[None], Task] = {}
        self._confirmed_at = NEVER
        self._gate = Gate(time.monotonic, tell=self._tell_pause)
        target.retrying(lambda: self._gate.retrying_keys, self._gate.spent_secs, self._gate.rest_secs)

    def __len__(self) -> int:
        return len(self._at_work)

    @property
    def is_paused(self) -> bool:
        """Whether the target counts as out."""
        return self._gate.is_paused

    def room(self) -> int:
        """How many more may begin."""
        if self._gate.rest_secs() > 0:
            return 0  # asking each of the thousands that wait would say the same
        return 1 if self.is_paused else BEGUN - len(self)  # Invariant 7: while the target is out, one asks for all

    def wait_secs(self, task: Task) -> float:
        """How long until a command may be called for at the earliest; 0: now."""
        due_secs = max(task.due_secs - time.monotonic(), 0.0)
        return max(due_secs, self._gate.wait_secs(ledger_key(task.command), task.tries))

    def soonest_secs(self, tasks: Iterable[Task], at_most_secs: float) -> float:
        """How long until one of these may be called for at the earliest, or ``at_most_secs``."""
        rest_secs = self._gate.rest_secs()
        if rest_secs > 0:
            return min(at_most_secs, rest_secs)
        for task in tasks:
            at_most_secs = min(at_most_secs, self.wait_secs(task))
            if at_most_secs <= 0:
                break
        return at_most_secs

    def may_call(self, task: Task) -> bool:
        """Whether a command may be called for now."""
        return self.wait_secs(task) <= 0

    def vouch(self, confirmed_at: float) -> None:
        """A transaction begun at this moment (``time.monotonic``) was committed: nobody had replaced us then."""
        self._confirmed_at = confirmed_at

    def begin(self, tasks: Iterable[Task]) -> None:
        """Call for these; nothing is sent before ``wait``."""
        loop = self._runner.get_loop()
        for task in tasks:
            self._at_work[loop.create_task(self._call_in_place(task))] = task

    def wait(self, timeout_secs: float) -> list[Task]:
        """Let the calls go on until the first has ended, or for this long. Gives those that have, in their order.

        One without outcome was not sent, or is to be tried again.
        """
        if self._at_work:
            self._runner.run(self._some_end(timeout_secs))
        return self._hand_over()

    def finish(self, timeout_secs: float) -> list[Task]:
        """Send nothing more, let what was sent come to its end, give up what does not in this time. Gives the rest."""
        self._confirmed_at = NEVER
        if self._at_work:
            self._runner.run(self._all_end(timeout_secs))
        ended = self._hand_over()
        self._at_work.clear()
        return ended

    def close(self, close: Callable[[], object]) -> None:
        """Give up what is at work, then close the connector on the event loop that its connections live on."""
        if self._at_work:
            self._runner.run(self._all_end(0.0))
        close_connector(close, self._runner)
        self._runner.close()

    async def _some_end(self, timeout_secs: float) -> None:
        ended, others = await asyncio.wait(self._at_work, timeout=timeout_secs, return_when=asyncio.FIRST_COMPLETED)
        if ended and others:
            await asyncio.wait(others, timeout=LINGER_SECS)

    async def _all_end(self, timeout_secs: float) -> None:
        _, others = await asyncio.wait(self._at_work, timeout=timeout_secs)
        for given_up in others:
            given_up.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _hand_over(self) -> list[Task]:
        ended = [call for call in self._at_work if call.done() and not call.cancelled()]
        tasks = [self._at_work.pop(call) for call in ended]
        for call in ended:
            call.result()
        return tasks

    async def _call_in_place(self, task: Task) -> None:
        async with self._places:
            if self.may_call(task) and time.monotonic() - self._confirmed_at <= FRESH_SECS:
                await self._call(task)

    async def _call(self, task: Task) -> None:
        try:
            # Waiting for a turn at the target may take long, and nobody knows then who else took over.
            with errand(priority_of(task.command), begin_by_secs=self._confirmed_at + FRESH_SECS):
                task.outcome = await settle(
                    task.command,
                    self._native_id(task.command),
                    self._sink,
                    uncertain=bool(task.uncertain),
                    gate=self._gate,
                    tries=task.tries,
                )
        except NotBegun:
            task.uncertain = task.uncertain or task.tries.sent > 0
        except Unavailable as error:
            # Invariant 7: an outage is not poison; the others at work keep their outcome.
            task.uncertain = task.uncertain or task.tries.sent > 0
            if not self.is_paused:  # then its own pause is enough, and may end sooner
                task.due_secs = time.monotonic() + pause_secs(task.tries, error.retry_after_secs)
        except Stop:
            raise
        except Exception as error:  # noqa: BLE001  - a defect in a connector must cost one record, not the flow
            self._log.fault("handler-failed", record=task.record.coordinates)
            reason = f"internal fault: {type(error).__name__}"
            rejection = Rejected(reason, remedy="see the log")
            task.outcome = Failed(rejection, 1, in_doubt=True, cause=Cause.DEFECT)

    def _tell_pause(self, why: Exception | None) -> None:
        if why is not None:
            self._target.paused()
            next_secs = round(self._gate.rest_secs(), 1)
            self._log.warning("target-paused", why=str(why)[:300], waiting=len(self), next_call_secs=next_secs)
        else:
            self._target.answered()
            self._log.info("target-resumed")

    def _native_id(self, command: Command) -> str | None:
        """The target's id of the record: what the target itself answered last, else what the hub knew."""
        if isinstance(command, PostCost):
            return None
        if isinstance(command, RemoveRecord):
            return command.native_id
        if isinstance(command, FamilyCommand):
            known = self._ledger.get(ledger_key(command))
            return (known.native_id if known else None) or command.native_id
        entry = self._ledger.get(f"{command.dispatch.target}/asset/{command.asset_id}")
        return (entry.native_id if entry else None) or command.native_id
