"""Clauses of writing: once, exactly, and nothing beside it."""

from __future__ import annotations

from tests.conformance.bench import Bench, amounts_of, write_asset

from tieline.connectors.kit.sandboxing.cases import AMOUNT
from tieline.kernel.asset_records import AssetReport
from tieline.kernel.command_records import Command, WriteAsset
from tieline.kernel.digests import digest_fields
from tieline.kernel.protocols import Connector


async def reported(bench: Bench, connector: Connector, native_id: str) -> AssetReport:
    """What the system says of the asset now."""
    item = await connector.source.read_one(bench.case.stream, native_id)
    assert item is not None
    report = connector.map_item(item)[0]
    assert isinstance(report, AssetReport)
    return report


async def test_c09_an_operation_takes_effect_once(bench: Bench, operation: str) -> None:
    connector = bench.connect()
    command, native_id = await ready(bench, connector, operation)
    before = bench.effects()
    assert await connector.sink.read_back(command, native_id) is None, "nothing was written yet"
    assert bench.effects() == before, "reading back changes nothing"
    first = await connector.sink.write(command, native_id)
    after = bench.effects()
    assert first.effect
    assert len(after) > len(before), "the journal shows it"
    for known in (native_id, first.native_id):
        again = await connector.sink.write(command, known)
        assert not again.effect
        assert (again.native_id, again.digest) == (first.native_id, first.digest)
    assert bench.effects() == after, "the second time nothing is sent"
    assert await connector.sink.read_back(command, first.native_id) is not None


async def ready(bench: Bench, connector: Connector, operation: str) -> tuple[Command, str | None]:
    """A command of this operation that may be written now, and the native id that the hub knows."""
    trial = await bench.trial(connector, operation)
    return trial.command, trial.native_id


async def test_c10_what_was_written_is_known_again_as_our_echo(bench: Bench) -> None:
    connector = bench.connect()
    for operation in ("asset.create", "asset.update"):
        command, native_id = await ready(bench, connector, operation)
        assert isinstance(command, WriteAsset)
        written = await connector.sink.write(command, native_id)
        report = await reported(bench, connector, written.native_id)
        assert written.digest == digest_fields(report.fields), f"{operation}: as the target returned it"
        assert written.source_version in (None, report.origin.source_version)
        assert report.origin.hub_ref in (None, command.asset_id)
        assert AMOUNT in amounts_of(report), "Invariant 11, on the way out"


async def test_c14_one_effect_whatever_fails_at_whatever_step(bench: Bench, operation: str) -> None:
    connector = bench.connect()
    command, native_id = await ready(bench, connector, operation)
    before = len(bench.effects())
    steps = await bench.calls_of(bench.deliver(connector, command, native_id))
    clean = bench.effects()[before:]
    for kind in bench.request_kinds():
        for step in range(1, steps + 1):
            strike = bench.fail_at(kind)
            command, native_id = await ready(bench, connector, operation)
            before = len(bench.effects())
            strike(step)
            written = await bench.deliver(connector, command, native_id)
            bench.mend()
            if await connector.sink.read_back(command, written.native_id) is None:
                # The system said that it did it and did not: reconciliation finds that, and its repair is a command.
                written = await bench.deliver(connector, command, written.native_id)
            assert not (await connector.sink.write(command, written.native_id)).effect
            effects = bench.effects()[before:]
            where = f"{kind} at call {step}: {[(e['action'], e['object'], e['object_id']) for e in effects]}"
            assert bench.net(effects) == bench.net(clean), where
            # What the system itself does twice may show twice, and be taken back once.
            assert len(effects) <= len(clean) * (3 if kind == "apply_twice" else 1), where


async def test_c16_a_write_leaves_what_is_not_its_own(bench: Bench) -> None:
    connector = bench.connect()
    assert bench.case.fields is not None
    number = bench.number()
    first = await bench.deliver(connector, write_asset("asset-1", bench.case.fields(number)), None)
    versions, times = [], []
    for step in range(1, 7):
        strike = bench.fail_at("stale_read") if "stale_read" in bench.case.playable else lambda _step: None
        bench.clock.move()
        await bench.world.edit(first.native_id, step)
        before = await reported(bench, connector, first.native_id)
        other = bench.case.fields(bench.number()).model_copy(update={"description": f"Ours {step}"})
        strike(step)
        command = write_asset("asset-1", other, version=step + 1, writable=("description",))
        await bench.deliver(connector, command, first.native_id)
        bench.mend()
        after = await reported(bench, connector, first.native_id)
        assert after.fields.description == f"Ours {step}"
        assert _without_description(after) == _without_description(before), "Invariant 9"
        versions += [before.origin.source_version, after.origin.source_version]
        times += [before.origin.recorded_at, after.origin.recorded_at]
    assert len(set(versions)) == len(versions), "each change has another version"
    assert times == sorted(times)


def _without_description(report: AssetReport) -> dict[str, object]:
    return report.fields.model_dump(exclude={"description"})
