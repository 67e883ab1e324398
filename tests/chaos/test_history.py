"""The checker itself: good histories pass, and each kind of fault is told by its name and by no other."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.chaos.history import RULES, Fault, History, Noted, Version, check

V1, V2, V3 = Version("pump", 1), Version("pump", 2), Version("pump", 3)
OTHER = Version("fan", 1)


def noted(*versions: Version, canonical_id: str = "A") -> list[Noted]:
    return [Noted(version, "B" if version.key == "fan" else canonical_id) for version in versions]


GOOD = History("assets", [V1, OTHER, V2, V3], noted(V1, V2, OTHER, V3), noted(OTHER, V1, V2, V3))
FAULTY = {
    "lost": [
        replace(GOOD, events=noted(V1, OTHER, V3), effects=noted(V1, OTHER, V3)),
        replace(GOOD, events=[], effects=[]),
    ],
    "doubled": [
        replace(GOOD, effects=noted(OTHER, V1, V1, V2, V3)),
        replace(GOOD, events=noted(V1, V2, OTHER, V3, V3)),
    ],
    "reordered": [
        replace(GOOD, effects=noted(OTHER, V2, V1, V3)),
        replace(GOOD, events=noted(V1, V3, OTHER, V2)),
    ],
    "aborted": [
        replace(GOOD, effects=[*noted(OTHER, V1, V2), Noted(V3, "Z")]),
        replace(GOOD, sent=[V1, OTHER, V2]),
    ],
    "unseen": [
        replace(GOOD, effects=noted(OTHER, V1, V2)),
        replace(GOOD, effects=noted(OTHER, V1, V3)),
    ],
    "buried": [replace(GOOD, buried=["sink.unio24.command.v1/0/7"])],
}


def test_a_good_history_has_no_faults() -> None:
    assert check(GOOD) == []


def test_there_is_a_bad_history_for_every_rule() -> None:
    assert set(FAULTY) == set(RULES)


@pytest.mark.parametrize(("rule", "bad"), [(rule, bad) for rule, many in FAULTY.items() for bad in many])
def test_a_fault_is_told_by_its_name_and_by_no_other(rule: str, bad: History) -> None:
    assert {fault.rule for fault in check(bad)} == {rule}


def test_an_older_version_written_once_more_is_doubled_and_out_of_order() -> None:
    bad = replace(GOOD, effects=noted(OTHER, V1, V2, V3, V2))
    assert {fault.rule for fault in check(bad)} == {"doubled", "reordered"}


def test_a_report_that_was_sent_twice_is_owed_once() -> None:
    assert check(replace(GOOD, sent=[V1, V2, V1, V2, OTHER, V3])) == []


def test_a_fault_names_flow_key_and_version() -> None:
    (fault,) = check(replace(GOOD, effects=noted(OTHER, V1, V2)))
    assert fault == Fault("unseen", "assets: pump version 3 has an event and no effect")


def test_a_version_that_was_passed_over_for_a_newer_one_is_seen_where_each_effect_shows_all() -> None:
    passed = replace(GOOD, effects=noted(OTHER, V1, V3))
    assert [fault.rule for fault in check(passed)] == ["unseen"]
    assert check(replace(passed, is_whole_state=True)) == []
    last_missing = replace(GOOD, effects=noted(OTHER, V1, V2), is_whole_state=True)
    assert [fault.rule for fault in check(last_missing)] == ["unseen"]
