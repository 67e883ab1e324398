from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner, Result

from tieline.kernel.applying import ChangeConfig, Plan, RegisterSchema, SetLevel
from tieline.kernel.commands_topics import lint_command, show_plan
from tieline.kernel.declarations import declared
from tieline.kernel.errors import Stop
from tieline.kernel.schema_changes import Difference


def _lint(*words: str) -> Result:
    app = typer.Typer()
    app.command("lint")(lint_command)
    return CliRunner().invoke(app, list(words))


def _printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    shutil.copytree(declared().schemas, tmp_path / "schemas" / "avro")
    return tmp_path


def test_lint_is_silent_on_the_same_release(earlier: Path) -> None:
    result = _lint("--against", str(earlier))
    assert (result.exit_code, result.output) == (0, "Topics and schemas are in order.\n")


def test_lint_finds_a_scale_that_changed_since_an_earlier_release(earlier: Path) -> None:
    money = earlier / "schemas" / "avro" / "tieline.Money.avsc"
    text = money.read_text(encoding="utf-8")
    money.write_text(text.replace('"scale": 4', '"scale": 2'), encoding="utf-8")
    result = _lint("--against", str(earlier))
    assert result.exit_code == 1
    assert "Money.amount: was decimal(20,2), is decimal(20,4)" in result.output
    assert "[logical-type]" in result.output


def test_lint_does_not_take_an_empty_folder_for_an_earlier_release(tmp_path: Path) -> None:
    result = _lint("--against", str(tmp_path))
    assert isinstance(result.exception, Stop)


def test_a_plan_shows_what_was_and_what_will_be() -> None:
    console = Console(width=200, file=io.StringIO())
    show_plan(
        Plan(
            configs=(ChangeConfig("a.b.state.v1", "segment.ms", "1", "2"),),
            levels=(SetLevel("a.b.state.v1-value", None, "FULL"),),
            register=(RegisterSchema("a.b.state.v1-value", "B", "{}", (Difference("B.c", "added, string"),)),),
            refused=("a.c.state.v1 has 3 partitions",),
            surplus=("topic [old]",),
        ),
        console,
    )
    lines = [line.split() for line in _printed(console).splitlines()]
    assert lines == [
        ["~", "topic", "a.b.state.v1", "segment.ms:", "1", "→", "2"],
        ["+", "level", "a.b.state.v1-value", "none", "→", "FULL"],
        ["~", "schema", "a.b.state.v1-value", "B.c:", "added,", "string"],
        ["!", "refused", "a.c.state.v1", "has", "3", "partitions"],
        ["?", "undeclared", "topic", "[old]", "left", "alone"],
    ]


def test_a_long_name_is_never_cut_short() -> None:
    console = Console(width=60, file=io.StringIO())
    name = "procurement.purchase-order.event.v1-tieline.PoApproved"
    show_plan(Plan(levels=(SetLevel(name, None, "FULL_TRANSITIVE"),)), console)
    text = _printed(console)
    assert "…" not in text
    assert "".join(piece for piece in text.split() if piece in name) == name
