"""T03: the system committed and its answer was lost: the retry looks by our reference, and there is one asset.

The real sink, the real classification of answers and the real settling of a command; only the wire is a list. Against
real systems the same is tested in ``tests/integration``: ``test_a_lost_answer_leaves_one_asset`` (Tryton),
``test_one_effect_whatever_the_fault`` (UNIO24) and ``test_a_time_out_after_the_write_has_one_effect`` (Kafka).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.unit.connectors.unio24.memory_api import MemoryApi

from tieline.connectors.kit.outcomes import status_error, transport_error
from tieline.connectors.unio24.models import Answer, ListPage
from tieline.connectors.unio24.profile import load_profile
from tieline.connectors.unio24.resources import Resource
from tieline.connectors.unio24.sink import Unio24Sink
from tieline.kernel.asset_records import AssetFields
from tieline.kernel.command_records import WriteAsset
from tieline.kernel.errors import OutcomeUnknown, TielineError
from tieline.kernel.memory import LedgerEntry
from tieline.kernel.recording import Recorder
from tieline.kernel.settling import Confirmed, ledger_key, needs_read_back, settle
from tieline.kernel.tables import Table
from tieline.kernel.vocabulary import Dispatch, Money

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
PROFILE = load_profile(Path(__file__).parents[4] / "deploy" / "local" / "unio24.profile.yaml")


async def no_sleep(_secs: float) -> None:
    return


def _failed(status: int) -> TielineError:
    error = status_error(status, {}, writes=True, now=NOW, detail="")
    assert error is not None
    return error


LOST: dict[str, Callable[[], TielineError]] = {
    "the answer never came": lambda: transport_error(httpx.ReadTimeout("time-out"), writes=True),
    "the connection broke": lambda: transport_error(httpx.RemoteProtocolError("closed"), writes=True),
    "500 after the commit": lambda: _failed(500),
    "502 from the gateway": lambda: _failed(502),
    "504 from the gateway": lambda: _failed(504),
}


class LossyApi(MemoryApi):
    """Loses answers: ``commits`` says of each write to come, in order, whether it took effect before that."""

    def __init__(self, lose: Callable[[], TielineError], *commits: bool) -> None:
        super().__init__()
        self.lose = lose
        self.commits = list(commits)
        self.tried: list[str] = []

    async def send(
        self,
        method: str,
        path: str,
        *,
        body: dict[str, object],
        version: str | None = None,
        passed: tuple[int, ...] = (),
    ) -> Answer:
        self.tried.append(method)
        if not self.commits:
            return await super().send(method, path, body=body, version=version, passed=passed)
        if self.commits.pop(0):
            await super().send(method, path, body=body, version=version, passed=passed)
        raise self.lose()

    async def list_page(self, resource: Resource, *, size: int, where: Mapping[str, str]) -> ListPage:
        self.tried.append("look")
        return await super().list_page(resource, size=size, where=where)


def write(**changes: Any) -> WriteAsset:
    values: dict[str, Any] = {
        "description": "Pump",
        "serial_number": "SN1",
        "company": "ACME",
        "acquisition_cost": Money(amount=Decimal("10.00"), currency="EUR"),
    }
    return WriteAsset(
        dispatch=Dispatch(command_id="am/asset/a1/1", target="am", version=1),
        asset_id="a1",
        fields=AssetFields(**(values | changes)),
        writable_fields=tuple(AssetFields.model_fields),
    )


@pytest.mark.parametrize("kind", LOST)
async def test_t03_committed_and_not_answered_is_one_asset(kind: str) -> None:
    api = LossyApi(LOST[kind], True)
    assert isinstance(LOST[kind](), OutcomeUnknown)
    outcome = await settle(write(), None, Unio24Sink(api.client(), PROFILE, "am"), uncertain=False, sleep=no_sleep)
    assert isinstance(outcome, Confirmed)
    assert len(api.records) == 1
    assert outcome.written.native_id == "1"
    assert api.tried.count("POST") == 1, "found by our reference, not sent again"
    assert api.tried.index("POST") < len(api.tried) - 1, "looked for after the answer was lost"


@pytest.mark.parametrize("kind", LOST)
async def test_t03_not_committed_and_not_answered_is_sent_again_once(kind: str) -> None:
    api = LossyApi(LOST[kind], False)
    outcome = await settle(write(), None, Unio24Sink(api.client(), PROFILE, "am"), uncertain=False, sleep=no_sleep)
    assert isinstance(outcome, Confirmed)
    assert (len(api.records), api.tried.count("POST")) == (1, 2)


@pytest.mark.parametrize("kind", LOST)
async def test_t03_a_change_that_was_committed_and_not_answered_is_made_once(kind: str) -> None:
    api = LossyApi(LOST[kind])
    sink = Unio24Sink(api.client(), PROFILE, "am")
    first = await sink.write(write(), None)
    api.commits = [True]
    outcome = await settle(write(description="Pump 2"), first.native_id, sink, uncertain=False, sleep=no_sleep)
    assert isinstance(outcome, Confirmed)
    [record] = api.records.values()
    assert (record["name"], record["version"]) == ("Pump 2", 2)


async def test_t03_after_a_crash_between_commit_and_outcome_the_next_start_looks_first() -> None:
    """The intent is all the ledger has: no native id, no outcome."""
    api = LossyApi(LOST["the answer never came"], True)
    sink = Unio24Sink(api.client(), PROFILE, "am")
    ledger: Table[LedgerEntry] = Table("hub.delivery-ledger.state.v1", LedgerEntry)
    Recorder("am", ledger, lambda: NOW).intend(write())
    with pytest.raises(OutcomeUnknown):
        await sink.write(write(), None)
    entry = ledger.get(ledger_key(write()))
    assert needs_read_back(write(), entry)
    assert entry is not None
    assert entry.native_id is None
    api.tried.clear()
    outcome = await settle(write(), None, sink, uncertain=True, sleep=no_sleep)
    assert isinstance(outcome, Confirmed)
    assert "POST" not in api.tried
    assert len(api.records) == 1


async def test_t03_even_where_reading_back_shows_nothing_our_unique_reference_leaves_one_asset() -> None:
    api = LossyApi(LOST["500 after the commit"], True)
    sink = Unio24Sink(api.client(), PROFILE, "am")

    async def blind(*_: object, **__: object) -> None:
        return None

    sink.read_back = blind  # type: ignore[method-assign]  # what was committed is not to be seen yet
    outcome = await settle(write(), None, sink, uncertain=False, sleep=no_sleep)
    assert isinstance(outcome, Confirmed)
    assert (len(api.records), outcome.written.native_id) == (1, "1")
