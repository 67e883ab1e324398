"""Card statements before the conformance suite: a folder, and somebody who puts statements into it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tieline.connectors.kit.sandboxing.cases import AMOUNT, CURRENCY, Case, Opening, World

HEADER = "Date,Reference,Value,Merchant,Transaction description,Transaction description 2\n"


@dataclass(frozen=True, slots=True)
class CardWorld:
    folder: Path
    settings: Mapping[str, object]
    statements: dict[str, Path] = field(default_factory=dict)

    async def create(self, number: int) -> str:
        """A statement of one line; statements are read in the order of their names."""
        native_id = f"R-{number}/1"
        self.statements[native_id] = self.folder / f"{number:06d}.csv"
        await self.edit(native_id, number)
        return native_id

    async def edit(self, native_id: str, number: int) -> None:
        line = f'05/01/2017,{native_id.removesuffix("/1")},"{AMOUNT:,f}",amazon,Books {number},\n'
        self.statements[native_id].write_text(HEADER + line, encoding="utf-8")

    async def delete(self, native_id: str) -> None:
        self.statements[native_id].unlink()

    def journal(self) -> Sequence[Mapping[str, object]]:
        return ()


@asynccontextmanager
async def open_folder(opening: Opening) -> AsyncIterator[World]:
    """An empty folder of statements."""
    folder = opening.folder / "statements"
    folder.mkdir()
    settings = {
        "folder": str(folder),
        "company": "OXFORD",
        "currency": CURRENCY,
        "cost_centre": "CARDS",
        "decimal_mark": ".",
        "group_mark": ",",
    }
    yield CardWorld(folder, settings)


CASE = Case(open=open_folder, stream="card-lines", golden="bad-layout-unknown")
