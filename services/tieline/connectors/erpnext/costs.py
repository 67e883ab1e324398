"""A cost document as a journal entry: what each receiver bears of each kind, against the clearing account. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from tieline.connectors.erpnext.client import SUBMITTED, name_of
from tieline.connectors.erpnext.settings import Settings
from tieline.connectors.kit.fieldmap import exact
from tieline.connectors.kit.paths import Record
from tieline.kernel.code_lists import Codes
from tieline.kernel.command_records import CostPosting, PostCost
from tieline.kernel.cost_records import ReceiverKind
from tieline.kernel.errors import Rejected
from tieline.kernel.protocols import Written
from tieline.kernel.vocabulary import Money

_DEBIT, _CREDIT = "debit_in_account_currency", "credit_in_account_currency"


def entry_of(settings: Settings, codes: Codes, command: PostCost) -> dict[str, object]:
    """The journal entry, submitted as it is made; raises ``Rejected`` naming the field that cannot be posted."""
    fields = command.fields
    if fields.currency != settings.currency:
        remedy = "convert it at its source: an entry has one currency, the company's"
        raise Rejected(f"entries are in {settings.currency}", field="fields.currency", remedy=remedy)
    day = command.posting_date or fields.effective_date
    rows: list[dict[str, object]] = []
    for posting in command.postings or _own_postings(command):
        if posting.receiver_kind is not ReceiverKind.COST_CENTRE:
            remedy = "let the document name cost centres"
            raise Rejected(
                f"{posting.receiver_kind} bears no costs here", field="postings.receiver_kind", remedy=remedy
            )
        account = settings.cost_accounts.get(posting.kind)
        if account is None:
            remedy = "add it to cost_accounts in the landscape"
            raise Rejected(f"no account is declared for {posting.kind}", field="postings.kind", remedy=remedy)
        centre = codes.native("cost-centre", posting.receiver, day, place="postings.receiver")
        rows.append({"account": account, "cost_center": centre, **_side(posting.amount.amount)})
    total = sum((posting.amount.amount for posting in command.postings or _own_postings(command)), Decimal(0))
    if total != fields.total:
        raise Rejected(f"what is borne is {total}", field="fields.total", remedy="correct the shares")  # Invariant 11
    rows.append({"account": settings.clearing_account, **_side(-total)})
    return {
        "voucher_type": "Journal Entry",
        "company": settings.companies.get(fields.company, fields.company),
        "posting_date": day.isoformat(),
        "user_remark": f"Work order {fields.work_order}, {fields.effective_date.isoformat()}",
        "accounts": rows,
        "docstatus": SUBMITTED,
        settings.reference_field: command.cost_doc_id,
    }


def _own_postings(command: PostCost) -> Sequence[CostPosting]:
    fields = command.fields
    return [
        CostPosting(
            line_no=line.line_no,
            kind=line.kind,
            receiver_kind=ReceiverKind.COST_CENTRE,
            receiver=fields.cost_centre,
            amount=Money(amount=line.amount, currency=fields.currency),
        )
        for line in fields.lines
    ]


def _side(amount: Decimal) -> dict[str, object]:
    """Debits are positive; an entry takes no negative amounts."""
    return {_DEBIT: amount} if amount >= 0 else {_CREDIT: -amount}


def cost_changes(entry: Mapping[str, object], record: Record) -> Mapping[str, object]:
    """Nothing for the entry that was posted; raises ``Rejected`` for another one with the same reference."""
    rows = entry["accounts"]
    wanted = sum((exact(row.get(_DEBIT, 0), _DEBIT) for row in rows), Decimal(0)) if isinstance(rows, list) else None
    held = exact(record.get("total_debit") or 0, "total_debit")
    if record.get("docstatus") != SUBMITTED or held != wanted:
        raise Rejected(
            f"entry {name_of(record)} with this reference says otherwise: {held}",
            field="fields.total",
            remedy="correct or cancel the entry there",
        )
    return {}


def cost_written(record: Record, *, effect: bool) -> Written:
    """What they hold of it."""
    name = name_of(record)
    return Written(native_id=name, number=name, source_version=str(record.get("modified")), effect=effect)
