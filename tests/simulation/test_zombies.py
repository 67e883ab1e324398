"""A process that was paused while another took its place finds out, whichever it is, and writes nothing more."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException
from tests.simulation.estate import AM, ERP, Estate, Loop, estate
from tests.simulation.test_simulation import check, live, thing

from tieline.kernel.asset_records import PhysicalStatus
from tieline.kernel.errors import Stop

NAMES = (f"source-{AM}", "identify", "accept", "route", f"sink-{ERP}")


@pytest.mark.parametrize("while_writing", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_second_copy_fences_the_first_which_stops(name: str, *, while_writing: bool) -> None:
    with estate(1) as hub:
        hub.trouble.on = False
        hub.log.fences_writes = while_writing
        live(hub)
        hub.rest()
        zombie = hub.running.pop(name)
        hub.step(name)  # another copy starts, and takes over its id
        work_for(hub, name)
        before = {where: len(records) for where, records in hub.log.records.items()}
        with pytest.raises(Stop, match="another copy"):
            wake(hub, zombie)
        assert {where: len(records) for where, records in hub.log.records.items()} == before
        hub.rest()
        check(hub)


@pytest.mark.parametrize("name", ["identify", "accept", "route", f"sink-{ERP}"])
def test_a_copy_that_wakes_to_a_time_out_does_not_take_its_id_back(name: str) -> None:
    with estate(1) as hub:
        hub.trouble.on = False
        live(hub)
        hub.rest()
        zombie = hub.running.pop(name)
        hub.step(name)
        work_for(hub, name)
        hub.rest()
        successor = hub.log.epochs[name]

        def time_out(label: str) -> None:
            if label in {f"{name}:offsets", f"{name}:before-commit"}:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "the limit of a call passed while it slept"))

        hub.trouble.aim = time_out
        with pytest.raises(Stop, match="another copy"):
            wake(hub, zombie)
        hub.trouble.aim = None
        assert hub.log.epochs[name] == successor
        hub.rest()
        check(hub)


def test_a_sink_that_slept_between_intent_and_call_does_not_call() -> None:
    with estate(1) as hub:
        am, erp = hub.systems[AM], hub.systems[ERP]
        hub.trouble.fates = []
        sink = f"sink-{ERP}"
        native_id = am.create(thing(0).model_copy(update={"physical_status": PhysicalStatus.IN_SERVICE}))
        hub.rest()
        am.edit(native_id, location="OLD")
        work_for(hub, sink)
        slept: list[str] = []

        def sleep(label: str) -> None:
            if label != f"{sink}:after-commit" or slept:
                return
            slept.append(label)
            zombie = hub.running.pop(sink)
            am.edit(native_id, location="NEW")
            hub.rest()
            hub.running[sink] = zombie

        hub.trouble.aim = sleep
        with pytest.raises(Stop, match="another copy"):
            hub.step(sink)
        assert slept
        held = {record.fields.serial_number: record.fields.location for record in erp.records.values()}
        assert held["S0"] == "NEW"
        del hub.running[sink]
        hub.rest()
        check(hub)


def wake(hub: Estate, zombie: Loop) -> None:
    """Some turns of a process that does not know that it was replaced."""
    for _ in range(3):
        zombie.run_once(0.0)
        hub.time.sleep(2.0)


def work_for(hub: Estate, name: str) -> None:
    """Something new that has come as far as the process, and no further."""
    am = hub.systems[AM]
    am.create(thing(90).model_copy(update={"physical_status": PhysicalStatus.IN_SERVICE}))
    hub.time.sleep(2.0)
    for earlier in NAMES[: NAMES.index(name)]:
        hub.step(earlier)
        hub.step(earlier)
