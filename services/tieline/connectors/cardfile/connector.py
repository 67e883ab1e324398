"""Connects one folder of card statements. Nothing is ever written there."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from tieline.connectors.cardfile.mapping import STREAMS, map_item
from tieline.connectors.cardfile.settings import read_settings
from tieline.connectors.cardfile.source import CardfileSource
from tieline.kernel.command_records import Command
from tieline.kernel.errors import Rejected
from tieline.kernel.protocols import Connector, Written


class NoSink:
    """See ``Sink``: statements take nothing."""

    async def write(self, command: Command, native_id: str | None) -> Written:
        """See ``Sink``: always refused."""
        del command, native_id
        raise Rejected("card statements are only read", remedy="let no flow of the landscape lead there")

    async def read_back(self, command: Command, native_id: str | None) -> Written | None:
        """See ``Sink``: nothing took effect."""
        del command, native_id
        return None


def connect(system: str, settings: Mapping[str, object]) -> Connector:
    """The connector for ``system``; reads nothing yet. Raises ``Stop`` naming the faulty setting."""
    checked = read_settings(system, settings)
    return Connector(
        source=CardfileSource(checked),
        sink=NoSink(),
        map_item=partial(map_item, checked, system),
        snapshot_streams=STREAMS,
        close=_nothing,
    )


async def _nothing() -> None:
    """Nothing to close."""
