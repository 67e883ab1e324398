"""Closes an asset on its disposal date: first the depreciation that is due until then, then Tryton's own closing move.

Tryton's closing move takes only posted depreciation into account and drops the rest of the schedule: what was due and
not posted would turn into a loss. Tryton's interface posts depreciation in one way only, the month-end wizard, which
posts what *every* running asset of the company is due up to the day.
"""

from __future__ import annotations

import datetime as dt

from tieline.connectors.tryton.client import TrytonClient
from tieline.connectors.tryton.models import Asset
from tieline.connectors.tryton.reference import Reference
from tieline.connectors.tryton.settings import DueDepreciation, TrytonSettings
from tieline.kernel.errors import Rejected

FIELD = "fields.disposal_date"
WIZARD = "wizard.account.asset.create_moves"


class AssetCloser:
    """Posts what is due and closes. Every step may be taken twice: the second finds nothing left to do."""

    def __init__(self, client: TrytonClient, settings: TrytonSettings, reference: Reference) -> None:
        self._client = client
        self._settings = settings
        self._reference = reference

    async def close(self, asset: Asset, day: dt.date) -> None:
        """Close a running asset on this day. ``Rejected`` when a period it needs is closed or missing."""
        await self._reference.open_period(day, FIELD)
        due = [line for line in asset.lines if line.date <= day and not (line.move and line.move.state == "posted")]
        if due:
            if self._settings.due_depreciation is DueDepreciation.REQUIRE:
                raise Rejected(
                    f"{len(due)} depreciations up to {day} are not posted yet",
                    field=FIELD,
                    remedy=f"post the depreciation up to {day} in Tryton, and replay",
                )
            for line in due:
                await self._reference.open_period(line.date, FIELD)
            await post_depreciation(self._client, day)
        await self._client.write("model.account.asset.close", [asset.id], None, day)


async def post_depreciation(client: TrytonClient, until: dt.date) -> None:
    """Post what every running asset is due up to this day, in one transaction, as the month-end wizard does."""
    session, _, _ = await client.write(f"{WIZARD}.create")
    try:
        await client.write(f"{WIZARD}.execute", session, {"start": {"date": until}}, "create_moves")
    finally:
        await client.write(f"{WIZARD}.delete", session)
