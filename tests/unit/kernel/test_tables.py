"""A table changes for good only when its transaction has committed."""

from typing import cast

import pytest

from tieline.kernel.clock import utc_now
from tieline.kernel.codecs import Codec
from tieline.kernel.consuming import apply_row
from tieline.kernel.errors import Rejected, Stop
from tieline.kernel.memory import SourcePosition
from tieline.kernel.records import Inbound, Typed
from tieline.kernel.tables import Table


def row(cursor: str) -> SourcePosition:
    return SourcePosition(system="erp", cursors={"assets": cursor}, polled_at=utc_now())


def table(changes: list[tuple[str, bool]] | None = None) -> Table[SourcePosition]:
    def note(key: str, _old: SourcePosition | None, new: SourcePosition | None) -> None:
        if changes is not None:
            changes.append((key, new is not None))

    return Table("src.erp.position.state.v1", SourcePosition, on_change=note)


def test_a_put_is_visible_at_once_and_queues_its_record() -> None:
    rows = table()
    rows.put("erp", row("1"))
    assert rows.get("erp") is not None
    [queued] = rows.drain()
    assert queued.key == "erp"
    assert isinstance(queued.value, Typed)
    assert rows.drain() == []


def test_a_failed_record_undoes_only_its_own_changes() -> None:
    rows = table()
    rows.put("a", row("1"))
    rows.keep_record()
    rows.put("a", row("2"))
    rows.put("b", row("1"))
    rows.drop_record()
    found = rows.get("a")
    assert found is not None
    assert found.cursors == {"assets": "1"}
    assert rows.get("b") is None
    assert rows.drain() == []


def test_an_aborted_transaction_undoes_everything_since_the_last_commit() -> None:
    changes: list[tuple[str, bool]] = []
    rows = table(changes)
    rows.put("a", row("1"))
    rows.commit()
    rows.put("a", row("2"))
    rows.keep_record()
    rows.delete("a")
    rows.put("b", row("1"))
    rows.rollback()
    found = rows.get("a")
    assert found is not None
    assert found.cursors == {"assets": "1"}
    assert rows.get("b") is None
    assert changes[-1] == ("a", True)


def test_deleting_what_is_not_there_queues_nothing() -> None:
    rows = table()
    rows.delete("a")
    assert rows.drain() == []


def test_a_shared_topic_loads_only_the_keys_that_are_kept() -> None:
    rows = Table("hub.delivery-ledger.state.v1", SourcePosition, keep=lambda key: key.startswith("erp/"))
    rows.load("erp/1", row("1"))
    rows.load("other/1", row("1"))
    assert len(rows) == 1


class Unreadable:
    """A codec that reads nothing."""

    def decode(self, topic: str, data: bytes) -> Typed:
        raise Rejected(f"{topic}: {len(data)} bytes")


def test_a_row_that_another_keeps_is_not_even_read() -> None:
    rows = Table("hub.delivery-ledger.state.v1", SourcePosition, keep=lambda key: key.startswith("erp/"))
    codec = cast("Codec", Unreadable())
    apply_row({rows.topic: rows}, codec, Inbound(rows.topic, 0, 0, b"other/1", b"bytes"))
    assert len(rows) == 0
    with pytest.raises(Stop, match="cannot be read"):
        apply_row({rows.topic: rows}, codec, Inbound(rows.topic, 0, 1, b"erp/1", b"bytes"))
