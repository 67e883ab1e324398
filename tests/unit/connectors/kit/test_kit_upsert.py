"""Idempotency strategies against a system that loses answers, refuses doubles, or refuses nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from tieline.connectors.kit.paths import Record
from tieline.connectors.kit.upsert import (
    by_creation,
    by_external_id,
    by_search,
    check_reference,
    first_of,
    native_key,
    only_one,
)
from tieline.kernel.errors import Rejected, Retryable


@dataclass
class System:
    """Records by our reference; ``effects`` is every write, oldest first."""

    is_unique: bool = True
    hides: bool = False
    records: list[dict[str, object]] = field(default_factory=list)
    effects: list[str] = field(default_factory=list)

    async def find(self) -> Record | None:
        return None if self.hides or not self.records else self.records[0]

    async def create(self) -> Record | None:
        if self.is_unique and self.records:
            return None
        self.effects.append("created")
        self.records.append({"ref": "a-1", "name": "Pump"})
        return self.records[-1]

    async def put(self) -> Record:
        self.effects.append("put")
        self.records[:] = [{"ref": "a-1", "name": "Pump"}]
        return self.records[0]

    async def change(self, record: Record, changes: Mapping[str, object]) -> Record:
        self.effects.append("changed")
        self.records[:] = [{**record, **changes}]
        return self.records[0]


def changes(record: Record) -> Mapping[str, object]:
    return {} if record["name"] == "Pump" else {"name": "Pump"}


async def test_every_strategy_done_twice_has_one_effect() -> None:
    one, two, three = System(), System(), System(is_unique=False)
    for _ in range(2):
        upserted = await by_external_id(one.find, changes, one.put)
        created = await by_creation(two.find, two.create, changes, two.change)
        searched = await by_search(three.find, three.create, changes, three.change)
    assert (one.effects, two.effects, three.effects) == (["put"], ["created"], ["created"])
    assert not (upserted.effect)
    assert not (created.effect)
    assert not (searched.effect)


async def test_a_record_that_differs_is_changed_and_not_made_again() -> None:
    for is_unique in (True, False):
        system = System(is_unique=is_unique, records=[{"ref": "a-1", "name": "Pmp"}])
        strategy = by_creation if is_unique else by_search
        held = await strategy(system.find, system.create, changes, system.change)
        assert (held.record["name"], held.effect, held.created) == ("Pump", True, False)
        assert system.effects == ["changed"]


async def test_a_double_that_hides_from_the_search_is_no_reason_to_make_a_second() -> None:
    system = System(hides=True, records=[{"ref": "other", "name": "Pump"}])
    with pytest.raises(Rejected, match="as a duplicate"):
        await by_creation(system.find, system.create, changes, system.change)
    with pytest.raises(Retryable, match="does not find it"):
        await by_search(system.find, system.create, changes, system.change)
    assert system.effects == []


async def test_what_both_sides_name_is_changed_where_it_is_and_waited_for_where_it_is_not() -> None:
    system = System(records=[{"ref": "a-1", "name": "Pmp"}])
    assert (await native_key(system.find, changes, system.change, absent="waits")).effect
    assert not (await native_key(system.find, changes, system.change, absent="waits")).effect
    with pytest.raises(Retryable, match="waits"):
        await native_key(System().find, changes, system.change, absent="waits")


async def test_the_first_way_that_finds_it_counts() -> None:
    full, empty = System(records=[{"ref": "a-1"}]), System()
    assert await first_of(empty.find, full.find) == {"ref": "a-1"}
    assert await first_of(empty.find) is None


def test_a_filter_is_not_trusted() -> None:
    rows: list[Record] = [{"ref": "a-1"}, {"ref": "a-10"}, {"ref": None}]
    assert only_one(rows, "ref", "a-1", what="reference") == {"ref": "a-1"}
    assert only_one(rows, "ref", "a-2", what="reference") is None
    with pytest.raises(Rejected, match="2 records there have the same reference"):
        only_one([{"ref": "a-1"}, {"ref": " a-1"}], "ref", "a-1", what="reference")


def test_a_record_must_have_kept_our_reference() -> None:
    check_reference("a-1", "a-1", field="ref")
    for found, why in ((None, "did not keep our reference"), ("a-2", "the reference of another")):
        with pytest.raises(Rejected, match=why):
            check_reference(found, "a-1", field="ref")
