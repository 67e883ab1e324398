"""One real Tryton a file, a client of it, and connectors to it that are closed after their test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from tests.parts.tryton import TrytonPart, start_tryton

from tieline.connectors.tryton.client import TrytonClient
from tieline.connectors.tryton.connector import connect
from tieline.kernel.protocols import Connector


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tryton")


@pytest.fixture(scope="module")
def part(folder: Path) -> Iterator[TrytonPart]:
    with start_tryton(folder) as running:
        yield running


@pytest.fixture
async def client(part: TrytonPart) -> AsyncIterator[TrytonClient]:
    async with part.client() as opened:
        yield opened


@pytest.fixture
async def connecting(part: TrytonPart) -> AsyncIterator[Callable[..., Connector]]:
    """Opens a connector, with further settings if they are given."""
    opened: list[Connector] = []

    def open_one(**more: object) -> Connector:
        opened.append(connect("tryton", part.settings(**more)))
        return opened[-1]

    yield open_one
    for connector in opened:
        closing = connector.close()
        assert hasattr(closing, "__await__")
        await closing
