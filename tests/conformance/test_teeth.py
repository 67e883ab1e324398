"""Each clause bites: a connector that breaks it, by one line of its own, fails it."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.conformance import bench as benches
from tests.conformance import fleet, test_calling, test_reading, test_writing
from tests.conformance.bench import Bench, Opener
from tests.parts.invented import Invented, invented_connector

from tieline.kernel.errors import TielineError

FOUND = "found = [record for record in page.records if record.get(REFERENCE) == command.asset_id]"
# What was given is remembered in the process instead of the position: a call that fails half-way loses it.
KEY = 'k := (page.records[place]["id"], page.records[place]["version"])'
REMEMBERED = f'({KEY}) not in self.__dict__.setdefault("known", set()) and not self.__dict__["known"].add(k)'
# Clause, operation if it goes by those, file, line, and what stands there instead.
BROKEN = [
    ("c02", None, "settings.py", "{e['msg']}", "{e['msg']} {e['input']}"),
    ("c03", None, "mapping.py", 'field="cost")  # Invariant 11', 'field="price")  # Invariant 11'),
    ("c04", None, "source.py", 'query["cursor"] = page.next_cursor', "return"),
    ("c05", None, "source.py", "items += [_item", "items = items or [_item"),
    ("c06", None, "source.py", 'str(record.get("version")), at)', '"1", at)'),
    ("c07", None, "client.py", 'raise Retryable(f"{ASSETS}: the', 'records, cursor = [], str(f"{ASSETS}: the'),
    ("c08", None, "source.py", "if len(items) >= limit or not mark.more:", "if not mark.more:"),
    ("c09", "asset.update", "sink.py", "if not changes:", "if False:"),
    ("c10", None, "sink.py", "digest=digest_fields(report.fields)", 'digest="of what was sent"'),
    ("c11", None, "mapping.py", "parse_amount(text, PLAIN", "parse_amount(str(float(text)), PLAIN"),
    ("c12", None, "mapping.py", "PhysicalStatus.UNKNOWN)", "PhysicalStatus.IN_STORE)"),
    ("c14", "asset.create", "sink.py", FOUND, "found: list[Record] = []"),
    ("c15", None, "source.py", "for place in fresh]", f"for place in fresh if {REMEMBERED}]"),
    ("c16", None, "sink.py", "for name in command.writable_fields", "for name in AssetFields.model_fields"),
    ("c17", None, "connector.py", "Governor(system, allowance,", "Governor(system, UNLIMITED,"),
]


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Invented]:
    with invented_connector(tmp_path) as invented:
        for module in (benches, fleet):
            monkeypatch.setattr(module, "GOLDEN", invented.golden)
        yield invented


@pytest.fixture
async def opening(acme: Invented, tmp_path: Path) -> AsyncIterator[Opener]:
    async with AsyncExitStack() as stack:
        yield Opener(acme.name, tmp_path, stack)


def clause_test(clause: str) -> Any:
    """The clause's test."""
    named = [vars(module).items() for module in (test_reading, test_writing, test_calling)]
    [found] = [test for items in named for name, test in items if name.startswith(f"test_{clause}_")]
    return found


@pytest.mark.parametrize(("clause", "operation", "file", "line", "instead"), BROKEN, ids=[row[0] for row in BROKEN])
async def test_a_connector_that_breaks_a_clause_fails_it(
    *,
    request: pytest.FixtureRequest,
    acme: Invented,
    opening: Opener,
    clause: str,
    operation: str | None,
    file: str,
    line: str,
    instead: str,
) -> None:
    path = acme.folder / file
    text = path.read_text(encoding="utf-8")
    assert text.count(line) == 1
    path.write_text(text.replace(line, instead), encoding="utf-8")
    bench: Bench = await opening.open()
    test = clause_test(clause)
    known = {"bench": bench, "connector": acme.name, "operation": operation, "opening": opening}
    wanted = inspect.signature(test).parameters
    arguments = {name: known[name] if name in known else request.getfixturevalue(name) for name in wanted}
    with pytest.raises((AssertionError, pytest.fail.Exception, TielineError, ValueError)):
        await test(**arguments)
