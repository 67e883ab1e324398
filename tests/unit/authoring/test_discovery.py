"""A connector is a folder: nothing that exists names it, and everything knows it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.parts.invented import Invented, invented_connector
from typer.testing import CliRunner

from tieline.authoring.scaffold import new_connector, renamed
from tieline.checking import check_landscape
from tieline.cli import app
from tieline.kernel.connectors_page import render_connectors
from tieline.kernel.errors import Stop
from tieline.kernel.fleet import processes
from tieline.kernel.landscape import load_landscape
from tieline.stack.compose import compose
from tieline.stack.estate import estate_of
from tieline.wiring import held_fields, open_hub

ROOT = Path(__file__).parents[3]


@pytest.fixture
def acme(tmp_path: Path) -> Iterator[Invented]:
    with invented_connector(tmp_path) as invented:
        yield invented


def landscape_with(folder: Path, *, object_: str = "asset") -> Path:
    """Two systems of the invented kind, and a flow between them."""
    settings = {"token": {"secret": "file:acme-token"}}
    system = {"connector": "acme", "owner": "somebody", "poll_interval_secs": 2}
    document = {
        "name": "invented",
        "kafka": {"bootstrap_servers": "127.0.0.1:9092", "replication_factor": 1},
        "registry": {"url": "http://127.0.0.1:8081/apis/ccompat/v7"},
        "systems": {
            "left": {**system, "role": "erp", "settings": {**settings, "endpoint": "http://127.0.0.1:8090"}},
            "right": {**system, "role": "asset-management"}
            | {"settings": {**settings, "endpoint": "http://127.0.0.1:8091"}},
        },
        "flows": [
            {"source": "left", "target": "right", "object": object_, "interval_mins": 1, "latency_target_secs": 10}
            | {"owner": "somebody", "on_error": "hold", "mode": "enabled"}
        ],
    }
    (folder / "acme-token").write_text("secret", encoding="utf-8")
    path = folder / "landscape.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


@pytest.mark.usefixtures("acme")
def test_the_commands_know_it() -> None:
    listed = json.loads(CliRunner().invoke(app, ["connector", "list", "--json"]).stdout)
    [row] = [one for one in listed if one["name"] == "acme"]
    assert (row["tier"], row["reads"], row["writes"]) == ("scaffolded", ["asset"], ["asset"])
    assert "acme" in CliRunner().invoke(app, ["connector", "list"]).stdout
    helped = CliRunner().invoke(app, ["sandbox", "acme", "--help"])
    assert helped.exit_code == 0
    assert "Run the Acme sandbox" in helped.stdout
    assert "acme" in CliRunner().invoke(app, ["sandbox", "--help"]).stdout


@pytest.mark.usefixtures("acme")
def test_the_pages_show_it() -> None:
    page = render_connectors()
    assert "| acme | Acme | asset-management | scaffolded |" in page
    assert "| asset | acme | yes | create | conditional-create: our reference in a unique field" in page
    assert "| acme | deletions-in-stream | " in page


@pytest.mark.usefixtures("acme")
def test_a_landscape_may_name_it_and_gets_topics_processes_and_containers(tmp_path: Path) -> None:
    path = landscape_with(tmp_path)
    assert check_landscape(path) == []
    hub = open_hub(path)
    assert any(name.startswith("src.left.") for name in hub.topics)
    assert any(name.startswith("observed.right.") for name in hub.topics)
    assert any(name.startswith("sink.right.") for name in hub.topics)
    assert held_fields(hub.landscape)["right"] >= {"serial_number", "location"}
    assert {"source-left", "sink-right"} <= {one.name for one in processes(hub.landscape)}
    services = yaml.safe_load(compose(estate_of(load_landscape(path))))["services"]
    assert "tieline.connectors.acme.sandbox" in services["right"]["command"]
    assert hub.connect("right").snapshot_streams == ("assets",)


@pytest.mark.usefixtures("acme")
def test_its_manifest_decides_what_a_flow_may_ask(tmp_path: Path) -> None:
    faults = check_landscape(landscape_with(tmp_path, object_="book"))
    assert len(faults) == 2
    assert all("the connector acme" in fault and "no book" in fault for fault in faults)


@pytest.mark.usefixtures("acme")
def test_a_name_that_is_taken_is_refused_and_nothing_overwritten(tmp_path: Path) -> None:
    for name in ("acme", "tryton"):
        with pytest.raises(Stop, match=f"there is a connector {name} already"):
            new_connector(name, connectors=tmp_path / "connectors", golden=tmp_path / "golden")


@pytest.mark.parametrize("name", ["", "Acme", "my-system", "9lives", "kit", "example", "../acme"])
def test_a_name_that_cannot_be_one_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Stop, match="cannot name a connector"):
        new_connector(name, connectors=tmp_path / "c", golden=tmp_path / "g")
    assert list(tmp_path.iterdir()) == []


def test_no_mention_of_the_example_is_left_and_the_code_is_clean(acme: Invented) -> None:
    files = [file for file in acme.folder.parent.parent.rglob("*") if file.suffix in (".py", ".yaml", ".json")]
    assert len(files) >= 16
    for file in files:
        assert "example" not in file.read_text(encoding="utf-8").lower().replace("example.org", ""), file
    # Of an installed package ruff knows no first party, so that it would sort imports otherwise.
    checked = [sys.executable, "-m", "ruff", "check", "--config", str(ROOT / "pyproject.toml"), "--ignore=I001,INP001"]
    done = subprocess.run([*checked, str(acme.folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_addresses_of_nobody_stay() -> None:
    assert renamed("ask facility@example.org of Example", "acme") == "ask facility@example.org of Acme"


def test_the_command_writes_into_a_checkout_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    refused = CliRunner().invoke(app, ["connector", "new", "acme"])
    assert isinstance(refused.exception, Stop)
    assert "run this in a checkout" in str(refused.exception)
    for folder in ("services/tieline/connectors", "tests/golden"):
        (tmp_path / folder).mkdir(parents=True)
    done = CliRunner().invoke(app, ["connector", "new", "acme"])
    assert done.exit_code == 0, done.output
    assert "services/tieline/connectors/acme/manifest.yaml" in done.stdout.splitlines()
    assert (tmp_path / "tests" / "golden" / "acme" / "case.py").is_file()
