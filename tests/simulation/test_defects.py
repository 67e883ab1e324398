"""A defect in a connector that raises, whatever it raises, costs one letter in doubt and no process."""

from __future__ import annotations

from functools import partial
from typing import cast

import pytest
from tests.simulation.estate import ERP, estate

from tieline.kernel.command_records import Command, RemoveRecord
from tieline.kernel.consuming import Runtime
from tieline.kernel.delivering import DeliveryLoop
from tieline.kernel.lanes import Task
from tieline.kernel.metrics import Cause
from tieline.kernel.protocols import Written
from tieline.kernel.records import Inbound
from tieline.kernel.settling import Failed
from tieline.kernel.vocabulary import Dispatch


class Broken:
    """A sink with a defect."""

    def __init__(self, defect: Exception) -> None:
        self._defect = defect

    async def write(self, command: Command, native_id: str | None) -> Written:
        """See ``Sink``."""
        del command, native_id
        raise self._defect

    async def read_back(self, command: Command, native_id: str | None) -> Written | None:
        """See ``Sink``."""
        raise NotImplementedError


@pytest.mark.parametrize("defect", [MemoryError(), RecursionError("too deep"), KeyError("id")], ids=repr)
def test_what_a_connector_raises_in_a_call_costs_one_letter_in_doubt(
    defect: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    with estate(1) as hub:
        monkeypatch.setattr(hub.notes, "fault", hub.notes.info)
        runtime = cast("Runtime", cast("partial[object]", hub.make[f"sink-{ERP}"]).args[-1])
        sink = DeliveryLoop(ERP, Broken(defect), runtime)
        sink._calls.vouch(hub.time.monotonic())
        dispatch = Dispatch(command_id="c", target=ERP, version=1)
        command = RemoveRecord(dispatch=dispatch, entity="asset", record_id="a", native_id="1")
        task = Task(Inbound(f"sink.{ERP}.command.v1", 0, 0, b"a", b""), command)
        sink._calls.begin([task])
        sink._calls.wait(1.0)
        assert isinstance(task.outcome, Failed)
        assert (task.outcome.in_doubt, task.outcome.cause) == (True, Cause.DEFECT)
        assert task.outcome.rejection.reason == f"internal fault: {type(defect).__name__}"
