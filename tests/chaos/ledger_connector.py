"""The connector of ``ledger``: posts cost documents, by the strategy search-then-write. Reads nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

import httpx

from tieline.kernel.command_records import Command, PostCost
from tieline.kernel.errors import OutcomeUnknown, Rejected, Unavailable
from tieline.kernel.protocols import Connector, Page, RawItem, Written
from tieline.kernel.reports import Report


class LedgerSink:
    """See ``Sink``."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def write(self, command: Command, native_id: str | None) -> Written:
        """See ``Sink``."""
        found = await self.read_back(command, native_id)
        if found is not None:
            return found
        post = _post(command)
        body = {"ref": post.cost_doc_id, "document": post.fields.work_order, "total": str(post.fields.total)}
        try:
            answer = await self._client.post("/postings", json=body)
        except httpx.ConnectError as error:
            raise Unavailable(f"the ledger does not answer: {error}") from error
        except httpx.HTTPError as error:
            raise OutcomeUnknown(f"the answer to a posting was lost: {error}") from error
        return Written(native_id=str(answer.json()["number"]))

    async def read_back(self, command: Command, native_id: str | None) -> Written | None:
        """See ``Sink``."""
        del native_id
        try:
            answer = await self._client.get("/postings", params={"ref": _post(command).cost_doc_id})
        except httpx.HTTPError as error:
            raise Unavailable(f"the ledger does not answer: {error}") from error
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
    del system
    client = httpx.AsyncClient(base_url=str(settings["endpoint"]), timeout=10, trust_env=False)
    return Connector(NoSource(), LedgerSink(client), _no_reports, (), close=client.aclose)


def _no_reports(item: RawItem) -> Sequence[Report]:
    raise Rejected(f"the ledger reports nothing, and so no {item.stream}")


def _post(command: Command) -> PostCost:
    if not isinstance(command, PostCost):
        raise Rejected("the ledger takes cost postings only")
    return command
