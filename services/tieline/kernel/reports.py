"""Every report there is."""

from __future__ import annotations

from typing import TypeAlias

from tieline.kernel.asset_records import AssetReport
from tieline.kernel.audit_records import AuditReport
from tieline.kernel.book_records import BookReport, DepreciationRunReport
from tieline.kernel.cost_records import CostReport
from tieline.kernel.equipment_records import EquipmentLinkReport
from tieline.kernel.family_records import FamilyReport
from tieline.kernel.movement_records import MovementReport
from tieline.kernel.order_records import InvoiceReport, OrderReport, ReceiptReport
from tieline.kernel.period_records import FiscalPeriodReport
from tieline.kernel.reference_records import ReferenceReport

Report: TypeAlias = (
    AssetReport
    | BookReport
    | OrderReport
    | ReceiptReport
    | InvoiceReport
    | CostReport
    | FiscalPeriodReport
    | DepreciationRunReport
    | MovementReport
    | AuditReport
    | EquipmentLinkReport
    | ReferenceReport
    | FamilyReport
)
"""Every report there is."""
