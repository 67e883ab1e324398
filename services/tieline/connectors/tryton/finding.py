"""Finds the record in Tryton that a command means, by the surest evidence there is."""

from __future__ import annotations

from collections.abc import Sequence

from tieline.connectors.tryton import comment, models
from tieline.connectors.tryton.asset_plan import Found
from tieline.connectors.tryton.client import TrytonClient
from tieline.connectors.tryton.reference import Reference
from tieline.connectors.tryton.wire import Json
from tieline.kernel.asset_records import AssetFields
from tieline.kernel.command_records import WriteAsset
from tieline.kernel.errors import Rejected

MODEL = "account.asset"
MAX_CANDIDATES = 200
_LIKE_SPECIALS = str.maketrans({"%": "_", "_": "_", "\\": "_"})


class AssetFinder:
    """Searches the company's assets. Rows are Tryton's, with ``models.ASSET_FIELDS``."""

    def __init__(self, client: TrytonClient, reference: Reference, system: str) -> None:
        self._client = client
        self._reference = reference
        self._system = system

    async def locate(self, command: WriteAsset, native_id: str | None) -> tuple[dict[str, Json], Found] | None:
        """The asset a command means and how it was found; None when there is none. ``Rejected`` when several fit."""
        if native_id is not None and (row := await self.by_native_id(native_id)) is not None:
            return row, Found.BY_ID
        ours = await self.by_hub_ref(command.asset_id)
        if ours:
            return ours[0], Found.BY_HUB_REF
        adopted = await self._adoptable(command.fields)
        return (adopted, Found.ADOPTED) if adopted is not None else None

    async def by_native_id(self, native_id: str) -> dict[str, Json] | None:
        """The record with this id."""
        return await self.by_id(int(native_id)) if native_id.isascii() and native_id.isdigit() else None

    async def by_id(self, asset: int) -> dict[str, Json] | None:
        """The record with this id."""
        rows = await self._rows([("id", "=", asset)])
        return rows[0] if rows else None

    async def by_hub_ref(self, asset_id: str) -> list[dict[str, Json]]:
        """Records that carry the reference; first the one that counts, should there be several."""
        rows = await self._commented(comment.HUB_REF, asset_id)
        return sorted(rows, key=lambda row: (row["state"] == "draft", row["id"]))

    async def _adoptable(self, fields: AssetFields) -> dict[str, Json] | None:
        """The one record of somebody else's making that is this asset, by the surest evidence there is."""
        searches: list[tuple[str, list[dict[str, Json]]]] = []
        if fields.po_line_ref:
            searches.append(("po_line_ref", await self._by_po_line(fields.po_line_ref)))
        for name, key, value in (("serial_number", "serial", fields.serial_number), ("tag", "tag", fields.tag)):
            if value and not any(rows for _, rows in searches):
                searches.append((name, await self._commented(key, value)))
        for name, rows in searches:
            free = [row for row in rows if comment.HUB_REF not in comment.read_values(row["comment"])]
            if len(free) > 1:
                numbers = ", ".join(str(row["number"] or row["id"]) for row in free[:5])
                raise Rejected(
                    f"fits {len(free)} assets in Tryton ({numbers})",
                    field=f"fields.{name}",
                    remedy="write the line 'tieline: <asset id>' into the comment of the right one",
                )
            if free:
                return free[0]
        return None

    async def _by_po_line(self, ref: str) -> list[dict[str, Json]]:
        system, _, rest = ref.partition("/")
        line, _, ordinal = rest.rpartition("/")
        if system != self._system or not line.isdigit():
            return await self._commented(comment.PO_LINE, ref)
        rows = await self._commented(comment.PO_LINE, rest)
        if ordinal == "1" and not rows:
            domain = [("supplier_invoice_line.origin.id", "=", int(line), "purchase.line")]
            rows = [
                row for row in await self._rows(domain) if comment.PO_LINE not in comment.read_values(row["comment"])
            ]
        return rows

    async def _commented(self, key: str, value: str) -> list[dict[str, Json]]:
        # SQL's wildcards in the value only widen this search: the comments found are read exactly.
        pattern = value.strip().replace("\n", "\\n").translate(_LIKE_SPECIALS)
        rows = await self._rows([("comment", "ilike", f"%{pattern}%")])
        return [row for row in rows if comment.read_values(row["comment"]).get(key) == value.strip()]

    async def _rows(self, domain: Sequence[object]) -> list[dict[str, Json]]:
        own = ("company", "=", await self._reference.company())
        rows = await self._client.search_read(
            MODEL, [own, *domain], models.ASSET_FIELDS, order=[("id", "ASC")], limit=MAX_CANDIDATES
        )
        if len(rows) >= MAX_CANDIDATES:
            raise Rejected(
                "too many assets in Tryton look alike to tell which one is meant",
                remedy="write the line 'tieline: <asset id>' into the comment of the right one",
            )
        return rows
