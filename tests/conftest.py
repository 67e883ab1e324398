"""Real parts for every test that asks: one broker and one registry per test session, started natively."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tieline.stack.parts import KafkaPart, RegistryPart, start_kafka, start_registry

TESTS = Path(__file__).parent


# First, because xdist reads the marks in the hook of the same name.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file in one process, and the main job's files in one: they share what they start."""
    for item in items:
        place = item.path.relative_to(TESTS)
        group = "main_job" if place.parts[0] == "main_job" else str(place)
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def kafka_part(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaPart]:
    """The session's broker; a test that kills it must start it again (``kafka_part.restart()``)."""
    with start_kafka(tmp_path_factory.mktemp("kafka")) as part:
        yield part


@pytest.fixture
def kafka(kafka_part: KafkaPart) -> str:
    """Bootstrap address of a running broker."""
    assert kafka_part.pid
    return kafka_part.bootstrap


@pytest.fixture(scope="session")
def registry_part(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryPart]:
    """The session's schema registry, in memory."""
    with start_registry(tmp_path_factory.mktemp("registry")) as part:
        yield part


@pytest.fixture
def registry(registry_part: RegistryPart) -> str:
    """Address of a running registry, for a Confluent-compatible client."""
    assert registry_part.pid
    return registry_part.url


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[KafkaPart]:
    """A broker of the test's own, to kill, freeze and fill."""
    with start_kafka(tmp_path / "kafka") as part:
        yield part
