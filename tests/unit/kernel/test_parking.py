"""A failed delivery keeps its key parked, in order, until its letters are resolved from the first on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType

from tieline.kernel.asset_records import AssetFields
from tieline.kernel.book_records import BookFields
from tieline.kernel.clock import utc_now
from tieline.kernel.command_records import Command, RemoveRecord, WriteAsset, WriteBook
from tieline.kernel.dead_letters import ACTION, ATTEMPT, REASON, REPLAY_OF, bury
from tieline.kernel.error_policies import OnError
from tieline.kernel.errors import Rejected
from tieline.kernel.memory import KeyState, ParkedKey
from tieline.kernel.parking import Parking, coordinates_of
from tieline.kernel.records import Inbound
from tieline.kernel.tables import Table
from tieline.kernel.vocabulary import Dispatch

TOPIC = "sink.erp.command.v1"


def record(offset: int, *, replay_of: int | None = None, action: str = "replay") -> Inbound:
    headers: tuple[tuple[str, bytes], ...] = ()
    if replay_of is not None:
        headers = ((REPLAY_OF, f"{TOPIC}/0/{replay_of}".encode()), (ACTION, action.encode()), (ATTEMPT, b"2"))
    return Inbound(TOPIC, 0, offset, b"A", b"bytes", headers)


def command(
    version: int,
    *said: str,
    writable: tuple[str, ...] = ("location", "description"),
    native_id: str | None = None,
    repair: str | None = None,
) -> WriteAsset:
    """A write that gives a value to the fields that are said."""
    command_id = f"erp/asset/A/{version}" if repair is None else f"erp/asset/A/{version}/repair-{repair}"
    return WriteAsset(
        dispatch=Dispatch(command_id=command_id, target="erp", version=version, repair_id=repair),
        asset_id="A",
        native_id=native_id,
        fields=AssetFields.model_validate(dict.fromkeys(said, "x")),
        writable_fields=writable,
    )


def book_command(version: int) -> WriteBook:
    dispatch = Dispatch(command_id=f"erp/book/A|main/{version}", target="erp", version=version)
    fields = BookFields(
        book_id="main",
        currency="EUR",
        method="SL",
        gross_cost=Decimal(1),
        salvage=Decimal(0),
        accumulated=Decimal(0),
        net_book_value=Decimal(1),
        as_of=dt.date(2026, 1, 1),
        lines=(),
    )
    return WriteBook(dispatch=dispatch, asset_id="A", fields=fields)


def parked_after(
    *followers: int, policies: Mapping[str, OnError] = MappingProxyType({})
) -> tuple[Parking, Table[ParkedKey]]:
    table = Table("hub.parked.state.v1", ParkedKey)
    parking = Parking("sink-erp", "erp", table, utc_now, policies)
    parking.park(record(10), command(1), Rejected("unknown class"))
    for offset in followers:
        parking.admit("A", record(offset), command(offset))
    return parking, table


def waiting(table: Table[ParkedKey]) -> list[str]:
    row = table.get("erp/key/A")
    return [] if row is None else [coordinates_of(letter) for letter in row.letters]


def test_a_free_key_may_be_tried() -> None:
    assert Parking("sink-erp", "erp", Table("t", ParkedKey), utc_now).admit("A", record(1), command(1)) is None


def test_followers_wait_behind_in_order_as_letters_of_their_own() -> None:
    parking, table = parked_after(11)
    written = parking.admit("A", record(12), command(3))
    assert written is not None
    letter = written[-1]
    assert letter.value == b"bytes"
    assert str(letter.headers[REASON]).startswith(f"waits behind {TOPIC}/0/10")
    assert waiting(table) == [f"{TOPIC}/0/{offset}" for offset in (10, 11, 12)]


def test_other_keys_flow() -> None:
    parking, _ = parked_after()
    assert parking.admit("B", record(11), command(1)) is None


def test_only_the_first_letter_may_be_tried_again() -> None:
    parking, table = parked_after(11)
    assert parking.admit("A", record(20, replay_of=11), command(2)) is not None
    assert parking.admit("A", record(21, replay_of=10), command(1)) is None
    parking.release(record(21, replay_of=10), command(1))
    assert waiting(table) == [f"{TOPIC}/0/11"]
    assert parking.admit("A", record(22, replay_of=11), command(2)) is None
    parking.release(record(22, replay_of=11), command(2))
    assert waiting(table) == []


def test_a_letter_that_fails_again_keeps_its_place_and_counts_its_attempts() -> None:
    parking, table = parked_after(11)
    again = parking.park(record(20, replay_of=10), command(1), Rejected("still unknown"))
    assert waiting(table) == [f"{TOPIC}/0/10", f"{TOPIC}/0/11"]
    assert again[-1].headers[ATTEMPT] == "2"


def state(table: Table[ParkedKey]) -> KeyState | None:
    row = table.get("erp/key/A")
    return row.state if row else None


def test_a_key_drains_from_its_first_resolved_letter_on_until_one_fails_or_none_is_left() -> None:
    parking, table = parked_after(11, 12)
    assert state(table) is KeyState.PARKED
    parking.admit("A", record(20, replay_of=12, action="discard"), command(3))
    assert state(table) is KeyState.PARKED, "a letter behind the first was given up; the first still waits"
    parking, table = parked_after(11, 12)
    parking.release(record(20, replay_of=10), command(1))
    assert state(table) is KeyState.DRAINING
    parking.park(record(21, replay_of=11), command(2), Rejected("no"))
    assert state(table) is KeyState.PARKED
    parking.release(record(22, replay_of=11), command(2))
    parking.release(record(23, replay_of=12), command(3))
    assert state(table) is None


SKIP = {"asset": OnError.SKIP_IF_NEWER}


def test_a_newer_version_that_says_all_of_what_waits_goes_before_it_and_replaces_it() -> None:
    parking, table = parked_after(policies=SKIP)
    assert parking.admit("A", record(11), command(2)) is None
    written = parking.release(record(11), command(2))
    assert state(table) is None
    assert [(out.topic, out.value) for out in written] == [("hub.parked.state.v1", None)]


def test_a_newer_version_that_fails_too_waits_behind_the_first() -> None:
    parking, table = parked_after(policies=SKIP)
    assert parking.admit("A", record(11), command(2)) is None
    assert len(parking.park(record(11), command(2), Rejected("unknown class too"))) >= 2
    assert waiting(table) == [f"{TOPIC}/0/10", f"{TOPIC}/0/11"]
    assert parking.admit("A", record(12), command(3)) is None
    parking.release(record(12), command(3))
    assert waiting(table) == []


def test_what_does_not_say_all_of_it_keeps_its_place() -> None:
    table = Table("hub.parked.state.v1", ParkedKey)
    parking = Parking("sink-erp", "erp", table, utc_now, SKIP)
    parking.park(record(10), command(5, "location", "description"), Rejected("unknown class"))
    removal = RemoveRecord(
        dispatch=Dispatch(command_id="erp/asset/A/9", target="erp", version=9),
        entity="asset",
        record_id="A",
        native_id="7",
    )
    others: tuple[Command, ...] = (
        command(6, "location", writable=("location",)),
        command(4, "location", "description"),
        removal,
    )
    for offset, other in enumerate(others, 11):
        assert parking.admit("A", record(offset), other) is not None
    assert len(waiting(table)) == 4
    assert parking.admit("A", record(20), command(10, "location", "description")) is not None, "a removal waits before"


def parked(first: WriteAsset) -> tuple[Parking, Table[ParkedKey]]:
    table = Table("hub.parked.state.v1", ParkedKey)
    parking = Parking("sink-erp", "erp", table, utc_now, SKIP)
    parking.park(record(10), first, Rejected("unknown class"))
    return parking, table


def test_a_newer_version_that_may_write_a_field_and_has_no_value_for_it_does_not_replace_one_that_has() -> None:
    parking, _ = parked(command(5, "location", "description"))
    assert parking.admit("A", record(11), command(6, "description")) is not None, "the location would be lost"
    parking, _ = parked(command(5, "description"))
    assert parking.admit("A", record(11), command(6, "location", "description")) is None


def test_what_waits_is_replaced_by_what_clears_it() -> None:
    parking, _ = parked(command(5, "location"))
    cleared = command(6).model_copy(update={"cleared_fields": ("location",)})
    assert parking.admit("A", record(11), cleared) is None


def test_a_newer_version_that_knows_another_record_of_the_target_or_none_keeps_its_place() -> None:
    for native_id, is_replaced in (("7", True), ("8", False), (None, False)):
        parking, _ = parked(command(5, "location", native_id="7"))
        admitted = parking.admit("A", record(11), command(6, "location", native_id=native_id))
        assert (admitted is None) is is_replaced, native_id


def test_a_repair_and_a_command_that_only_makes_a_record_neither_replace_nor_are_replaced() -> None:
    for other in (command(5, "location", repair="r"), command(5, writable=())):
        parking, _ = parked(other)
        assert parking.admit("A", record(11), command(6, "location")) is not None
        parking, _ = parked(command(4, "location"))
        assert parking.admit("A", record(11), other) is not None


def test_a_letter_of_before_the_one_rule_is_replaced_only_by_what_says_every_field_it_might_write() -> None:
    parking, table = parked(command(5, "location"))
    row = table.get("erp/key/A")
    assert row is not None
    stored = row.letters[0].model_copy(update={"fields": ("location", "description")})  # those it may write, as it was
    table.put("erp/key/A", row.model_copy(update={"letters": (stored,)}))
    assert parking.admit("A", record(11), command(6, "location")) is not None
    assert parking.admit("A", record(12), command(7, "location", "description")) is None


def test_nothing_goes_before_another_record_that_waits() -> None:
    parking, _ = parked_after(policies=SKIP)
    assert parking.admit("A", record(11), book_command(1)) is not None
    assert parking.admit("A", record(12), command(2)) is not None


def test_a_letter_behind_which_everything_goes_on_parks_nothing() -> None:
    table = Table("hub.parked.state.v1", ParkedKey)
    parking = Parking("sink-erp", "erp", table, utc_now, {"book": OnError.CONTINUE})
    written = parking.park(record(10), book_command(1), Rejected("no"))
    assert [out.topic for out in written] == ["hub.sink-erp.dead-letter.v1"]
    assert parking.admit("A", record(11), command(2)) is None
    parking.park(record(11), command(2), Rejected("no"))
    assert waiting(table) == [f"{TOPIC}/0/11"], "the asset's own flow holds"


def test_a_discarded_letter_is_dropped_and_frees_what_is_behind_it() -> None:
    parking, table = parked_after(11)
    assert parking.admit("A", record(20, replay_of=10, action="discard"), command(1)) is not None
    assert waiting(table) == [f"{TOPIC}/0/11"]


def test_a_discard_of_what_is_resolved_already_does_nothing() -> None:
    parking = Parking("sink-erp", "erp", Table("t", ParkedKey), utc_now)
    assert parking.admit("A", record(20, replay_of=10, action="discard"), command(1)) == []


def test_a_header_naming_another_topic_is_not_believed() -> None:
    forged = replace(record(20), headers=((REPLAY_OF, b"asset.asset.report.v1/0/3"),))
    letter = bury("sink-erp", forged, Rejected("x"), utc_now())
    assert letter.headers["tl_topic"] == TOPIC
    assert letter.headers["tl_offset"] == "20"


def test_text_from_outside_is_cut_and_made_inert() -> None:
    letter = bury("sink-erp", record(1), Rejected("a\r\nb\x1b[31m" + "x" * 5000), utc_now())
    reason = str(letter.headers[REASON])
    assert len(reason) == 1000
    assert reason.isprintable()


def test_what_was_settled_before_its_key_was_parked_becomes_no_letter_when_it_is_read_again() -> None:
    parking, table = parked_after(11)
    assert parking.admit("A", record(9), command(0)) == []
    assert waiting(table) == [f"{TOPIC}/0/10", f"{TOPIC}/0/11"]


def test_a_parked_key_is_known_as_such() -> None:
    parking, _ = parked_after()
    assert parking.holds("A")
    assert not parking.holds("B")
