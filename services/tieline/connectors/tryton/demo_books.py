"""What asset accountants do in Tryton besides booking, done through its API: for the demo and the tests."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal

from tieline.connectors.tryton.client import TrytonClient
from tieline.connectors.tryton.wire import Json

UPDATE_WIZARD = "wizard.account.asset.update"
CANCEL_WIZARD = "wizard.account.move.cancel"


async def update_asset(
    client: TrytonClient,
    asset: int,
    *,
    day: dt.date,
    value: Decimal | None = None,
    residual_value: Decimal | None = None,
    end: dt.date | None = None,
    counterpart: str | None = None,
    description: str | None = None,
) -> None:
    """Revise a running asset; a new value is posted on this day against the account of this code, else Tryton's choice.

    ``day`` must lie between the last posting of the asset and its next one.
    """
    context: dict[str, Json] = {"active_model": "account.asset", "active_id": asset, "active_ids": [asset]}
    session, _, _ = await client.write(f"{UPDATE_WIZARD}.create", **context)
    try:
        first = await client.write(f"{UPDATE_WIZARD}.execute", session, {}, "start", **context)
        start = _plain(first["view"]["defaults"]) | {"asset": asset, "origin": None, "description": description}
        changes = {"value": value, "residual_value": residual_value, "end_date": end}
        start |= {name: change for name, change in changes.items() if change is not None}
        data: dict[str, Json] = {"start": start}
        second = await client.write(f"{UPDATE_WIZARD}.execute", session, data, "update_asset", **context)
        if "view" in second:
            shown = _plain(second["view"]["defaults"]) | {"date": day}
            if counterpart is not None:
                [account] = await client.search("account.account", [("code", "=", counterpart)])
                shown["counterpart_account"] = account
            data |= {"show_move": shown}
            await client.write(f"{UPDATE_WIZARD}.execute", session, data, "create_move", **context)
    finally:
        await client.write(f"{UPDATE_WIZARD}.delete", session)


async def close_asset(client: TrytonClient, asset: int, *, day: dt.date) -> int:
    """Close a running asset on this day, whatever is due: the move that Tryton posts."""
    await client.write("model.account.asset.close", [asset], None, day)
    [row] = await client.search_read("account.asset", [("id", "=", asset)], ["move"])
    return int(row["move"])


async def cancel_move(client: TrytonClient, move: int, *, description: str | None = None) -> int:
    """Cancel a posted move: the move that Tryton posts against it."""
    context: dict[str, Json] = {"active_model": "account.move", "active_id": move, "active_ids": [move]}
    session, _, _ = await client.write(f"{CANCEL_WIZARD}.create", **context)
    try:
        answers = {"default": {"description": description, "reversal": True}}
        await client.write(f"{CANCEL_WIZARD}.execute", session, answers, "cancel", **context)
    finally:
        await client.write(f"{CANCEL_WIZARD}.delete", session)
    [made] = await client.search("account.move", [("origin", "=", f"account.move,{move}")])
    return made


def _plain(defaults: Mapping[str, Json]) -> dict[str, Json]:
    """What a form starts with, less the names of records that Tryton adds for display."""
    return {name: value for name, value in defaults.items() if not name.endswith(".")}
