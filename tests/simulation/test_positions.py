"""A position that the log no longer follows on stops the process and moves nothing; a person lets it go on."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import cast

import pytest
from rich.console import Console
from tests.parts.poison import REPORTS, good_report
from tests.simulation.estate import AM, ERP, Estate, declared, estate
from tests.simulation.log import Where
from tests.simulation.test_simulation import check_effects, live, thing
from tests.simulation.test_zombies import wake

from tieline.kernel.asset_records import PhysicalStatus
from tieline.kernel.errors import Stop
from tieline.kernel.inspecting import Hub, LogReader
from tieline.operating.positions import pass_gaps, read_groups
from tieline.operating.positions_commands import show_groups

INPUTS = {
    "identify": REPORTS,
    "accept": "hub.identified.report.v1",
    "route": "asset.asset.event.v1",
    f"sink-{ERP}": f"sink.{ERP}.command.v1",
    f"source-{AM}": f"src.{AM}.raw.v1",
}


def at_rest(hub: Estate, name: str) -> Where:
    """Some work is done; a partition of the process's input of which it has read something."""
    hub.trouble.on = False
    live(hub)
    hub.rest()
    committed = hub.log.committed
    stands_at = [where for group, where in sorted(committed) if group == f"tieline.{name}"]
    return next(where for where in stands_at if where[0] == INPUTS[name] and hub.log.at(where))


def write_more(hub: Estate, where: Where, records: int) -> int:
    """Records that nobody has read, and the end after them."""
    last = next(m for m in reversed(hub.log.at(where)) if m is not None)
    for _ in range(records):
        end = hub.log.append(where, last.content)
    return end + 1


def look(hub: Estate) -> LogReader:
    plan, topics = declared()
    seen = SimpleNamespace(landscape=plan, topics=topics, codec=hub.codec, partitions=hub.log.partitions)
    return LogReader(cast("Hub", seen))


def everything(hub: Estate) -> tuple[dict[Where, int], dict[tuple[str, Where], int]]:
    """What is in the log, and every position."""
    return {where: len(records) for where, records in hub.log.records.items()}, dict(hub.log.committed)


@pytest.mark.parametrize("name", INPUTS)
def test_what_retention_took_before_it_was_read_stops_the_process(name: str) -> None:
    with estate(1) as hub:
        where = at_rest(hub, name)
        stood = hub.log.committed[f"tieline.{name}", where]
        del hub.running[name]
        end = write_more(hub, where, 3)
        hub.log.forget(where, end - 1)
        before = everything(hub)
        with pytest.raises(Stop) as stopped:
            hub.step(name)
        told = str(stopped.value)
        assert told.startswith(f"gap: group tieline.{name}: {where[0]}/{where[1]}: the group stands at {stood}, ")
        assert f"the log begins at {end - 1}: up to {end - 1 - stood} records" in told
        assert "tieline positions accept-gap" in told
        assert everything(hub) == before, "nothing moved, nothing was written"


@pytest.mark.parametrize("name", INPUTS)
def test_a_topic_made_anew_stops_the_process(name: str) -> None:
    with estate(1) as hub:
        where = at_rest(hub, name)
        del hub.running[name]
        hub.log.recreate(where[0])
        with pytest.raises(Stop, match="the log ends at 0: the topic was made anew, or has lost its end"):
            hub.step(name)


def test_a_gap_that_opens_while_the_process_runs_stops_it() -> None:
    with estate(1) as hub:
        where = at_rest(hub, "identify")
        hub.log.forget(where, write_more(hub, where, 3))
        with pytest.raises(Stop, match=rf"gap: {REPORTS}/{where[1]}: .*tieline positions accept-gap"):
            hub.step("identify")


@pytest.mark.parametrize("name", INPUTS)
def test_a_topic_that_retention_emptied_after_it_was_read_is_no_gap(name: str) -> None:
    with estate(1) as hub:
        where = at_rest(hub, name)
        log = hub.log.at(where)
        assert log[-1] is None, "behind the last record there is its transaction's marker"
        hub.time.sleep(12 * 3600.0)
        hub.step(name)
        del hub.running[name]
        hub.log.forget(where, len(log))
        hub.step(name)


def test_positions_are_committed_again_before_the_broker_forgets_them() -> None:
    with estate(1) as hub:
        at_rest(hub, "identify")
        commits: list[str] = []
        hub.trouble.aim = commits.append
        for name in sorted(hub.make):
            hub.step(name)
        quiet = [label for label in commits if label.endswith(":offsets")]
        assert quiet == [], "not at every turn"
        hub.time.sleep(12 * 3600.0)
        for name in sorted(hub.make):
            hub.step(name)
        again = {label.removesuffix(":offsets") for label in commits if label.endswith(":offsets")}
        processes = {name for name in hub.make if not name.startswith("source-")}
        sources = {name for name in hub.make if name.startswith("source-")}
        assert again == processes | sources | {f"{name}-capture" for name in sources}
        ends = {key: len(hub.log.at(key[1])) for key in hub.log.committed}
        assert hub.log.committed == ends, "everything was read, and behind it there are no records"


def test_a_group_that_never_committed_begins_with_the_oldest_record_there_is() -> None:
    with estate(1) as hub:
        hub.trouble.on = False
        sent = good_report(hub.codec, AM, "A1")
        for _ in range(5):
            hub.log.append((REPORTS, 0), (sent.key, sent.value, ()))
        hub.log.forget((REPORTS, 0), 3)
        hub.step("identify")
        assert hub.log.committed["tieline.identify", (REPORTS, 0)] == 5


@pytest.mark.parametrize("name", [*INPUTS, "requests"])
def test_a_person_lets_a_process_go_on_after_a_gap(name: str) -> None:
    with estate(1) as hub:
        process = name if name in INPUTS else f"source-{AM}"
        where = at_rest(hub, process)
        group = f"tieline.{process}"
        if name == "requests":
            group, where = f"{group}-requests", ("recon.run.event.v1", 0)
            hub.log.append(where, (b"k", b"v", ()))
            hub.log.committed[group, where] = 0
            hub.log.append(where, (b"k", b"v", ()))
            hub.log.committed[f"tieline.source-{ERP}-requests", where] = 2  # which has read them
            del hub.running[f"source-{ERP}"]
        del hub.running[process]
        end = len(hub.log.at(where))
        if name != "requests":
            end = write_more(hub, where, 2)
        hub.log.forget(where, end)
        with pytest.raises(Stop, match="gap"):
            hub.step(process)
        with look(hub) as log:
            groups = {found.name: found for found in read_groups(log, [process])}
            assert [(p.topic, p.partition) for p in groups[group].gaps] == [where]
            others = {key: at for key, at in hub.log.committed.items() if key != (group, where)}
            assert pass_gaps(log, groups[group]) == 1
            assert hub.log.committed == others | {(group, where): end}, "this one position moved, and no other"
            assert not [gap for found in read_groups(log, [process]) for gap in found.gaps]
        am = hub.systems[AM]
        am.create(thing(90).model_copy(update={"physical_status": PhysicalStatus.IN_SERVICE}))
        hub.time.sleep(2.0)
        hub.rest()
        check_effects(hub)


def test_letting_go_on_without_a_gap_moves_nothing_and_fences_nobody() -> None:
    with estate(1) as hub:
        at_rest(hub, "identify")
        before, epochs = everything(hub), dict(hub.log.epochs)
        with look(hub) as log:
            (group,) = read_groups(log, ["identify"])
            assert pass_gaps(log, group) == 0
        assert (everything(hub), hub.log.epochs) == (before, epochs)


def test_letting_go_on_ends_a_copy_that_still_runs() -> None:
    with estate(1) as hub:
        where = at_rest(hub, "identify")
        zombie = hub.running["identify"]
        end = write_more(hub, where, 1)
        hub.log.forget(where, end)
        with look(hub) as log:
            (group,) = read_groups(log, ["identify"])
            pass_gaps(log, group)
        hub.log.firsts.clear()  # it was about to read
        with pytest.raises(Stop, match="another copy"):
            wake(hub, zombie)


def test_positions_show_what_is_left_and_what_is_missing() -> None:
    with estate(1) as hub:
        where = at_rest(hub, "identify")
        stood = hub.log.committed["tieline.identify", where]
        end = write_more(hub, where, 4)
        hub.log.forget(where, end - 1)
        console = Console(width=200, record=True, file=io.StringIO())
        with look(hub) as log:
            show_groups(console, read_groups(log, ["identify"]))
        told = console.export_text()
        assert (
            f"gap: tieline.identify: {REPORTS}/{where[1]}: the group stands at {stood}, the log begins at {end - 1}"
            in told
        )
        assert f"it would go on at {end - 1}" in told
