"""Posts maintenance costs: one account move a cost document, found again by the reference in its description."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal

from tieline.connectors.kit.kept import lost_text
from tieline.connectors.tryton import costs_text, mapping, models
from tieline.connectors.tryton.client import TrytonClient
from tieline.connectors.tryton.costs_text import DocumentText, LineText
from tieline.connectors.tryton.models import Move
from tieline.connectors.tryton.reference import Reference
from tieline.connectors.tryton.settings import TrytonSettings
from tieline.connectors.tryton.wire import Json
from tieline.kernel.command_records import CostPosting, PostCost
from tieline.kernel.cost_postings import postings_of
from tieline.kernel.cost_records import ReceiverKind
from tieline.kernel.errors import Rejected, Retryable
from tieline.kernel.protocols import Written

MODEL = "account.move"
ZERO = Decimal(0)


class CostWriter:
    """Posts cost documents. A posted move is never touched again."""

    def __init__(
        self, client: TrytonClient, settings: TrytonSettings, context: mapping.Context, reference: Reference
    ) -> None:
        self._client = client
        self._settings = settings
        self._context = context
        self._reference = reference

    async def write(self, command: PostCost) -> Written:
        """See ``Sink.write``. Amounts are signed: a credit, and so a reversal, swaps the sides of its lines."""
        row = await self._find(command.cost_doc_id)
        if row is not None and row["state"] == "posted":
            return self._written(row, effect=False)
        if row is None:
            row = await self._create(command)
        if row["state"] != "posted":
            self._check_kept(command, row)
            await self._post(row["id"])
            row = await self._find(command.cost_doc_id)
        if row is None:
            raise Retryable("the move just posted is not found; Tryton changes at this moment")
        return self._written(row, effect=True)

    async def read_back(self, command: PostCost) -> Written | None:
        """See ``Sink.read_back``: a draft is not yet the effect."""
        row = await self._find(command.cost_doc_id)
        return self._written(row, effect=True) if row is not None and row["state"] == "posted" else None

    async def remove(self, native_id: str) -> Written:
        """Delete a draft move of the maintenance journal. ``Rejected`` for a posted one."""
        rows = await self._rows_of(native_id)
        if not rows:
            return Written(native_id=native_id, effect=False)
        if rows[0]["state"] != "draft":
            raise Rejected(
                f"move {rows[0]['number']} is posted: only a draft can be removed",
                field="native_id",
                remedy="post a reversing cost document instead",
            )
        await self._client.write(f"model.{MODEL}.delete", [rows[0]["id"]])
        return Written(native_id=native_id)

    async def present(self, native_id: str) -> bool:
        """True while the record exists."""
        return bool(await self._rows_of(native_id))

    async def _rows_of(self, native_id: str) -> list[dict[str, Json]]:
        return await self._rows([("id", "=", int(native_id))]) if native_id.isascii() and native_id.isdigit() else []

    async def _find(self, cost_doc_id: str) -> dict[str, Json] | None:
        """The move with our reference: a posted one before a draft, the elder before the younger."""
        text = costs_text.write_document(DocumentText(hub_ref=cost_doc_id)).translate(_LIKE_SPECIALS)
        rows = await self._rows([("description", "ilike", f"%{text}%")])
        ours = [row for row in rows if costs_text.read_document(row["description"]).hub_ref == cost_doc_id]
        return min(ours, key=lambda row: (row["state"] != "posted", row["id"]), default=None)

    async def _rows(self, domain: list[object]) -> list[dict[str, Json]]:
        own = [
            ("company", "=", await self._reference.company()),
            ("journal.code", "=", self._settings.maintenance_journal),
        ]
        return await self._client.search_read(
            MODEL, [*own, *domain], models.MOVE_FIELDS, order=[("id", "ASC")], limit=self._settings.page_size
        )

    async def _create(self, command: PostCost) -> dict[str, Json]:
        values = await self._values(command)
        created = await self._client.write(f"model.{MODEL}.create", [values])
        row = await self._find(command.cost_doc_id)
        if row is None:
            raise Retryable("the move just created is not found; Tryton changes at this moment")
        if row["id"] not in created:
            # Another copy of this sink was quicker: ours is still a draft and goes again.
            await self._client.write(f"model.{MODEL}.delete", created)
        return row

    def _check_kept(self, command: PostCost, row: dict[str, Json]) -> None:
        """Raise ``Rejected`` for a draft of whose texts Tryton kept less than was sent: it is not posted (T27)."""
        texts = [("description", costs_text.write_document(_document(command)), str(row["description"] or ""))]
        held = mapping.cost_report(self._context.read_only(), mapping.parse(Move, row)).fields.lines
        for place, kept in zip(range(len(_postings(command))), held, strict=False):
            texts.append((f"lines[{place}].description", _text(command, place).description, kept.description))
        for field, wanted, kept_text in texts:
            fault = lost_text(wanted, kept_text)
            if fault is not None:
                raise Rejected(
                    f"Tryton kept less of it than was sent: {fault}",
                    field=field,
                    remedy="delete the draft move, lift the limit in Tryton or shorten the text at its source, replay",
                )

    async def _post(self, move: int) -> None:
        try:
            await self._client.write(f"model.{MODEL}.post", [move])
        except Rejected:
            rows = await self._rows([("id", "=", move)])
            if not rows or rows[0]["state"] != "posted":
                raise

    async def _values(self, command: PostCost) -> dict[str, object]:
        fields = command.fields
        await self._check(command)
        # Invariant 10: a late document is posted in the period it was given, and keeps its own date in the text.
        posting_date = _posting_date(command)
        late = posting_date != fields.effective_date
        period = await self._reference.open_period(posting_date, "posting_date" if late else "fields.effective_date")
        expense = await self._reference.account(self._settings.maintenance_expense_account)
        accrual = await self._reference.account(self._settings.maintenance_accrual_account)
        lines = [await self._line(command, place, expense) for place in range(len(_postings(command)))]
        lines.append({"account": accrual, **_sides(-fields.total)})
        return {
            "company": await self._reference.company(),
            "journal": await self._reference.journal(self._settings.maintenance_journal),
            "period": period,
            "date": posting_date,
            "description": costs_text.write_document(_document(command)),
            "origin": await self._origin(command.asset_number),
            "lines": [("create", lines)],
        }

    async def _line(self, command: PostCost, place: int, expense: int) -> Mapping[str, object]:
        """One line of the move: what one cost centre bears of one line of the document."""
        fields, posting = command.fields, _postings(command)[place]
        field = "fields.cost_centre" if posting.receiver == fields.cost_centre else f"postings.{place}.receiver"
        centre = await self._reference.cost_centre(posting.receiver, fields.effective_date, field)
        sides = _sides(posting.amount.amount)
        return {
            "account": expense,
            **sides,
            "description": costs_text.write_line(_text(command, place)),
            "analytic_lines": [("create", [{"account": centre, **sides, "date": fields.effective_date}])],
        }

    async def _check(self, command: PostCost) -> None:
        fields = command.fields
        if fields.company != self._settings.company:
            raise Rejected(
                f"company {fields.company!r} is not kept in this Tryton",
                field="fields.company",
                remedy=f"this connection writes to company {self._settings.company!r} only",
            )
        if not fields.lines:
            raise Rejected("a cost document without lines cannot be posted", field="fields.lines")
        for number, line in enumerate(fields.lines):
            await self._reference.check_money(line.amount, fields.currency, f"fields.lines[{number}].amount")
        total = sum((line.amount for line in fields.lines), ZERO)
        if total != fields.total:
            raise Rejected(
                f"is {fields.total}, but the lines come to {total}",
                field="fields.total",
                remedy="correct the document at its source",
            )
        _check_receivers(command)

    async def _origin(self, asset_number: str | None) -> str | None:
        if not asset_number:
            return None
        domain = [("number", "=", asset_number), ("company", "=", await self._reference.company())]
        found = await self._client.search("account.asset", domain, limit=2)
        # An asset that is not, or not clearly, found must not stop the cost: its number stands in the description.
        return f"account.asset,{found[0]}" if len(found) == 1 else None

    def _written(self, row: dict[str, Json], *, effect: bool) -> Written:
        report = mapping.cost_report(self._context.read_only(), mapping.parse(Move, row))
        return Written(
            native_id=report.origin.native_id,
            number=row["number"],
            source_version=report.origin.source_version,
            digest=mapping.digest(report),
            effect=effect,
        )


_LIKE_SPECIALS = str.maketrans({"%": "_", "_": "_", "\\": "_"})


def _posting_date(command: PostCost) -> dt.date:
    return command.posting_date or command.fields.effective_date


def _postings(command: PostCost) -> Sequence[CostPosting]:
    """What each receiver bears; a command from before there were receivers does not say it."""
    return command.postings or postings_of(command.fields)


def _check_receivers(command: PostCost) -> None:
    for place, posting in enumerate(_postings(command)):
        if posting.receiver_kind is not ReceiverKind.COST_CENTRE:
            raise Rejected(
                f"{posting.receiver_kind} {posting.receiver} cannot bear a cost in this Tryton",
                field=f"postings.{place}.receiver_kind",
                remedy="reverse the document at its source, and enter it on cost centres",
            )
    posted = sum((posting.amount.amount for posting in _postings(command)), ZERO)
    if posted != command.fields.total:
        # Invariant 11: what the receivers bear is the document.
        reason = f"come to {posted}, the document to {command.fields.total}"
        raise Rejected(reason, field="postings", remedy="let the hub send it again: recon run, then the repair plan")


def _text(command: PostCost, place: int) -> LineText:
    """The text of one posting. The quantity of a line stands once, on its first posting."""
    postings = _postings(command)
    line = next(line for line in command.fields.lines if line.line_no == postings[place].line_no)
    is_first = all(posting.line_no != line.line_no for posting in postings[:place])
    return LineText(line.kind, line.description, line.quantity if is_first else None)


def _document(command: PostCost) -> DocumentText:
    fields = command.fields
    late = _posting_date(command) != fields.effective_date
    return DocumentText(
        command.cost_doc_id,
        fields.work_order,
        command.asset_number,
        fields.reversal_of,
        fields.effective_date if late else None,
        fields.cost_centre if any(posting.receiver != fields.cost_centre for posting in _postings(command)) else None,
    )


def _sides(amount: Decimal) -> dict[str, Decimal]:
    return {"debit": amount, "credit": ZERO} if amount >= 0 else {"debit": ZERO, "credit": -amount}
