"""What an operator asks of a healthy hub, and of a landscape that is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from tests.main_job.world import World, eventually, notes

from tieline.demo.organisation import demo_organisation

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900, func_only=True)]
PLAN = demo_organisation()
PROCESSES = {"identify", "accept", "route", "source-tryton", "sink-tryton", "source-unio24", "sink-unio24", "views"}


def test_status_of_a_healthy_hub(world: World) -> None:
    world.settle()
    # A process that has just caught up may still count as behind for a moment.
    eventually(lambda: world.ask("status")[0] == 0, "a status without anything to look at")
    code, status = world.ask("status")
    assert (code, status["needs_attention"]) == (0, False)
    assert {process["name"] for process in status["processes"]} == PROCESSES
    assert {process["open_letters"] for process in status["processes"]} == {0}
    for flow in status["flows"]:
        if flow["name"].startswith("purchase-order:"):
            continue  # what is ordered travels as assets
        assert (flow["mode"], flow["pending"], flow["parked"], flow["rejected"]) == ("enabled", 0, 0, 0)
        assert flow["delivered"] > 0


@pytest.mark.parametrize("name", ["tag", "number", "serial"])
def test_trace_tells_the_life_of_an_asset_by_any_of_its_names(world: World, name: str) -> None:
    record = world.asset(PLAN.registered[0].mark)
    (row,) = world.erp.with_line(f"tag: {record['tag']}")
    known_as = {"tag": record["tag"], "number": record["erp_asset_number"], "serial": record["serial"]}
    code, life = world.ask("trace", known_as[name])
    assert code == 0
    assert life["asset_id"] == record["external_ref"] == notes(row)["tieline"]
    links = {(link["system"], link["entity"], link["native_id"], link["status"]) for link in life["links"]}
    assert links == {("unio24", "asset", str(record["id"]), "LINKED"), ("tryton", "asset", str(row["id"]), "LINKED")}
    times = [step["at"] for step in life["steps"]]
    assert times == sorted(times)
    kinds = [step["kind"] for step in life["steps"]]
    stages = ["report", "identified", "event", "command", "result"]
    assert [kind for kind in dict.fromkeys(kinds) if kind in stages] == stages
    assert ("command", "tryton") in {(step["kind"], step["system"]) for step in life["steps"]}
    assert all(re.fullmatch(r"[\w.-]+/\d+/\d+", s["where"]) for s in life["steps"] if s["kind"] in stages)


def test_trace_of_an_unknown_name_says_so(world: World) -> None:
    done = world.estate.tieline("trace", "NOBODY-1", check=False)
    assert done.returncode == 1
    assert "no asset is known as 'NOBODY-1'" in done.stderr


@pytest.mark.parametrize(
    ("keys", "value", "reason"),
    [
        (("flows", 0, "latency_target_secs"), None, "latency_target_secs"),
        (("flows", 1, "target"), "nowhere", "nowhere"),
        (("systems", "tryton", "settings", "company"), None, "company"),
        (("systems", "unio24", "settings", "profile"), {"path": "no-such-profile.yaml"}, "no-such-profile.yaml"),
        (("systems", "tryton", "settings", "password"), "open-sesame", "password"),
    ],
)
def test_check_names_file_line_and_reason(
    world: World, tmp_path: Path, keys: tuple[str | int, ...], value: object, reason: str
) -> None:
    document = yaml.safe_load(world.estate.landscape_path.read_text(encoding="utf-8"))
    node = document
    for key in keys[:-1]:
        node = node[key]
    if value is None:
        del node[keys[-1]]
    else:
        node[keys[-1]] = value
    broken = tmp_path / "broken.yaml"
    broken.write_text(yaml.safe_dump(document), encoding="utf-8")
    done = world.estate.tieline("check", "--landscape", str(broken), check=False)
    assert done.returncode == 1
    place, _, told = done.stderr.strip().partition(": ")
    file, _, line = place.rpartition(":")
    assert file == str(broken)
    assert 1 <= int(line) <= len(broken.read_text(encoding="utf-8").splitlines())
    assert reason in told
    assert "open-sesame" not in done.stderr


def test_check_passes_the_landscape_that_runs(world: World) -> None:
    assert world.estate.tieline("check").stdout.endswith("complete.\n")
