"""The connector of ``ledger``: posts cost documents, and looks for them only when it is asked to. Reads nothing.

So that each document is booked once is the hub's doing alone: nothing here looks before it posts, and the ledger takes
whatever it is sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

import httpx

from tieline.connectors.kit.governor import Governor
from tieline.connectors.kit.outcomes import transport_error
from tieline.connectors.kit.transport import OnceTransport
from tieline.kernel.command_records import Command, PostCost
from tieline.kernel.errors import Rejected
from tieline.kernel.protocols import Connector, Page, RawItem, Written
from tieline.kernel.quotas import UNLIMITED
from tieline.kernel.reports import Report

CONNECTIONS = 16


class LedgerSink:
    """See ``Sink``."""

    def __init__(self, client: httpx.AsyncClient, governor: Governor) -> None:
        self._client = client
        self._governor = governor

    async def write(self, command: Command, native_id: str | None) -> Written:
        """See ``Sink``."""
        del native_id
        post = _post(command)
        body = {"ref": post.cost_doc_id, "document": post.fields.work_order, "total": str(post.fields.total)}
        try:
            async with self._governor.slot():
                answer = await self._client.post("/postings", json=body)
        except httpx.HTTPError as error:
            raise transport_error(error, writes=True) from error
        return Written(native_id=str(answer.json()["number"]))

    async def read_back(self, command: Command, native_id: str | None) -> Written | None:
        """See ``Sink``."""
        del native_id
        try:
            async with self._governor.slot():
                answer = await self._client.get("/postings", params={"ref": _post(command).cost_doc_id})
        except httpx.HTTPError as error:
            raise transport_error(error, writes=False) from error
        numbers = answer.json()["numbers"]
        return Written(native_id=str(numbers[0]), effect=False) if numbers else None


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
    client = httpx.AsyncClient(
        transport=OnceTransport(), base_url=str(settings["endpoint"]), timeout=10, trust_env=False
    )
    governor = Governor(system, UNLIMITED, most_concurrent=CONNECTIONS)
    return Connector(NoSource(), LedgerSink(client, governor), _no_reports, (), close=client.aclose, account=governor)


def _no_reports(item: RawItem) -> Sequence[Report]:
    raise Rejected(f"the ledger reports nothing, and so no {item.stream}")


def _post(command: Command) -> PostCost:
    if not isinstance(command, PostCost):
        raise Rejected("the ledger takes cost postings only")
    return command
