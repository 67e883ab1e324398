"""One command of a key at a time, oldest first; keys take turns, and none waits for another."""

from __future__ import annotations

from tieline.kernel.asset_records import AssetFields
from tieline.kernel.command_records import WriteAsset
from tieline.kernel.lanes import Lanes, Task
from tieline.kernel.records import Inbound
from tieline.kernel.vocabulary import Dispatch


def task(key: str, version: int) -> Task:
    dispatch = Dispatch(command_id=f"erp/asset/{key}/{version}", target="erp", version=version)
    body = WriteAsset(dispatch=dispatch, asset_id=key, fields=AssetFields(), writable_fields=())
    return Task(Inbound("sink.erp.command.v1", 0, version, key.encode(), b""), body)


def lanes_of(*tasks: Task) -> Lanes:
    lanes = Lanes()
    for one in tasks:
        lanes.put(one)
    return lanes


def test_a_key_gives_its_next_command_when_the_one_at_work_is_closed() -> None:
    a1, a2, b1 = task("A", 1), task("A", 2), task("B", 3)
    lanes = lanes_of(a1, a2, b1)
    assert [lanes.take(), lanes.take(), lanes.take()] == [a1, b1, None]
    lanes.close(b1)
    assert lanes.take() is None
    lanes.close(a1)
    assert lanes.take() is a2
    lanes.close(a2)
    assert not lanes


def test_what_arrives_while_its_key_is_at_work_waits_behind_it() -> None:
    a1, a2 = task("A", 1), task("A", 2)
    lanes = lanes_of(a1)
    assert lanes.take() is a1
    lanes.put(a2)
    assert lanes.take() is None
    assert list(lanes) == [a1, a2]


def test_what_is_put_back_is_the_first_of_its_key_and_its_key_the_first_in_turn() -> None:
    a1, a2, b1, c1 = task("A", 1), task("A", 2), task("B", 3), task("C", 4)
    lanes = lanes_of(a1, a2, b1, c1)
    assert lanes.take() is a1
    lanes.put_back(a1)
    assert [lanes.take(), lanes.take()] == [a1, b1]


def test_keys_take_turns() -> None:
    lanes = lanes_of(*(task("A", version) for version in (1, 2, 3)), task("B", 4))
    seen = []
    while (one := lanes.take()) is not None:
        seen.append(one.command.dispatch.version)
        lanes.close(one)
    assert seen == [1, 4, 2, 3]


def test_the_next_of_a_lane_takes_the_place_of_one_that_is_passed_over() -> None:
    a1, a2, a3 = task("A", 1), task("A", 2), task("A", 3)
    lanes = lanes_of(a1, a2, a3)
    assert lanes.take() is a1
    assert lanes.behind(a1) == (a2, a3)
    assert lanes.follow(a1) is a2
    assert lanes.take() is None
    assert list(lanes) == [a2, a3]
