"""What the ledger and the result topic say of a command: intent before the call, outcome after it."""

from __future__ import annotations

from tieline.kernel.clock import Clock
from tieline.kernel.command_records import Command, CommandSettled, SettledAs
from tieline.kernel.dead_letters import clean
from tieline.kernel.errors import Rejected
from tieline.kernel.memory import LedgerEntry, Stage
from tieline.kernel.protocols import Written
from tieline.kernel.records import Outbound, Typed
from tieline.kernel.settling import aggregate_of, entity_of, ledger_key
from tieline.kernel.tables import Table
from tieline.kernel.topic_names import results_of


class Recorder:
    """Writes one target's ledger rows and results."""

    def __init__(self, system: str, ledger: Table[LedgerEntry], clock: Clock) -> None:
        self._topic = results_of(system)
        self._ledger = ledger
        self._clock = clock

    def intend(self, command: Command) -> list[Outbound]:
        """The intent; what was applied before stays known."""
        self._put(command, Stage.INTENT, {})
        return self._ledger.drain()

    def confirm(self, command: Command, written: Written) -> list[Outbound]:
        """The target holds it: only now the applied version moves."""
        previous = self._ledger.get(ledger_key(command))
        applied = max(command.dispatch.version, previous.applied_version if previous else 0)
        update = {
            "applied_version": applied,
            "native_id": written.native_id,
            "number": written.number,
            "source_version": written.source_version,
            "digest": written.digest,
            "recorded_at": written.recorded_at,
        }
        self._put(command, Stage.CONFIRMED, update)
        return [
            *self._ledger.drain(),
            self._result(command, SettledAs.CONFIRMED, written.native_id, written.number, None),
        ]

    def reject(self, command: Command, rejection: Rejected, *, in_doubt: bool = False) -> list[Outbound]:
        """The command cannot succeed as it is; ``in_doubt``: nobody knows whether it took effect after all."""
        reason = clean(str(rejection))
        held = {} if rejection.held_digest is None else {"digest": rejection.held_digest}
        self._put(command, Stage.UNKNOWN if in_doubt else Stage.REJECTED, {"reason": reason, **held})
        return [*self._ledger.drain(), self._result(command, SettledAs.REJECTED, None, None, reason)]

    def supersede(self, command: Command, entry: LedgerEntry | None, by_version: int | None = None) -> list[Outbound]:
        """Nothing was sent; the ledger stands as it is, or ``by_version`` is sent instead."""
        if by_version is not None:
            reason = f"passed over for version {by_version}, which waited behind it and says all of it"
        else:
            reason = f"version {entry.applied_version if entry else 0} is applied"
        native_id, number = (entry.native_id, entry.number) if entry else (None, None)
        return [self._result(command, SettledAs.SUPERSEDED, native_id, number, reason)]

    def _put(self, command: Command, stage: Stage, update: dict[str, object]) -> None:
        key = ledger_key(command)
        previous = self._ledger.get(key)
        entity, canonical_id = entity_of(command)
        entry = LedgerEntry(
            target=command.dispatch.target,
            entity=entity,
            canonical_id=canonical_id,
            command_id=command.dispatch.command_id,
            version=command.dispatch.version,
            applied_version=previous.applied_version if previous else 0,
            stage=stage,
            native_id=previous.native_id if previous else None,
            number=previous.number if previous else None,
            source_version=previous.source_version if previous else None,
            digest=previous.digest if previous else None,
            at=self._clock(),
            recorded_at=previous.recorded_at if previous else None,
        )
        self._ledger.put(key, entry.model_copy(update=update))

    def _result(
        self, command: Command, outcome: SettledAs, native_id: str | None, number: str | None, reason: str | None
    ) -> Outbound:
        entity, canonical_id = entity_of(command)
        body = CommandSettled(
            command_id=command.dispatch.command_id,
            target=command.dispatch.target,
            entity=entity,
            canonical_id=canonical_id,
            version=command.dispatch.version,
            outcome=outcome,
            native_id=native_id,
            number=number,
            reason=reason,
        )
        # Invariant 2: behind what was said of the same asset before.
        return Outbound(self._topic, aggregate_of(ledger_key(command)), Typed("CommandSettled", body))
