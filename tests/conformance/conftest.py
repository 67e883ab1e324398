"""Each clause's test runs over every connector it speaks of, against that connector's own sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.conformance.bench import Bench, Opener
from tests.conformance.fleet import cases_of, clause_of


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Connectors, and operations where the test asks for one, of the clause in the test's name."""
    clause = clause_of(metafunc.function.__name__)
    if clause is None or "connector" not in metafunc.fixturenames:
        return
    by_operation = "operation" in metafunc.fixturenames
    names = ("connector", "operation") if by_operation else ("connector",)
    metafunc.parametrize(names, list(cases_of(clause, by_operation=by_operation)))


@pytest.fixture
async def opening(connector: str, tmp_path: Path) -> AsyncIterator[Opener]:
    """Opens the connector's system; everything is closed after the test."""
    async with AsyncExitStack() as stack:
        yield Opener(connector, tmp_path, stack)


@pytest.fixture
async def bench(opening: Opener) -> Bench:
    """The connector's system, opened, and nobody has worked in it."""
    return await opening.open()
