"""Real parts for every test that asks: one broker and one registry per test session, started natively."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from tests.parts.emptying import empty
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]  # it ships no types

from tieline.stack.parts import KafkaPart, RegistryPart, start_kafka, start_registry

MAIN_JOB = "tests/main_job/"

# A busy machine is slow, not wrong: no test fails for the time it takes.
settings.register_profile("tieline", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tieline")


class FileScheduling(LoadFileScheduling):  # type: ignore[misc]  # as above
    """The tests of a file in one process, and the main job's files in one: they share what they start."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return MAIN_JOB if file.startswith(MAIN_JOB) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FileScheduling:
    """How ``make test`` shares the files out between two processes."""
    return FileScheduling(config, log)


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
def empty_kafka(kafka_part: KafkaPart) -> Iterator[KafkaPart]:
    """The session's broker without a topic or a group but the broker's own, for a whole hub; not to be killed."""
    empty(kafka_part.bootstrap)
    yield kafka_part
    empty(kafka_part.bootstrap)


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[KafkaPart]:
    """A broker of the test's own, to kill, freeze and fill."""
    with start_kafka(tmp_path / "kafka") as part:
        yield part
