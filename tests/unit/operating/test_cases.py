"""What a user sees in each case, side by side: the trouble in status, the log event, the figure that alarms, the test.

One row is one story: every column speaks of the same trouble, under the same name.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from typer.testing import CliRunner

from tieline.cli import app
from tieline.kernel.metrics import Measure
from tieline.kernel.troubles import TROUBLE_OF, Trouble

ROOT = Path(__file__).parents[3]
OPERATING = ROOT / "services" / "tieline" / "operating"
TESTS = [ROOT / "tests" / "simulation" / "test_status.py", *sorted(Path(__file__).parent.glob("test_*.py"))]


class Case(NamedTuple):
    """``event`` and ``figure`` are None where there is none; the kind then says why it has no alert."""

    what: str
    trouble: Trouble | None
    event: str | None
    figure: Measure | None
    shown_by: str


CASES = [
    Case(
        "target out for 15 minutes",
        Trouble.TARGET_PAUSED,
        "target-paused",
        Measure.PAUSED_AGE,
        "test_a_target_out_for_a_quarter_of_an_hour",
    ),
    Case(
        "one poisoned key, its followers waiting",
        Trouble.KEY_PARKED,
        "key-parked",
        Measure.PARKED_KEYS,
        "test_a_refused_record_and_those_that_wait_behind_it",
    ),
    Case(
        "a key parked and then draining after the fix",
        Trouble.KEY_DRAINING,
        None,
        None,
        "test_a_key_that_drains_after_the_fix_is_told_apart_from_one_that_is_parked",
    ),
    Case(
        "calls of a minute spent",
        Trouble.CALLS_SPENT,
        None,
        Measure.CALLS_CLOSED,
        "test_the_calls_of_a_minute_are_spent_and_it_is_no_fault",
    ),
    Case(
        "calls of a day spent",
        Trouble.CALLS_SPENT,
        None,
        Measure.CALLS_CLOSED,
        "test_the_calls_of_a_day_are_spent_until_it_is_counted_anew",
    ),
    Case(
        "throttled target",
        Trouble.CALLS_SPENT,
        None,
        Measure.CALLS_CLOSED,
        "test_a_target_that_throttles_says_when_it_will_take_calls_again",
    ),
    Case(
        "retries spent",
        Trouble.RETRIES_SPENT,
        None,
        None,
        "test_retries_that_are_spent_say_when_the_next_may_go_out",
    ),
    Case(
        "a process paused and fenced",
        Trouble.FENCED,
        "ended",
        None,
        "test_a_process_that_was_paused_and_replaced_says_so_and_ends",
    ),
    Case(
        "a malformed record and a process killer",
        Trouble.DEAD_LETTER,
        "record-dead-lettered",
        Measure.DEAD_LETTERS,
        "test_a_record_that_cannot_be_read_and_one_that_would_end_the_process",
    ),
    Case("a gap in positions", Trouble.GAP, "ended", None, "test_a_gap_in_the_positions"),
    Case(
        "retention about to overtake a pause",
        Trouble.RECORDS_EXPIRE,
        None,
        Measure.OLDEST_COMMAND_AGE,
        "test_retention_that_is_about_to_overtake_a_pause",
    ),
    Case(
        "a period closed",
        Trouble.PERIOD_HELD,
        None,
        None,
        "test_what_a_closed_period_holds_is_counted_by_reason_and_is_no_fault",
    ),
    Case(
        "an unmapped code",
        Trouble.DEAD_LETTER,
        "record-dead-lettered",
        Measure.DEAD_LETTERS,
        "test_an_unmapped_code_is_a_dead_letter_with_its_remedy",
    ),
    Case(
        "a conflict",
        Trouble.CONFLICT,
        None,
        None,
        "test_what_waits_for_others_and_what_does_not_stand_is_told_and_is_no_fault",
    ),
    Case(
        "a source system that does not answer",
        Trouble.SOURCE_UNAVAILABLE,
        "source-unavailable",
        Measure.POLL_AGE,
        "test_a_source_that_does_not_answer",
    ),
    Case(
        "registry or broker away",
        Trouble.BROKER_AWAY,
        "broker-waited-for",
        Measure.BROKER_AWAY,
        "test_with_kafka_and_the_registry_away_status_says_so_within_five_seconds",
    ),
    Case(
        "a worker that is down",
        Trouble.PROCESS_SILENT,
        None,
        None,
        "test_a_process_that_is_down",
    ),
    Case(
        "nobody knows whether a command took effect",
        Trouble.DELIVERY_IN_DOUBT,
        "key-parked",
        Measure.DELIVERIES,
        "test_nobody_knows_whether_a_command_took_effect",
    ),
    Case(
        "nothing at all wrong",
        None,
        None,
        None,
        "test_nothing_wrong_is_told_in_two_words_and_fits_eighty_columns",
    ),
]


@cache
def rules() -> dict[str, dict[str, Any]]:
    document = yaml.safe_load((ROOT / "deploy" / "alerts" / "tieline.rules.yaml").read_text(encoding="utf-8"))
    return {rule["alert"]: rule for group in document["groups"] for rule in group["rules"]}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_every_place_tells_the_same_trouble(case: Case) -> None:
    assert any(f"def {case.shown_by}(" in path.read_text(encoding="utf-8") for path in TESTS)
    if case.trouble is None:
        return
    kind = case.trouble.value
    if case.event is not None:
        # What ends a process says itself which trouble it is; a doubtful delivery parks its key.
        said = {Trouble.FENCED: Trouble.PROCESS_SILENT, Trouble.GAP: Trouble.PROCESS_SILENT}
        said |= {Trouble.DELIVERY_IN_DOUBT: Trouble.KEY_PARKED}
        assert TROUBLE_OF[case.event] is said.get(case.trouble, case.trouble)
    if case.figure is not None:
        assert kind.alert is not None
        assert case.figure.value.name in rules()[kind.alert]["expr"]
    elif case.trouble is Trouble.PROCESS_SILENT:
        assert rules()["TielineProcessSilent"]["expr"].startswith("up")  # Prometheus' own: who is down shows nothing
    else:
        assert kind.unalarmed


def test_every_command_that_a_story_gives_exists() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in OPERATING.glob("*stories.py"))
    commands = {" ".join(found.split()[:2]) for found in re.findall(r'"tieline ([a-z][a-z -]*)', text)}
    assert {"dead-letters show", "positions accept-gap", "status --watch", "links list", "reconcile run"} <= commands
    for command in sorted(commands):
        done = CliRunner().invoke(app, [*command.split(), "--help"])
        assert done.exit_code == 0, f"tieline {command}: {done.output}"
    targets = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r'"make ([a-z]+)"', text)):
        assert re.search(rf"^{target}:", targets, re.MULTILINE), target
