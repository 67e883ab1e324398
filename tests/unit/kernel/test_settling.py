"""The effect state machine: every outcome of the foreign call, from every standing of the ledger."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

import pytest

from tieline.kernel.asset_records import AssetFields
from tieline.kernel.command_records import Command, WriteAsset
from tieline.kernel.errors import OutcomeUnknown, Rejected, Retryable, TielineError, Unavailable
from tieline.kernel.memory import LedgerEntry, Stage
from tieline.kernel.protocols import Written
from tieline.kernel.settling import (
    ATTEMPTS,
    Confirmed,
    Failed,
    is_superseded,
    needs_read_back,
    overtaken_by,
    settle,
)
from tieline.kernel.vocabulary import Dispatch


def command(version: int = 3, *, repair: str | None = None) -> WriteAsset:
    suffix = f"/repair-{repair}" if repair else ""
    return WriteAsset(
        dispatch=Dispatch(command_id=f"erp/asset/A/{version}{suffix}", target="erp", version=version, repair_id=repair),
        asset_id="A",
        fields=AssetFields(description="Pump", quantity=Decimal(1)),
        writable_fields=(),
    )


def entry(stage: Stage, *, version: int = 3, applied: int = 2, command_id: str | None = None) -> LedgerEntry:
    return LedgerEntry(
        target="erp",
        entity="asset",
        canonical_id="A",
        command_id=command_id or f"erp/asset/A/{version}",
        version=version,
        applied_version=applied,
        stage=stage,
        at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    )


class ScriptedSink:
    """A target that counts effects and answers as scripted: an error, an error after the effect, or success."""

    def __init__(self, script: Sequence[tuple[bool, TielineError | None]], *, can_read: bool = True) -> None:
        self.script = list(script)
        self.effects = 0
        self.calls: list[str] = []
        self.can_read = can_read

    async def write(self, command: Command, native_id: str | None) -> Written:
        del command, native_id
        self.calls.append("write")
        applies, error = self.script.pop(0) if self.script else (True, None)
        if applies:
            self.effects += 1
        if error is not None:
            raise error
        return Written("7")

    async def read_back(self, command: Command, native_id: str | None) -> Written | None:
        del command, native_id
        self.calls.append("read")
        if not self.can_read:
            raise Unavailable("out")
        return Written("7") if self.effects else None


async def no_sleep(_secs: float) -> None:
    return


async def test_a_plain_success_is_confirmed_with_one_call() -> None:
    sink = ScriptedSink([])
    assert isinstance(await settle(command(), None, sink, uncertain=False, sleep=no_sleep), Confirmed)
    assert sink.calls == ["write"]


async def test_a_rejection_ends_it_at_once() -> None:
    sink = ScriptedSink([(False, Rejected("no such class"))])
    outcome = await settle(command(), None, sink, uncertain=False, sleep=no_sleep)
    assert isinstance(outcome, Failed)
    assert outcome.attempts == 1


@pytest.mark.parametrize("applied", [True, False])
async def test_a_lost_answer_is_read_back_before_anything_is_sent_again(applied: bool) -> None:  # noqa: FBT001  - a parameter
    sink = ScriptedSink([(applied, OutcomeUnknown("time-out"))])
    outcome = await settle(command(), None, sink, uncertain=False, sleep=no_sleep)
    assert isinstance(outcome, Confirmed)
    assert sink.effects == 1
    assert sink.calls[:2] == ["write", "read"]
    assert sink.calls.count("write") == (1 if applied else 2)


@pytest.mark.parametrize("applied", [True, False])
async def test_after_a_crash_the_effect_is_looked_for_first(applied: bool) -> None:  # noqa: FBT001  - a parameter
    sink = ScriptedSink([])
    sink.effects = 1 if applied else 0
    outcome = await settle(command(), None, sink, uncertain=True, sleep=no_sleep)
    assert isinstance(outcome, Confirmed)
    assert sink.calls[0] == "read"
    assert sink.effects == 1


class Unreadable(ScriptedSink):
    """A target whose reads fail so often before they answer."""

    def __init__(self, script: Sequence[tuple[bool, TielineError | None]], failures: int) -> None:
        super().__init__(script)
        self.failures = failures

    async def read_back(self, command: Command, native_id: str | None) -> Written | None:
        if self.failures:
            self.failures -= 1
            self.calls.append("read")
            raise Retryable("busy")
        return await super().read_back(command, native_id)


@pytest.mark.parametrize("failures", [1, 2, 4])
async def test_a_read_back_that_fails_does_not_count_as_nothing_found(failures: int) -> None:
    sink = Unreadable([(True, OutcomeUnknown("time-out"))], failures)
    outcome = await settle(command(), None, sink, uncertain=False, sleep=no_sleep)
    assert isinstance(outcome, Confirmed)
    assert (sink.effects, sink.calls.count("write")) == (1, 1)


@pytest.mark.parametrize("uncertain", [True, False])
async def test_what_cannot_be_read_back_at_all_is_left_in_doubt_and_nothing_is_sent(uncertain: bool) -> None:  # noqa: FBT001  - a parameter
    sink = Unreadable([(True, OutcomeUnknown("time-out"))], 1000)
    outcome = await settle(command(), None, sink, uncertain=uncertain, sleep=no_sleep)
    assert isinstance(outcome, Failed)
    assert outcome.in_doubt
    assert "read back" in str(outcome.rejection)
    assert sink.calls.count("write") == (0 if uncertain else 1)


async def test_answers_that_never_come_leave_it_in_doubt_and_refusals_do_not() -> None:
    lost = [(False, OutcomeUnknown("time-out"))] * ATTEMPTS
    outcome = await settle(command(), None, ScriptedSink(lost), uncertain=False, sleep=no_sleep)
    assert isinstance(outcome, Failed)
    assert outcome.in_doubt
    outcome = await settle(
        command(), None, ScriptedSink([(False, Retryable("busy"))] * ATTEMPTS), uncertain=False, sleep=no_sleep
    )
    assert isinstance(outcome, Failed)
    assert not outcome.in_doubt


async def test_an_outage_while_reading_back_leaves_the_command_unsettled_and_sends_nothing() -> None:
    sink = ScriptedSink([(True, OutcomeUnknown("time-out"))], can_read=False)
    with pytest.raises(Unavailable):
        await settle(command(), None, sink, uncertain=False, sleep=no_sleep)
    assert sink.calls.count("write") == 1


async def test_an_outage_is_not_a_failure_of_the_record() -> None:
    with pytest.raises(Unavailable):
        await settle(command(), None, ScriptedSink([(False, Unavailable("out"))]), uncertain=False, sleep=no_sleep)


async def test_retries_are_bounded_and_say_why() -> None:
    sink = ScriptedSink([(False, Retryable("busy"))] * (ATTEMPTS + 5))
    outcome = await settle(command(), None, sink, uncertain=False, sleep=no_sleep)
    assert isinstance(outcome, Failed)
    assert "busy" in str(outcome.rejection)
    assert sink.calls == ["write"] * ATTEMPTS


@pytest.mark.parametrize(
    ("found", "version", "repair", "expected"),
    [
        (None, 3, None, False),
        (entry(Stage.INTENT), 3, None, False),
        (entry(Stage.CONFIRMED, applied=3), 3, None, True),
        (entry(Stage.CONFIRMED, version=4, applied=4), 3, None, True),  # Invariant 4
        (entry(Stage.CONFIRMED, version=2, applied=2), 3, None, False),
        (entry(Stage.REJECTED), 3, None, False),
        (entry(Stage.CONFIRMED, applied=3), 3, "R1", False),  # a repair writes the applied version again
        (entry(Stage.CONFIRMED, version=4, applied=4), 3, "R1", True),  # but never an older one
        (entry(Stage.CONFIRMED, applied=3, command_id="erp/asset/A/3/repair-R1"), 3, "R1", True),
    ],
)
def test_what_the_ledger_makes_superfluous(
    found: LedgerEntry | None, version: int, repair: str | None, *, expected: bool
) -> None:
    assert is_superseded(command(version, repair=repair), found) is expected


def test_only_an_intent_of_this_very_command_is_read_back() -> None:
    assert needs_read_back(command(), entry(Stage.INTENT))
    assert not needs_read_back(command(), entry(Stage.INTENT, version=2))
    assert not needs_read_back(command(), entry(Stage.REJECTED))
    assert needs_read_back(command(), entry(Stage.UNKNOWN))
    assert not needs_read_back(command(), None)


@pytest.mark.parametrize(
    ("stage", "version", "newer"),
    [(Stage.INTENT, 4, 4), (Stage.INTENT, 3, None), (Stage.INTENT, 2, None), (Stage.REJECTED, 4, None)],
)
def test_a_version_before_one_that_was_begun_was_settled_when_that_was(
    stage: Stage, version: int, newer: int | None
) -> None:
    assert overtaken_by(command(3), entry(stage, version=version)) == newer


def test_neither_a_first_version_nor_a_repair_is_overtaken() -> None:
    assert overtaken_by(command(3), None) is None
    assert overtaken_by(command(3, repair="d"), entry(Stage.INTENT, version=4)) is None
