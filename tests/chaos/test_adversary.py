"""The parts of the adversary that need no processes: points, plans, and what a proxy makes of a frame."""

from __future__ import annotations

import random
import struct
import time

import pytest
from tests.chaos.adversary import READ_BACKS, SINKS_FREEZE_AT, Aim, make_plan, make_strikes
from tests.chaos.hub import PROCESSES, SINKS
from tests.chaos.load import Item, asset_cost, asset_version, make_load, say_again
from tests.chaos.points import SINK_LABELS, Arm, Deed, Points, read_arm
from tests.chaos.proxy import Request, read_head

STRIKES = make_strikes(seed=3, outside_kills=2, bounces=2, spoils=3, storms=2, usurpers=2)


def points(arm: Arm | None) -> tuple[Points, list[tuple[Deed, str]]]:
    struck: list[tuple[Deed, str]] = []
    return Points(arm, lambda deed, label: struck.append((deed, label))), struck


def test_a_point_strikes_at_the_passing_it_was_told_and_at_no_other() -> None:
    own, struck = points(Arm("kill", "polled", 2))
    passed = []
    for _ in range(4):
        own.reach("begun")
        own.reach("polled")
        passed.append(len(struck))
    assert passed == [0, 1, 1, 1]
    assert struck == [("kill", "polled")]


def test_what_is_passed_before_points_are_in_force_does_not_count() -> None:
    struck: list[str] = []
    is_in_force = [False]
    own = Points(Arm("kill", "polled", 2), lambda _, label: struck.append(label), lambda: is_in_force[0])
    for _ in range(3):
        own.reach("polled")
    is_in_force[0] = True
    own.reach("polled")
    assert struck == []
    own.reach("polled")
    assert struck == ["polled"]


def test_who_is_not_armed_passes_every_point() -> None:
    own, struck = points(None)
    for label in SINK_LABELS:
        own.reach(label)
    assert struck == []


def test_a_call_can_be_struck_before_during_and_after_it() -> None:
    seen = []
    for when in ("before", "during", "after"):
        own, struck = points(Arm("freeze", f"call:{when}", 1))
        with own.around("call"):
            seen.append(bool(struck))
            time.sleep(0.05)
            seen.append(bool(struck))
        assert struck == [("freeze", f"call:{when}")]
    assert seen == [True, True, False, True, False, False]


def test_an_arm_goes_through_the_environment() -> None:
    for arm in (Arm("kill", "commit:before", 3), Arm("freeze", "initialised", 1)):
        assert read_arm(arm.environment()) == arm
    assert read_arm({}) is None


def test_a_label_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="no point 'comit:before'"):
        read_arm({"TIELINE_KILL_AT": "comit:before:1"})


def test_a_plan_has_what_was_asked_for_and_is_the_same_for_the_same_seed() -> None:
    plan = make_plan(seed=3, kills=40, freezes=4, chunks=9, strikes=STRIKES)
    arms = [arm for own in plan.arms.values() for arm in own]
    assert set(plan.arms) == set(PROCESSES)
    assert [sum(arm.deed == deed for arm in arms) for deed in ("kill", "freeze")] == [40, 4]
    assert len(plan.strikes) == 9
    assert sorted(map(str, (one for chunk in plan.strikes for one in chunk))) == sorted(map(str, STRIKES))
    assert plan == make_plan(seed=3, kills=40, freezes=4, chunks=9, strikes=STRIKES)
    assert plan != make_plan(seed=4, kills=40, freezes=4, chunks=9, strikes=STRIKES)


def test_a_read_back_is_struck_only_in_the_run_after_a_call_was() -> None:
    plan = make_plan(seed=5, kills=200, freezes=0, chunks=9, strikes=())
    for name, own in plan.arms.items():
        for before, arm in zip([None, *own], own, strict=False):
            if arm.label in READ_BACKS:
                assert name in SINKS
                assert before is not None
                assert before.label in {"call:before", "call:during", "call:after", "record:after"}


def test_every_version_of_a_load_comes_in_its_turn() -> None:
    first, rest = make_load(400, seed=1)
    assert len(first) + len(rest) == 400
    seen: dict[str, int] = {}
    for item in (*first, *rest):
        assert item.number == seen.get(item.version.key, 0) + 1
        seen[item.version.key] = item.number
    assert {item.thing for item in rest if item.flow == "books"} <= {item.thing for item in first}
    assert max(item.number for item in rest if item.flow == "books") > 1


def test_only_what_was_said_is_said_again() -> None:
    first, rest = make_load(60, seed=1)
    dice = random.Random(1)  # noqa: S311  - no secrets
    again = say_again(first, 200, dice)
    assert len(again) == 200
    assert set(again) == set(first)
    assert say_again([], 3, dice) == []
    assert not set(again) & set(rest)


def test_kills_can_be_aimed() -> None:
    aim = Aim(["accept", "route"], ["begun", "polled"])
    plan = make_plan(seed=3, kills=6, freezes=0, chunks=9, strikes=(), aim=aim)
    arms = {name: [arm.label for arm in own] for name, own in plan.arms.items() if own}
    assert arms == {"accept": ["begun", "polled", "begun"], "route": ["begun", "polled", "begun"]}


def test_sinks_are_frozen_at_each_of_their_places() -> None:
    plan = make_plan(seed=3, kills=0, freezes=12, chunks=9, strikes=())
    labels = [arm.label for name in SINKS for arm in plan.arms[name]]
    assert sorted(set(labels)) == sorted(SINKS_FREEZE_AT)
    assert len(labels) == 6


def test_an_asset_s_cost_says_which_version_it_is() -> None:
    assert asset_version(asset_cost(17, 42)) == Item("assets", 17, 42).version


def test_the_head_of_a_request_is_read() -> None:
    end_transaction = struct.pack(">hhih", 26, 3, 77, 6) + b"accept" + b"the rest"
    assert read_head(end_transaction) == Request(26, 77, "accept")
    nobody = struct.pack(">hhih", 18, 3, 1, -1)
    assert read_head(nobody) == Request(18, 1, "")
