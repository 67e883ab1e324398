"""A flow that asks a connector for what its manifest does not declare is refused before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tieline.checking import check_landscape
from tieline.fitting import misfits
from tieline.kernel.landscape import load_landscape


def line_of_text(path: Path, text: str, place: int) -> int:
    """The line of the n-th place (from 0) where the text stands."""
    lines = [number for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if text in line]
    return lines[place]


def test_the_demo_asks_only_for_what_is_declared(demo: Path) -> None:
    assert list(misfits(load_landscape(demo))) == []


@pytest.mark.parametrize(
    ("flow", "end", "reason"),
    [
        ("book:tryton>cards", "target", "the connector cardfile writes no book; it writes nothing"),
        ("book:unio24>tryton", "source", "the connector unio24 reads no book; it reads asset, cost-document, "),
        ("cost-document:tryton>unio24", "source", "the connector tryton reads no cost-document; it reads asset"),
        ("asset:cards>tryton", "source", "the connector cardfile reads no asset; it reads cost-document"),
        ("purchase-order:tryton>cards", "target", "and the flow needs asset: create, update"),
    ],
)
def test_each_end_is_asked(demo: Path, flow: str, end: str, reason: str) -> None:
    object_, _, ends = flow.partition(":")
    source, _, target = ends.partition(">")
    cards = (
        "  cards: {connector: cardfile, role: asset-management, owner: works, poll_interval_secs: 5, settings: {}}\n"
    )
    text = demo.read_text(encoding="utf-8")
    head, tail = text[: text.index("flows:\n")], text[text.index("\ncapitalisation:") :]
    written = f"""
flows:
  - object: {object_}
    source: {source}
    target: {target}
    interval_mins: 5
    latency_target_secs: 30
    owner: nobody@example.org
    on_error: hold
    mode: enabled
"""
    at = head.rindex("\n# What moves")
    demo.write_text(head[:at] + "\n" + cards + head[at:] + written + tail, encoding="utf-8")
    found = [one for one in misfits(load_landscape(demo)) if one.end == end]
    assert [one.flow for one in found] == [0]
    assert reason in found[0].reason
    line = line_of_text(demo, f"    {end}: {source if end == 'source' else target}", 0)
    assert f"{demo}:{line}: flows.0.{end}: {found[0].reason}" in check_landscape(demo)
