"""Further sandboxes beside the demo: by what their folders carry, in a landscape that means the same anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest
import yaml
from tests.parts.invented import Invented, invented_connector
from typer.testing import CliRunner

from tieline.checking import check_landscape
from tieline.kernel.landscape import load_landscape
from tieline.stack import commands
from tieline.stack.additions import addable, split_names, write_landscape
from tieline.stack.credentials import ensure
from tieline.stack.errors import StackError
from tieline.stack.estate import estate_of
from tieline.stack.sandboxes import sandbox_command

DEMO = Path(__file__).parents[3] / "deploy" / "local" / "landscape.yaml"


@pytest.fixture
def acme(tmp_path: Path) -> Iterator[Invented]:
    with invented_connector(tmp_path) as invented:
        yield invented


def written(tmp_path: Path, *names: str) -> Path:
    return write_landscape(DEMO, names, to=tmp_path / "run" / "landscape.yaml", secrets=tmp_path / "secrets")


@pytest.mark.usefixtures("acme")
def test_a_named_connector_comes_with_sandbox_processes_flows_and_secrets(tmp_path: Path) -> None:
    path = written(tmp_path, "acme")
    estate = estate_of(load_landscape(path))
    assert [system.name for system in estate.systems] == ["tryton", "unio24", "acme"]
    assert {"source-acme", "sink-acme"} <= {process.name for process in estate.processes}
    assert estate.secret_names()[-1] == "acme-token"
    assert [flow.name for flow in load_landscape(path).flows][-1] == "asset:tryton>acme"
    acme = estate.systems[-1]
    assert acme.variables() == {"ACME_TOKEN": "acme-token"}
    command = sandbox_command(acme, PurePosixPath("/data"), {}, python="python")
    assert command == ("python", "-m", "tieline.connectors.acme.sandbox", "--host", "127.0.0.1", "--port", "8090")


@pytest.mark.usefixtures("acme")
def test_what_comes_of_it_is_complete_wherever_it_lies(tmp_path: Path) -> None:
    path = written(tmp_path, "acme")
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert document["systems"]["acme"]["settings"]["token"] == {"secret": f"file:{tmp_path / 'secrets' / 'acme-token'}"}
    assert document["systems"]["unio24"]["settings"]["profile"]["path"] == str(DEMO.with_name("unio24.profile.yaml"))
    ensure(tmp_path / "secrets", estate_of(load_landscape(path)).secret_names())
    faults = [fault for fault in check_landscape(path) if ".tieline/secrets" not in fault]
    assert faults == [], "but for the checkout's own secrets, which the stack draws"


def test_without_an_addition_nothing_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(commands, "checkout", lambda: tmp_path)
    assert commands._landscape_with((), None) == tmp_path / "deploy" / "local" / "landscape.yaml"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("acme")
def test_a_flow_to_a_system_that_is_not_added_waits_for_it(tmp_path: Path, acme: Invented) -> None:
    fragment = acme.folder / "demo.yaml"
    text = fragment.read_text(encoding="utf-8")
    fragment.write_text(text.replace("source: tryton", "source: sap"), encoding="utf-8")
    names = [flow.name for flow in load_landscape(written(tmp_path, "acme")).flows]
    assert "asset:sap>acme" not in names
    assert len(names) == 5


@pytest.mark.usefixtures("acme")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("acmee", r"^WITH=acmee: there is no connector; those that can be added: .*acme"),
        ("tryton", r"^WITH=tryton: it carries no demo.yaml; those that can be added: .*acme"),
    ],
)
def test_a_name_that_cannot_be_added_is_one_clear_sentence(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(StackError, match=message):
        written(tmp_path, name)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("8090", "8024", "systems unio24 and acme are both at http://127.0.0.1:8024"),
        ("systems:\n  acme:", "systems:\n  unio24:", "the landscape has a system unio24 already"),
        ("flows:", "kafka: {}\nflows:", "kafka is none of systems, flows, code_lists"),
        ("systems:", "systems", "demo.yaml: not valid YAML"),
    ],
)
def test_a_fragment_that_does_not_fit_is_refused(
    tmp_path: Path, acme: Invented, old: str, new: str, message: str
) -> None:
    fragment = acme.folder / "demo.yaml"
    fragment.write_text(fragment.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(StackError, match=message):
        written(tmp_path, "acme")


@pytest.mark.usefixtures("acme")
def test_names_are_given_in_one_word_or_several() -> None:
    assert split_names(["sap,snipeit", "acme", "sap"]) == ("sap", "snipeit", "acme")
    assert "acme" in addable()


def test_containers_are_told_that_only_the_native_stack_takes_more(tmp_path: Path) -> None:
    result = CliRunner().invoke(commands.app, ["up", "--stack", "docker", "--with", "acme"])
    assert result.exit_code == 1
    assert "WITH adds systems to the native stack only" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_command_names_what_can_be_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(DEMO.parents[2])
    result = CliRunner().invoke(commands.app, ["up", "--stack", "native", "--with", "nosuch"])
    assert result.exit_code == 1
    assert result.stderr.startswith("tieline: WITH=nosuch: there is no connector; those that can be added: ")
