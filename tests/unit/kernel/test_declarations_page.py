from __future__ import annotations

import re
from pathlib import Path

from typer.testing import CliRunner

from tieline.cli import app
from tieline.kernel.declarations import declared, read_tree
from tieline.kernel.topics_page import render_topics_page

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "topics.md"


def test_the_reference_page_is_what_the_declarations_say() -> None:
    fresh = render_topics_page(read_tree(declared()))
    assert PAGE.read_text(encoding="utf-8") == fresh, "stale: run `tieline topics catalogue`"


def test_the_page_names_a_command_that_writes_it() -> None:
    [words] = re.findall("Write it anew with `tieline ([a-z ]+)`", render_topics_page(read_tree(declared())))
    assert CliRunner().invoke(app, [*words.split(), "--help"]).exit_code == 0


def test_every_link_of_the_page_has_its_heading() -> None:
    page = render_topics_page(read_tree(declared()))
    headings = {re.sub(r"[^a-z0-9_-]", "", line.lstrip("# ").lower()) for line in page.splitlines() if line[:1] == "#"}
    links = set(re.findall(r"\]\(#([^)]*)\)", page))
    assert links
    assert links <= headings
