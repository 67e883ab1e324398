"""Writes commands into Tryton."""

from __future__ import annotations

from tieline.connectors.tryton.assets import AssetWriter
from tieline.connectors.tryton.costs import CostWriter
from tieline.kernel.command_records import Command, PostCost, RemoveRecord, WriteAsset, WriteBook
from tieline.kernel.errors import Rejected
from tieline.kernel.family_records import FamilyCommand
from tieline.kernel.protocols import Written


class TrytonSink:
    """The ``Sink`` of one Tryton."""

    def __init__(self, assets: AssetWriter, costs: CostWriter) -> None:
        self._assets = assets
        self._costs = costs

    async def write(self, command: Command, native_id: str | None) -> Written:
        """See ``Sink``."""
        match command:
            case WriteAsset():
                return await self._assets.write(command, native_id or command.native_id)
            case PostCost():
                return await self._costs.write(command)
            case RemoveRecord(entity="asset"):
                return await self._assets.remove(command.native_id)
            case RemoveRecord(entity="cost-document"):
                return await self._costs.remove(command.native_id)
            case RemoveRecord() | WriteBook() | FamilyCommand():
                raise _not_ours(command)

    async def read_back(self, command: Command, native_id: str | None) -> Written | None:
        """See ``Sink``."""
        match command:
            case WriteAsset():
                return await self._assets.read_back(command, native_id or command.native_id)
            case PostCost():
                return await self._costs.read_back(command)
            case RemoveRecord(entity="asset"):
                gone = not await self._assets.present(command.native_id)
                return Written(native_id=command.native_id) if gone else None
            case RemoveRecord(entity="cost-document"):
                gone = not await self._costs.present(command.native_id)
                return Written(native_id=command.native_id) if gone else None
            case RemoveRecord() | WriteBook() | FamilyCommand():
                raise _not_ours(command)


def _not_ours(command: RemoveRecord | WriteBook | FamilyCommand) -> Rejected:
    if isinstance(command, FamilyCommand):
        return Rejected(
            f"this connector does not map a {command.family.name}",
            field="entity",
            remedy="let the flow lead to a system whose connector maps declared families (settings.records)",
        )
    entity = command.entity if isinstance(command, RemoveRecord) else "book"
    return Rejected(
        f"Tryton owns its {entity} records: the hub does not write them",
        field="entity",
        remedy="remove the flow that sends them here, or change the record in Tryton",
    )
