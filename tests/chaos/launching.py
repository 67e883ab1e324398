"""``python -m tests.chaos.launching run accept --landscape …``: the product's own command, with points to die at.

Wrapped from outside: what the kernel's thin edge to Kafka opens, the connector's sink, and nothing else. So what is
killed is the product as it is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

from confluent_kafka import Consumer, Message, Producer, TopicPartition
from tests.chaos.hub import ERP, LEDGER_MODULE, declared_small
from tests.chaos.points import FILE, Points, read_arm, strike_this_process

from tieline import cli, wiring
from tieline.kernel import broker
from tieline.kernel.command_records import Command
from tieline.kernel.protocols import Connector, Sink, Written
from tieline.wiring import Hub


def pointed_consumer(points: Points) -> Callable[..., Consumer]:
    """Makes consumers that pass ``polled`` with each first record of a batch."""

    class PointedConsumer(Consumer):
        def poll(self, timeout: float = -1.0) -> Message | None:
            message = super().poll(timeout)
            if message is not None and message.error() is None:
                points.reach("polled")
            return message

    return PointedConsumer


def pointed_producer(points: Points) -> Callable[..., Producer]:
    """Makes producers that pass a point at each step of a transaction."""

    class PointedProducer(Producer):
        moves_position = False

        def init_transactions(self, *given: Any) -> None:
            super().init_transactions(*given)
            points.reach("initialised")

        def begin_transaction(self) -> None:
            self.moves_position = False
            super().begin_transaction()
            points.reach("begun")

        def produce(self, *given: Any, **named: Any) -> None:
            super().produce(*given, **named)
            points.reach("produced")

        def send_offsets_to_transaction(self, offsets: list[TopicPartition], *given: Any) -> None:
            self.moves_position = True
            points.reach("position:before")
            super().send_offsets_to_transaction(offsets, *given)
            points.reach("position:after")

        def commit_transaction(self, *given: Any) -> None:
            with points.around("commit" if self.moves_position else "record"):
                super().commit_transaction(*given)

    return PointedProducer


class PointedSink:
    """A sink that passes points around each call."""

    def __init__(self, sink: Sink, points: Points) -> None:
        self._sink = sink
        self._points = points

    async def write(self, command: Command, native_id: str | None) -> Written:
        """See ``Sink``."""
        with self._points.around("call"):
            return await self._sink.write(command, native_id)

    async def read_back(self, command: Command, native_id: str | None) -> Written | None:
        """See ``Sink``."""
        with self._points.around("read-back"):
            return await self._sink.read_back(command, native_id)


def main() -> None:
    """Run the command that the arguments name."""
    file = Path(os.environ[FILE])
    points = Points(read_arm(os.environ), strike_this_process(file), file.exists)
    connect = Hub.connect

    def connect_pointed(hub: Hub, system: str, *caller: Any, **named: Any) -> Connector:
        connector = connect(hub, system, *caller, **named)
        return replace(connector, sink=PointedSink(connector.sink, points))

    with (
        mock.patch.dict(sys.modules, _connectors()),
        mock.patch.object(broker, "Consumer", pointed_consumer(points)),
        mock.patch.object(broker, "Producer", pointed_producer(points)),
        mock.patch.object(wiring, "topics_for", declared_small),
        mock.patch.object(Hub, "connect", connect_pointed),
    ):
        cli.main()


def _connectors() -> dict[str, ModuleType]:
    """The connector of our own, where it is asked for, under the name by which the product looks for one."""
    return {LEDGER_MODULE: import_module("tests.chaos.ledger_connector")} if ERP in sys.argv else {}


if __name__ == "__main__":
    main()
