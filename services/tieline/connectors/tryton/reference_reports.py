"""Tryton's reference records as reports: cost centres, accounts, asset classes, suppliers, employees. Pure.

Codes are Tryton's own: identify gives them the canonical ones, by the landscape's code lists. Only an asset class
comes translated, by ``asset_classes`` of the settings, where the landscape has no such list.
Tryton says no first and last day of a cost centre, a supplier or an asset class, only that it holds or not, now.
Locations are not reported: assets stand in none of Tryton's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tieline.connectors.tryton.building import Context, checked, origin_of
from tieline.connectors.tryton.models import Stamped
from tieline.connectors.tryton.reference_models import (
    CostCentre,
    DepreciableTemplate,
    Employee,
    LedgerAccount,
    ParentAccount,
    Supplier,
)
from tieline.kernel.reference_records import Family, ReferenceFields, ReferenceReport, ReferenceStatus

# A draft is not in force yet: what is moved to it waits until it is opened.
CENTRE_STATUS = {
    "draft": ReferenceStatus.LOCKED,
    "opened": ReferenceStatus.ACTIVE,
    "closed": ReferenceStatus.CLOSED,
}


def centre_report(context: Context, centre: CostCentre) -> ReferenceReport:
    """A cost centre: an analytic account that costs are booked on. Those that only group others are none."""
    return _report(
        context,
        "cost-centre",
        centre,
        {
            "code": centre.code,
            "name": centre.name,
            "company": centre.company.party.code,
            "parent": centre.parent.code if centre.parent and centre.parent.type == "normal" else None,
            "status": CENTRE_STATUS[centre.state] if centre.active else ReferenceStatus.CLOSED,
        },
    )


def account_report(context: Context, account: LedgerAccount) -> ReferenceReport:
    """An account of the general ledger that is posted to, with its days."""
    return _report(
        context,
        "gl-account",
        account,
        {
            "code": account.code,
            "name": account.name,
            "company": account.company.party.code,
            "parent": _postable(account.parent),
            "valid_from": account.start_date,
            "valid_to": account.end_date,
            "status": ReferenceStatus.CLOSED if account.closed else ReferenceStatus.ACTIVE,
        },
    )


def class_reports(context: Context, template: DepreciableTemplate) -> tuple[ReferenceReport, ...]:
    """The asset classes that a template's products stand for, by id; a product that stands for none gives nothing."""
    translated = not context.codes.has("asset-class")
    found = []
    for product in sorted(template.products, key=lambda one: one.id):
        code = context.product_classes.get(product.code or "") if translated else product.code
        if code is None:
            continue
        usable = product.active and template.active
        fields = {
            "code": code,
            "name": template.name,
            "status": ReferenceStatus.ACTIVE if usable else ReferenceStatus.CLOSED,
        }
        found.append(_report(context, "asset-class", product, fields, (template,)))
    return tuple(found)


def supplier_report(context: Context, supplier: Supplier) -> ReferenceReport:
    """A party that was ordered from; parties belong to no company."""
    status = ReferenceStatus.ACTIVE if supplier.active else ReferenceStatus.CLOSED
    return _report(context, "supplier", supplier, {"code": supplier.code, "name": supplier.name, "status": status})


def employee_report(context: Context, employee: Employee) -> ReferenceReport:
    """An employee, by the code of the party, from the first day to the last; a name is not even read (T40)."""
    return _report(
        context,
        "employee",
        employee,
        {
            "code": employee.party.code,
            "company": employee.company.party.code,
            "parent": employee.supervisor.party.code if employee.supervisor else None,
            "valid_from": employee.start_date,
            "valid_to": employee.end_date,
            "status": ReferenceStatus.ACTIVE,
        },
    )


def _postable(parent: ParentAccount | None) -> str | None:
    # Only what is posted to is reported: a heading is no record to point at.
    return parent.code if parent is not None and parent.type is not None else None


def _report(
    context: Context, family: Family, row: Stamped, fields: Mapping[str, object], others: Iterable[Stamped] = ()
) -> ReferenceReport:
    stamps = (row.changed_at, *(other.changed_at for other in others))
    origin = origin_of(context, family, str(row.id), stamps, None)
    return checked(lambda: ReferenceReport(origin=origin, fields=ReferenceFields.model_validate(fields)), "fields")
