"""accept, physical audits: what was seen, not found or found without a record; documents that never change.

An audit says what somebody saw. It changes no field of the asset: that is for the asset's own record to say.
"""

from __future__ import annotations

from tieline.kernel.audit_records import EVENT_NAMES, AuditEvent, AuditReport, AuditResult, AuditState
from tieline.kernel.errors import Rejected
from tieline.kernel.ownership import ASSET_MANAGEMENT
from tieline.kernel.records import Outbound, Typed
from tieline.kernel.tables import Table
from tieline.processors.accepting import accepted_as

AUDIT_EVENTS = "asset.audit.event.v1"


class Audits:
    """The accepted audit documents."""

    def __init__(self) -> None:
        self.table: Table[AuditState] = Table(
            "asset.audit.state.v1", AuditState, partition_by=lambda key: key.split("|", 1)[0]
        )

    def take(self, thing_id: str, report: AuditReport, role: str) -> list[Outbound]:
        """The document's event, once. ``thing_id`` is the asset's canonical id, or the document's own key.

        Raises ``Rejected`` for a document that was changed, and for any word of a system that audits nothing.
        """
        origin, fields = report.origin, report.fields
        if role != ASSET_MANAGEMENT:
            raise Rejected("physical audits are asset management's to say", field="origin.system")
        key = f"{thing_id}|{origin.system}/{origin.native_id}"
        known = self.table.get(key)
        if known is not None:
            if known.fields != fields:
                raise Rejected(
                    "an audit's result was changed",
                    field="fields",
                    remedy="report what was seen later as a document of its own",
                )
            return []
        asset_id = None if fields.result is AuditResult.UNREGISTERED else thing_id
        row = AuditState(
            asset_id=asset_id,
            version=1,
            origin_system=origin.system,
            origin_native_id=origin.native_id,
            fields=fields,
            recorded_at=origin.recorded_at,
        )
        self.table.put(key, row)
        accepted = accepted_as(1, origin, fields.audited_on, tuple(type(fields).model_fields))
        event = AuditEvent(asset_id=asset_id, accepted=accepted, fields=fields)
        return [Outbound(AUDIT_EVENTS, thing_id, Typed(EVENT_NAMES[fields.result], event))]
