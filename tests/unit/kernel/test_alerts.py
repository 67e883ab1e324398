"""The alert rules speak only of what is measured, and each says what to do by a command that exists."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from tieline.cli import app
from tieline.kernel.metrics import Cause, Ending, Measure

FILE = Path(__file__).parents[3] / "deploy" / "alerts" / "tieline.rules.yaml"
SCENES = Path(__file__).with_name("alerts.scenes.yaml")
SERIES = {name: measure.value for measure in Measure for name in measure.value.series}
# What Prometheus itself adds: whether a scrape was answered, and where the series came from.
OF_PROMETHEUS = {"up": {"job", "instance"}}
WORDS = {"sum", "min", "by", "on", "group_left", "rate", "increase", "histogram_quantile"}
VALUES: Mapping[str, set[str]] = {"cause": {*Cause}, "outcome": {*Ending}, "job": {"tieline"}}


@cache
def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def names_in(expression: str) -> tuple[set[str], set[str], dict[str, str]]:
    """Series, labels, and the label values that an expression names."""
    values = dict(re.findall(r'(\w+)\s*(?:=~|!=|!~|=)\s*"([^"]*)"', expression))
    labels = set(values)
    for group in re.findall(r"\b(?:by|on|group_left)\s*\(([^)]*)\)", expression):
        labels |= {name.strip() for name in group.split(",") if name.strip()}
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|on|group_left)\s*\([^)]*\)", " ", expression)
    return set(re.findall(r"[a-zA-Z_]\w*", bare)) - WORDS, labels, values


def test_there_are_rules() -> None:
    wanted = {"ProcessSilent", "TargetPaused", "FlowLate", "DeadLetters", "KeysParked", "SourceNotRead"}
    assert {f"Tieline{name}" for name in wanted} <= {rule["alert"] for rule in rules()}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_a_rule_names_only_series_and_labels_that_there_are(rule: dict[str, Any]) -> None:
    series, labels, values = names_in(rule["expr"])
    assert series
    assert series <= SERIES.keys() | OF_PROMETHEUS.keys()
    shared = [OF_PROMETHEUS.get(name) or {*SERIES[name].labels, "le"} for name in series]
    assert labels <= set.union(*shared)
    for name, value in values.items():
        assert value in VALUES[name]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_a_rules_words_name_only_labels_that_its_series_have(rule: dict[str, Any]) -> None:
    series, _, _ = names_in(rule["expr"])
    written = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
    kept = re.search(r"(?:sum|min) by \(([^)]*)\)", rule["expr"])
    known = {"instance", "job"}
    for name in series & SERIES.keys():
        known |= set(SERIES[name].labels)
    if kept and rule["expr"].startswith("sum by"):
        known = {name.strip() for name in kept[1].split(",")}
    assert written <= known


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_a_rule_says_what_to_do_by_a_command_that_exists(rule: dict[str, Any]) -> None:
    assert set(rule["annotations"]) == {"summary", "action"}
    assert rule["labels"]["severity"] in {"critical", "warning"}
    commands = re.findall(r"`tieline ([^`]+)`", rule["annotations"]["action"])
    assert commands
    for command in commands:
        done = CliRunner().invoke(app, [*command.split(), "--help"])
        assert done.exit_code == 0, f"tieline {command}: {done.output}"


def test_promtool_finds_no_fault_and_every_scene_alarms_as_it_should() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian and Ubuntu: it comes with the package prometheus)")
    for arguments in (["check", "rules", str(FILE)], ["test", "rules", str(SCENES)]):
        done = subprocess.run([promtool, *arguments], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
