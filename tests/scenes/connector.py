"""The connector of the scenes' target: writes assets there by external id, as they come. Reads nothing."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping, Sequence

import aiohttp

from tieline.kernel.command_records import Command, WriteAsset
from tieline.kernel.errors import OutcomeUnknown, Rejected, Unavailable
from tieline.kernel.protocols import Connector, Page, RawItem, Written
from tieline.kernel.reports import Report

REFUSED = 422
TIMEOUT = aiohttp.ClientTimeout(total=20)


class TargetSink:
    """See ``Sink``."""

    def __init__(self, system: str, endpoint: str) -> None:
        self._base = f"{endpoint}/{system}"
        self._session: aiohttp.ClientSession | None = None

    async def write(self, command: Command, native_id: str | None) -> Written:
        """See ``Sink``. No look before the write: what must not be written twice, the hub has to know."""
        del native_id
        asset = _asset(command)
        body = {"version": asset.dispatch.version, "text": text_of(asset), "pid": os.getpid()}
        try:
            async with self._client().put(f"{self._base}/{asset.asset_id}", json=body) as answer:
                status = answer.status
        except aiohttp.ClientConnectorError as error:
            raise Unavailable(f"the target does not answer: {error}") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise OutcomeUnknown(f"the answer to a write was lost: {error}") from error
        if status == REFUSED:
            raise Rejected("unknown class", field="asset_class", remedy="make the class known")
        return Written(asset.asset_id)

    async def read_back(self, command: Command, native_id: str | None) -> Written | None:
        """See ``Sink``."""
        del native_id
        asset = _asset(command)
        try:
            async with self._client().get(f"{self._base}/{asset.asset_id}") as answer:
                held = (await answer.json())["version"]
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable(f"the target does not answer: {error}") from error
        return Written(asset.asset_id, effect=False) if held == asset.dispatch.version else None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:  # it wants a running loop
            self._session = aiohttp.ClientSession(timeout=TIMEOUT)
        return self._session


class NoSource:
    """See ``Source``: there is nothing to read."""

    async def read_changes(self, position: Mapping[str, str], limit: int) -> Page:
        """See ``Source``."""
        del limit
        return Page([], position)

    async def read_one(self, stream: str, native_id: str) -> RawItem | None:
        """See ``Source``."""
        del stream, native_id
        return None

    async def read_all(self, stream: str) -> AsyncIterator[RawItem]:
        """See ``Source``."""
        del stream
        nothing: Sequence[RawItem] = ()
        for item in nothing:
            yield item


def connect(system: str, settings: Mapping[str, object]) -> Connector:
    """See ``protocols``."""
    sink = TargetSink(system, str(settings["endpoint"]))
    return Connector(NoSource(), sink, _no_reports, (), close=sink.close)


def text_of(asset: WriteAsset) -> str:
    """What tells one version of a source from another at the target: the cost."""
    cost = asset.fields.acquisition_cost
    return "" if cost is None else str(cost.amount)


def _no_reports(item: RawItem) -> Sequence[Report]:
    raise Rejected(f"the target reports nothing, and so no {item.stream}")


def _asset(command: Command) -> WriteAsset:
    if not isinstance(command, WriteAsset):
        raise Rejected("the target takes assets only")
    return command
