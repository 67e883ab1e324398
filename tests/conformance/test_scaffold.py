"""What ``tieline connector new`` writes keeps the first tier as it stands."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.conformance import bench as benches
from tests.conformance import fleet, test_calling, test_manifests, test_reading
from tests.conformance.bench import Bench, Opener
from tests.parts.invented import Invented, invented_connector

from tieline.kernel.clauses import CLAUSES, Tier


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Invented]:
    with invented_connector(tmp_path) as invented:
        for module in (benches, fleet, test_manifests):
            monkeypatch.setattr(module, "GOLDEN", invented.golden)
        yield invented


@pytest.fixture
async def begun(acme: Invented, tmp_path: Path) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        yield await Opener(acme.name, tmp_path, stack).open()


def test_it_says_what_it_does(acme: Invented) -> None:
    test_manifests.test_c01_the_manifest_is_complete_and_says_what_the_code_does(acme.folder)
    test_manifests.test_c01_every_operation_and_stream_is_tried_somewhere(acme.folder)
    test_manifests.test_c01_there_are_golden_records_of_both_sorts(acme.folder)


async def test_it_keeps_its_secrets(begun: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    await test_calling.test_c02_no_secret_is_told(begun, capfd)


async def test_it_maps_its_golden_records(begun: Bench) -> None:
    await test_reading.test_c03_golden_records_are_mapped_as_written_down(begun, begun.name)


async def test_it_reads_whole(begun: Bench) -> None:
    await test_reading.test_c04_a_whole_read_gives_each_record_once(begun)


async def test_it_goes_on_after_a_stop(begun: Bench) -> None:
    await test_reading.test_c05_reading_of_changes_goes_on_after_a_stop_at_any_page(begun)


def test_these_are_the_first_tier() -> None:
    assert [name for name, one in CLAUSES.items() if one.tier is Tier.SCAFFOLDED] == ["C01", "C02", "C03", "C04", "C05"]
