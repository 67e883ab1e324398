"""Which rows of Tryton make a stream's records, and which rows tell that one of them changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tieline.connectors.tryton import models, movement_models, reference_models
from tieline.connectors.tryton.mapping import (
    ACCOUNTS,
    ASSET_CLASSES,
    ASSETS,
    COST_CENTRES,
    COSTS,
    EMPLOYEES,
    INVOICES,
    MOVEMENTS,
    PERIODS,
    PURCHASE_ORDERS,
    RECEIPTS,
    REVERSALS,
    REVISIONS,
    RUNS,
    SUPPLIERS,
)
from tieline.connectors.tryton.runs import DEPRECIATION_MOVES

Domain = tuple[object, ...]  # of tuples: probes are told apart by it
ALSO_INACTIVE: Mapping[str, object] = {"active_test": False}
# Tryton leaves inactive records out unless the context says otherwise; of these, the end is what is to be told.
WITH_INACTIVE = frozenset({"analytic_account.account", "account.account", "party.party", "product.template",
                           "product.product", "company.employee"})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Watch:
    """Rows whose creation or change means that a record of a stream changed.

    A row's ``write_date`` stays empty until it is first written, so creation and change are watched apart.
    ``at_once`` rows are looked at together, where many belong to one record that is costly to read.
    """

    model: str
    column: str
    parent: str
    domain: Domain = ()
    at_once: int = 0

    @property
    def name(self) -> str:
        """Key of its mark in the cursor."""
        return f"{self.model}.{self.column}"


@dataclass(frozen=True, slots=True)
class Records:
    """The rows that are a stream's records. ``company`` is the path to the company; None: they are every company's."""

    model: str
    fields: Sequence[str]
    domain: Domain = ()
    company: str | None = "company"


def context_of(model: str) -> Mapping[str, object] | None:
    """The context in which rows of a model are read: with the inactive ones where their end is to be told."""
    return ALSO_INACTIVE if model in WITH_INACTIVE else None


def _both(model: str, parent: str, domain: Domain = (), at_once: int = 0) -> tuple[Watch, Watch]:
    return (
        Watch(model, "create_date", parent, domain, at_once),
        Watch(model, "write_date", parent, domain, at_once),
    )


# What was done for an order line, and what was posted: both stay so, but for a cancellation.
RECEIVED: Domain = (
    ("origin", "like", "purchase.line,%"),
    ("state", "in", ("done", "cancelled")),
    ("effective_date", "!=", None),
)
# An invoice that was cancelled as a draft never had a move.
CHARGED: Domain = (
    ("type", "=", "in"),
    ("state", "in", ("posted", "paid", "cancelled")),
    ("move", "!=", None),
    (
        "OR",
        ("lines.origin", "like", "purchase.line,%"),
        ("lines.origin", "like", "account.invoice.line,%"),
    ),
)
RUN_MOVES_AT_ONCE = 10_000
# What an update or the closing of an asset posted has the asset itself as its origin.
OF_ASSETS: Domain = (("origin", "like", "account.asset,%"), ("state", "=", "posted"))
OF_ASSET_MOVES: Domain = (
    ("origin", "like", "account.move,%"),
    ("origin.origin", "like", "account.asset,%", "account.move"),
    ("state", "=", "posted"),
)
CENTRES: Domain = (("type", "=", "normal"), ("code", "!=", None))
POSTABLE: Domain = (("type", "!=", None), ("code", "!=", None))
DEPRECIABLE: Domain = (("type", "=", "assets"), ("depreciable", "=", True))
_OF_DEPRECIABLE: Domain = (("template.type", "=", "assets"), ("template.depreciable", "=", True))
CALLED: Domain = (("party.code", "!=", None),)

# A schedule, its postings and an order's lines change without their asset or order being written: each is watched.
WATCHES: Mapping[str, tuple[Watch, ...]] = {
    PERIODS: _both("account.period", "id"),
    ASSETS: (
        *_both("account.asset", "id"),
        *_both("account.asset.line", "asset"),
        Watch("account.move", "write_date", "origin.asset", DEPRECIATION_MOVES),
    ),
    PURCHASE_ORDERS: (*_both("purchase.purchase", "id"), *_both("purchase.line", "purchase")),
    RECEIPTS: _both("stock.move", "id", RECEIVED),
    INVOICES: _both("account.invoice", "id", CHARGED),
    RUNS: _both("account.move", "period", DEPRECIATION_MOVES, RUN_MOVES_AT_ONCE),
    REVERSALS: _both("account.move", "id", OF_ASSET_MOVES),
    COST_CENTRES: _both("analytic_account.account", "id", CENTRES),
    ACCOUNTS: _both("account.account", "id", POSTABLE),
    ASSET_CLASSES: (
        *_both("product.template", "id", DEPRECIABLE),
        *_both("product.product", "template", _OF_DEPRECIABLE),
    ),
    # Nothing in Tryton says that a party is a supplier, but for the orders it has.
    SUPPLIERS: (
        Watch("purchase.purchase", "create_date", "party"),
        Watch("party.party", "write_date", "id"),
    ),
    EMPLOYEES: _both("company.employee", "id", CALLED),
}
# Looked at every ``reference_interval_secs`` only.
RARE: tuple[str, ...] = (REVERSALS, COST_CENTRES, ACCOUNTS, ASSET_CLASSES, SUPPLIERS, EMPLOYEES)
# Each is read with the changed records of a stream, by a path to them: what makes one of them writes the other, too.
FOLLOWERS: Mapping[str, tuple[tuple[str, str], ...]] = {ASSETS: ((MOVEMENTS, "origin"), (REVISIONS, "asset"))}

RECORDS: Mapping[str, Records] = {
    ASSETS: Records("account.asset", models.ASSET_FIELDS),
    PURCHASE_ORDERS: Records("purchase.purchase", models.PURCHASE_FIELDS),
    COSTS: Records("account.move", models.MOVE_FIELDS),
    PERIODS: Records("account.period", models.PERIOD_FIELDS),
    RECEIPTS: Records("stock.move", models.RECEIPT_FIELDS, RECEIVED),
    INVOICES: Records("account.invoice", models.INVOICE_FIELDS, CHARGED),
    RUNS: Records("account.period", models.RUN_FIELDS),
    MOVEMENTS: Records("account.move", movement_models.MOVEMENT_FIELDS, OF_ASSETS),
    REVISIONS: Records("account.asset.revision", movement_models.REVISION_FIELDS, (), "asset.company"),
    REVERSALS: Records("account.move", movement_models.REVERSAL_FIELDS, OF_ASSET_MOVES),
    COST_CENTRES: Records("analytic_account.account", reference_models.CENTRE_FIELDS, CENTRES),
    ACCOUNTS: Records("account.account", reference_models.ACCOUNT_FIELDS, POSTABLE),
    ASSET_CLASSES: Records("product.template", reference_models.TEMPLATE_FIELDS, DEPRECIABLE, None),
    SUPPLIERS: Records("party.party", reference_models.PARTY_FIELDS, (), None),
    EMPLOYEES: Records("company.employee", reference_models.EMPLOYEE_FIELDS, CALLED),
}
