"""One seeded estate of real parts for all tests of the main job, which run in file order and leave it consistent."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.main_job.world import World, open_world
from tests.parts.estate import start_estate

from tieline.stack.parts import start_kafka, start_registry


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A broker, registry, ERP, asset system and hub of its own, after ``tieline demo seed``."""
    folder = tmp_path_factory.mktemp("main-job")
    with (
        # Its own broker: topic names of an estate are fixed, and other tests use the session's.
        start_kafka(folder / "kafka") as kafka,
        start_registry(folder / "registry") as registry,
        start_estate(folder / "estate", kafka, registry) as estate,
        open_world(estate) as opened,
    ):
        estate.tieline("demo", "seed", "--timeout-secs", "600", timeout_secs=1800)
        yield opened
