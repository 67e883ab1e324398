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


def waive(acme: Invented, text: str) -> None:
    """Write waivers into the manifest."""
    manifest = acme.folder / "manifest.yaml"
    manifest.write_text(f"{manifest.read_text(encoding='utf-8')}waivers:\n  {text}\n", encoding="utf-8")


WHY = "the vendor's interface has nothing of the kind"


def test_a_waived_clause_must_fail_so_that_a_stale_waiver_does(acme: Invented) -> None:
    waive(acme, f"C06: {WHY}\n  C09/asset.remove: {WHY}")
    [whole] = [one for one in fleet.cases_of("C06", by_operation=False) if one.id == "acme"]
    by_operation = [one for one in fleet.cases_of("C09", by_operation=True) if str(one.id).startswith("acme")]
    waived = [one for one in [whole, *by_operation] if one.marks]
    assert [one.id for one in waived] == ["acme", "acme-asset.remove"]
    assert all(mark.kwargs == {"reason": WHY, "strict": True} for one in waived for mark in one.marks)


@pytest.mark.parametrize("clause", ["C01", "C18", "C99", "C09/asset.transfer"])
def test_a_waiver_of_what_does_not_speak_of_it_is_refused(acme: Invented, clause: str) -> None:
    waive(acme, f"{clause}: {WHY}")
    with pytest.raises(AssertionError, match=r"speaks of no such|holds for everybody|no such operation"):
        test_manifests.test_c01_the_manifest_is_complete_and_says_what_the_code_does(acme.folder)


def test_an_operation_that_nothing_tries_is_named(acme: Invented) -> None:
    manifest = acme.folder / "manifest.yaml"
    more = '      transfer: {idempotency: native-key, key: "its id"}\n      remove:'
    manifest.write_text(manifest.read_text(encoding="utf-8").replace("      remove:", more), encoding="utf-8")
    with pytest.raises(AssertionError, match=r"asset\.transfer"):
        test_manifests.test_c01_every_operation_and_stream_is_tried_somewhere(acme.folder)


def test_a_stand_in_names_tests_that_are_there(acme: Invented) -> None:
    (acme.folder / "sandbox.py").unlink()
    manifest = acme.folder / "manifest.yaml"
    text = manifest.read_text(encoding="utf-8")
    stand_in = "stand_in: {part: a real one, clauses: {C04: tests/conformance/test_scaffold.py::test_it_reads_whole}}\n"
    manifest.write_text(text + stand_in, encoding="utf-8")
    test_manifests.test_c01_every_operation_and_stream_is_tried_somewhere(acme.folder)
    manifest.write_text(text + stand_in.replace("reads_whole", "reads_half"), encoding="utf-8")
    with pytest.raises(AssertionError, match="has no test_it_reads_half"):
        test_manifests.test_c01_every_operation_and_stream_is_tried_somewhere(acme.folder)
