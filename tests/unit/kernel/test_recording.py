"""The ledger rows and results of deliveries: one row for each thing that is delivered."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from tieline.kernel.book_records import BookFields
from tieline.kernel.clock import utc_now
from tieline.kernel.command_records import CommandSettled, WriteBook
from tieline.kernel.memory import LedgerEntry
from tieline.kernel.protocols import Written
from tieline.kernel.recording import Recorder
from tieline.kernel.records import Typed
from tieline.kernel.settling import aggregate_of, is_superseded, ledger_key
from tieline.kernel.tables import Table
from tieline.kernel.vocabulary import Dispatch

LEDGER = "hub.delivery-ledger.state.v1"


def write_book(book_id: str, version: int) -> WriteBook:
    fields = BookFields(
        book_id=book_id,
        currency="EUR",
        method="SL",
        gross_cost=Decimal(100),
        salvage=Decimal(0),
        accumulated=Decimal(0),
        net_book_value=Decimal(100),
        as_of=dt.date(2026, 1, 1),
        lines=(),
    )
    dispatch = Dispatch(command_id=f"cmms/book/A|{book_id}/{version}", target="cmms", version=version)
    return WriteBook(dispatch=dispatch, asset_id="A", fields=fields)


def test_t18_one_book_never_supersedes_another_of_its_asset() -> None:
    ledger = Table(LEDGER, LedgerEntry)
    recorder = Recorder("cmms", ledger, utc_now)
    main, tax = write_book("main", 7), write_book("tax", 1)
    recorder.confirm(main, Written("U1|main"))
    assert not is_superseded(tax, ledger.get(ledger_key(tax)))
    recorder.confirm(tax, Written("U1|tax"))
    assert {key: row.applied_version for key, row in ledger.items()} == {"cmms/book/A|main": 7, "cmms/book/A|tax": 1}
    assert is_superseded(write_book("main", 6), ledger.get("cmms/book/A|main"))


def test_ledger_and_result_of_a_book_live_with_its_asset() -> None:
    ledger = Table(LEDGER, LedgerEntry, partition_by=aggregate_of)
    row, result = Recorder("cmms", ledger, utc_now).confirm(write_book("tax", 1), Written("U1|tax"))
    assert (row.key, row.partition_key) == ("cmms/book/A|tax", "A")
    assert result.key == "A"
    assert isinstance(result.value, Typed)
    assert isinstance(result.value.body, CommandSettled)
    assert result.value.body.canonical_id == "A|tax"


def test_an_intent_keeps_when_the_target_recorded_what_it_holds() -> None:
    ledger = Table(LEDGER, LedgerEntry)
    recorder = Recorder("cmms", ledger, utc_now)
    recorded_at = dt.datetime(2026, 11, 21, 8, tzinfo=dt.UTC)
    recorder.confirm(write_book("main", 7), Written("U1|main", recorded_at=recorded_at))
    recorder.intend(write_book("main", 8))
    row = ledger.get("cmms/book/A|main")
    assert row is not None
    assert (row.applied_version, row.recorded_at) == (7, recorded_at)


def test_a_result_says_whether_a_version_was_applied_already_or_passed_over() -> None:
    ledger = Table(LEDGER, LedgerEntry)
    recorder = Recorder("cmms", ledger, utc_now)
    newer, older = write_book("main", 7), write_book("main", 3)
    said = [recorder.supersede(older, None, 7)]
    recorder.confirm(newer, Written("U1|main"))
    said.append(recorder.supersede(older, ledger.get(ledger_key(older))))
    bodies = [out.value.body for (out,) in said if isinstance(out.value, Typed)]
    told = [(body.version, body.native_id, body.reason) for body in bodies if isinstance(body, CommandSettled)]
    assert told == [
        (3, None, "passed over for version 7, which waited behind it and says all of it"),
        (3, "U1|main", "version 7 is applied"),
    ]
