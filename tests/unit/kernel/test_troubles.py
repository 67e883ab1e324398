"""Every kind of trouble has one name and one set of words, in status, logs, JSON and alerts alike."""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
import structlog
import yaml

from tieline.kernel.errors import Stop
from tieline.kernel.telemetry import Event, Log, configure_logging
from tieline.kernel.troubles import TROUBLE_OF, Trouble

FILE = Path(__file__).parents[3] / "deploy" / "alerts" / "tieline.rules.yaml"


@cache
def rules() -> dict[str, dict[str, Any]]:
    document = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return {rule["alert"]: rule for group in document["groups"] for rule in group["rules"]}


@pytest.mark.parametrize("trouble", Trouble)
def test_a_trouble_has_exactly_one_alert_or_says_why_it_has_none(trouble: Trouble) -> None:
    alarmed = [name for name, rule in rules().items() if rule["labels"]["trouble"] == trouble.value.name]
    assert alarmed == ([trouble.value.alert] if trouble.value.alert else [])
    assert bool(trouble.value.alert) != bool(trouble.value.unalarmed)


def test_every_alert_tells_of_a_trouble_in_its_words_and_under_its_name() -> None:
    names = {trouble.value.name: trouble for trouble in Trouble}
    for rule in rules().values():
        trouble = names[rule["labels"]["trouble"]]
        assert trouble.value.words in rule["annotations"]["summary"]
        assert trouble.value.is_fault


def test_names_and_words_are_told_apart() -> None:
    for of in ("name", "words"):
        counts = Counter(getattr(trouble.value, of) for trouble in Trouble)
        # The sentence is begun by what does not answer: a part, or a process.
        assert max(counts.values()) == 1, counts
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", trouble.value.name) for trouble in Trouble)


def test_only_events_that_there_are_tell_of_a_trouble() -> None:
    assert TROUBLE_OF.keys() <= set(get_args(Event))
    # What a person asked for, what ended well, and what a stranger sent are none.
    assert not TROUBLE_OF.keys() & {"started", "stopped", "target-resumed", "key-released", "webhook-refused"}


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_log_line_names_the_trouble_that_it_tells_of(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    log = Log("sink-erp")
    log.warning("target-paused", why="no route", next_call_secs=2.5)
    log.info("target-resumed")
    log.warning("ended", why="sink-erp: …", trouble="fenced")
    structlog.reset_defaults()
    paused, resumed, ended = lines(capsys)
    assert (paused["event"], paused["trouble"], paused["next_call_secs"]) == ("target-paused", "target-paused", 2.5)
    assert "trouble" not in resumed
    assert ended["trouble"] == "fenced"


def test_what_stops_a_process_can_say_which_trouble_it_is() -> None:
    assert Stop("no").trouble is None
    assert Stop("gap: …", trouble=str(Trouble.GAP)).trouble == "gap"
