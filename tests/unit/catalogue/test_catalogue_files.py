"""The generated files: current in this checkout, and staleness of each kind is found."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from tieline.catalogue.commands import catalogue_command
from tieline.catalogue.files import generated, stale, write
from tieline.catalogue.inputs import read_inputs

ROOT = Path(__file__).parents[3]
LANDSCAPE = ROOT / "deploy" / "local" / "landscape.yaml"
REFERENCE = ROOT / "docs" / "reference"


def _run(*words: str) -> Result:
    app = typer.Typer()
    app.command()(catalogue_command)
    return CliRunner().invoke(app, ["--landscape", str(LANDSCAPE), *words])


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(REFERENCE, tmp_path / "reference")
    return tmp_path / "reference"


def test_no_generated_file_of_this_checkout_is_stale() -> None:
    assert stale(REFERENCE, generated(read_inputs(LANDSCAPE))) == (), "run `make docs`"


def test_every_reference_page_is_generated() -> None:
    files = {path.relative_to(REFERENCE).as_posix() for path in REFERENCE.rglob("*") if path.is_file()}
    wanted = set(generated(read_inputs(LANDSCAPE)))
    assert {"topics.md", "catalogue.md", "asyncapi.yaml", "unio24-fields.md", "tryton-fields.md"} < wanted
    assert {"contracts/asset.asset.event.v1.odcs.yaml", "contracts/asset.book.state.v1.odcs.yaml"} < wanted
    assert wanted <= files


def test_an_edited_a_missing_and_a_left_over_file_are_named(copy: Path) -> None:
    (copy / "topics.md").write_text("mine", encoding="utf-8")
    (copy / "unio24-fields.md").unlink()
    (copy / "contracts" / "asset.gone.state.v1.odcs.yaml").write_text("", encoding="utf-8")
    result = _run("--to", str(copy), "--check")
    assert result.exit_code == 1
    named = [Path(line.split(" is stale")[0]).name for line in result.output.splitlines()]
    assert named == ["asset.gone.state.v1.odcs.yaml", "topics.md", "unio24-fields.md"]
    assert (copy / "topics.md").read_text(encoding="utf-8") == "mine", "a check writes nothing"


def test_writing_makes_everything_current_and_removes_what_is_left_over(copy: Path) -> None:
    (copy / "catalogue.md").unlink()
    left_over = copy / "contracts" / "asset.gone.state.v1.odcs.yaml"
    left_over.write_text("", encoding="utf-8")
    assert _run("--to", str(copy)).exit_code == 0
    assert not left_over.exists()
    assert _run("--to", str(copy), "--check").exit_code == 0


def test_a_page_that_is_not_ours_stays(copy: Path) -> None:
    (copy / "written-by-hand.md").write_text("mine", encoding="utf-8")
    wanted = generated(read_inputs(LANDSCAPE))
    write(copy, wanted)
    assert (copy / "written-by-hand.md").is_file()
    assert stale(copy, wanted) == ()


def test_the_environment_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = generated(read_inputs(LANDSCAPE))
    monkeypatch.setenv("TIELINE_KAFKA_BOOTSTRAP", "elsewhere:1")
    monkeypatch.setenv("TIELINE_REGISTRY_URL", "http://elsewhere")
    monkeypatch.setenv("TIELINE_SECRETS_DIR", "/nowhere")
    assert generated(read_inputs(LANDSCAPE)) == before
