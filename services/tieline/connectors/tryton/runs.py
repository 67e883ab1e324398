"""What the general ledger holds of depreciation in a period: the witness a depreciation run is checked against.

The hub's own lines come from the schedules of the assets (``account.asset.line``). Count and sum here are those of the
account moves and their debits, read from the ledger by period: an asset that is lost on the way is missed by no count.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from tieline.connectors.tryton import wire
from tieline.connectors.tryton.client import TrytonClient
from tieline.kernel.errors import Unavailable

# Closings and revaluations have the asset itself as their origin: they are no line of a schedule.
DEPRECIATION_MOVES: tuple[object, ...] = (("origin", "like", "account.asset.line,%"),)


class RunReader:
    """Adds to a period what the ledger has in it. ``page_size`` ledger lines are read with one call."""

    def __init__(self, client: TrytonClient, page_size: int) -> None:
        self._client = client
        self._page_size = page_size

    async def with_figures(self, period: Mapping[str, wire.Json]) -> dict[str, wire.Json] | None:
        """The period's row with count, sum and time of its depreciation; None for a period without any.

        The sum is of debits, exact. A posting that comes while this is read changes its moves, and so the period is
        read again.
        """
        of_period = [("period", "=", period["id"]), *DEPRECIATION_MOVES]
        newest = await self._client.search_read(
            "account.move", of_period, ["create_date", "write_date"], order=[("write_date", "DESC NULLS LAST")], limit=1
        )
        if not newest:
            return None
        posted = await self._count([*of_period, ("state", "=", "posted")])
        drafts = await self._count([*of_period, ("state", "!=", "posted")])
        debit = await self._debit(period["id"])
        figures = {
            "posted_count": posted,
            "posted_debit": wire.encode(debit),
            "draft_count": drafts,
            "changed_at": newest[0]["write_date"] or newest[0]["create_date"],
        }
        return {**period, **figures}

    async def _count(self, domain: list[object]) -> int:
        found = await self._client.read("model.account.move.search_count", domain)
        if not isinstance(found, int):
            raise Unavailable("account.move: Tryton's answer to a count is no number")
        return found

    async def _debit(self, period: int) -> Decimal:
        total, last = Decimal(0), 0
        while True:
            page = await self._client.search_read(
                "account.move.line",
                [
                    *(("move.period", "=", period), ("move.state", "=", "posted"), ("id", ">", last)),
                    ("move.origin", "like", "account.asset.line,%"),
                    ("debit", "!=", Decimal(0)),
                ],
                ["debit"],
                order=[("id", "ASC")],
                limit=self._page_size,
            )
            if not page:
                return total
            for row in page:
                if row["id"] <= last:
                    raise Unavailable("account.move.line: Tryton's page is not in the order asked for")
                last = row["id"]
                total += wire.decimal(row["debit"])
