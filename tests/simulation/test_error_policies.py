"""What waits behind a failed command, by the policy of its flow, in the loop itself and over a restart."""

from __future__ import annotations

from functools import partial

import pytest
from tests.simulation.estate import AM, ERP, Estate, estate
from tests.simulation.test_simulation import thing

from tieline.kernel.asset_records import PhysicalStatus
from tieline.kernel.command_records import WriteAsset
from tieline.kernel.error_policies import OnError
from tieline.kernel.errors import Rejected
from tieline.kernel.protocols import Written

SINK = f"sink-{ERP}"
REFUSED = "L-unknown"


def refuse_a_location(hub: Estate) -> None:
    """The ERP knows no such location."""
    erp = hub.systems[ERP]
    write = erp.write_asset

    def refuse(command: WriteAsset, native_id: str | None) -> Written:
        if command.fields.location == REFUSED:
            raise Rejected("no such location", field="location")
        return write(command, native_id)

    erp.write_asset = refuse  # type: ignore[method-assign]  # the ERP's own rule


@pytest.mark.parametrize(
    ("policy", "arrives", "parked"), [(OnError.HOLD, False, 1.0), (OnError.SKIP_IF_NEWER, True, 0.0)]
)
def test_a_failed_version_is_held_or_replaced_by_the_next(policy: OnError, arrives: bool, parked: float) -> None:  # noqa: FBT001  - a table of facts
    with estate(1) as hub:
        hub.trouble.on = False
        refuse_a_location(hub)
        make = hub.make[SINK]
        assert isinstance(make, partial)
        make.keywords["policies"] = {"asset": policy}
        am = hub.systems[AM]
        native_id = am.create(thing(0).model_copy(update={"physical_status": PhysicalStatus.IN_SERVICE}))
        hub.rest()
        am.edit(native_id, location=REFUSED)
        hub.rest()
        labels = {"target": ERP, "object": "asset"}
        assert hub.metrics.value("tieline_parked_keys", **labels) == 1.0
        del hub.running[SINK]
        am.edit(native_id, location="L2")
        hub.rest()
        held = [record.fields.location for record in hub.systems[ERP].records.values()]
        assert (held == ["L2"]) is arrives
        assert hub.metrics.value("tieline_parked_keys", **labels) == parked
