"""One day at the demo organisation, step by step: what was done, what happened, where to look."""

from __future__ import annotations

import datetime as dt
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from rich.console import Console

from tieline.connectors.tryton import comment
from tieline.connectors.tryton.demo import Bought
from tieline.demo.organisation import SUPPLIES, demo_organisation
from tieline.demo.people import People
from tieline.demo.sight import Side, differences, figures
from tieline.demo.summary import table
from tieline.demo.watching import Watcher
from tieline.kernel.asset_records import AssetFields, FinancialStatus
from tieline.kernel.audit_records import AuditResult, AuditState
from tieline.kernel.errors import Stop
from tieline.kernel.kafka_log import KafkaLog

if TYPE_CHECKING:
    from tieline.wiring import Hub

ORDERED_ON, SERVED_ON = dt.date(2026, 4, 7), dt.date(2026, 4, 8)
MAINTAINED_ON, MONTH_END, DISPOSED_ON = dt.date(2026, 4, 20), dt.date(2026, 4, 30), dt.date(2026, 5, 4)
PRICE = Decimal("2400.00")
COSTS = (("labour", "Technician, two hours", Decimal("160.00")), ("part", "Power supply", Decimal("89.90")))
RECONCILE_SECS = 300


class Day:
    """The walk. Each step acts in one system, waits until the other shows it, and says what to look at."""

    def __init__(self, hub: Hub, people: People, watcher: Watcher, console: Console) -> None:
        self._hub = hub
        self._people = people
        self._watcher = watcher
        self._console = console
        self._mark = f"DAY-{secrets.token_hex(3).upper()}"  # each walk buys a thing of its own
        self._step = 0
        self._order_line = 0
        self._record = ""
        self._number = ""

    def walk(self) -> None:
        """All steps. Raises ``Stop`` at the first that does not come out as it should."""
        self._watcher.until("the seed's data is there", _is_seeded)
        self._purchase()
        self._put_in_service()
        self._move()
        self._audit()
        self._maintain()
        self._depreciate()
        self._dispose()
        self._edit_and_repair()
        self._watcher.until_idle()
        am, erp = self._watcher.until("both systems tell the same story", differences)
        self._console.print(table(figures(am, erp)))
        self._console.print("Both systems agree to 0.00.")

    def _purchase(self) -> None:
        self._begin("A purchase", "The accountant orders one computer and some small parts, and approves the order.")
        lines = [
            Bought("COMPUTER", Decimal(1), PRICE, f"{self._mark} Workstation"),
            Bought(SUPPLIES, Decimal(3), Decimal("12.50"), f"{self._mark} Cables"),
        ]
        order, line_ids = self._people.accountant.order("Blue River Computers", ORDERED_ON, lines)
        self._people.accountant.approve(order)
        self._order_line = line_ids[0]
        ref = f"{self._people.erp}/{self._order_line}/1"
        am, erp = self._watcher.until(
            "asset management knows what was ordered",
            lambda am, erp: (
                [] if _with_ref(am, ref) and not differences(am, erp) else [f"no record for order unit {ref}"]
            ),
        )
        self._record = _with_ref(am, ref)[0]
        booked = sum(fields.po_line_ref == ref for fields in erp.assets.values())
        self._expect(booked == 0, "the ERP has a fixed asset for something that is only ordered")
        self._happened(
            f"Asset {am.assets[self._record].tag} appeared there, status ordered. The cables made no asset: they are "
            "an expense. The ERP has no fixed asset yet: it depreciates what is in use.",
            self._look_at_record(),
        )

    def _put_in_service(self) -> None:
        self._begin(
            "Put in service",
            "It arrives, and the accountant receives it. The facility manager enters its serial number and puts it in "
            "use.",
        )
        self._people.accountant.receive(self._order_line, SERVED_ON)
        # First here, then in use: once the ERP runs the asset, its purchase date is an accountant's to correct.
        self._watcher.until("asset management knows that it arrived", self._not_received)
        self._people.manager.edit(
            int(self._record),
            status="in_use",
            in_service_date=SERVED_ON.isoformat(),
            serial=f"SN-{self._mark}",
            site="BER-HQ",
            cost_centre="CC-100",
        )
        am, erp = self._until(
            "the ERP has booked it", lambda fields, other: fields.asset_number is not None and bool(other)
        )
        self._number = str(am.assets[self._record].asset_number)
        asset = self._erp_asset(erp)
        self._expect(asset.acquisition_cost == am.assets[self._record].acquisition_cost, "its cost differs")
        self._happened(
            f"The ERP runs it as fixed asset {self._number} at {PRICE} EUR, with a schedule; number and schedule stand "
            "at the record in asset management.",
            f"{self._look_at_record()}/finance/main",
        )

    def _not_received(self, am: Side, _erp: Side) -> list[str]:
        day = am.assets[self._record].acquisition_date
        return [] if day == SERVED_ON else [f"its date of acquisition is {day}, not {SERVED_ON}"]

    def _move(self) -> None:
        self._begin("A move", "It goes to the laboratory, for another cost centre.")
        self._people.manager.move(int(self._record), "BER-LAB", cost_centre="CC-200")
        self._until(
            "the ERP knows the new place",
            lambda _, other: bool(other) and (other[0].location, other[0].cost_centre) == ("BER-LAB", "CC-200"),
        )
        self._happened("The ERP's asset names the new place and the new cost centre.", "the asset's comment in Tryton")

    def _audit(self) -> None:
        self._begin("A physical audit", "Somebody counts the laboratory and scans one thing that nobody knows.")
        tag, stranger = str(self._people.manager.asset(int(self._record))["tag"]), f"{self._mark}-STRANGER"
        audit = self._people.manager.audit("BER-LAB", [tag, stranger])
        log = KafkaLog(self._hub.landscape.kafka, self._hub.codec)
        wanted = {tag: AuditResult.VERIFIED, stranger: AuditResult.UNREGISTERED}
        self._watcher.until("the hub knows what was found", lambda _am, _erp: _not_heard(log, wanted))
        self._happened(
            f"The hub has a document for each thing: {tag} was seen, {stranger} has no record, and "
            f"{len(audit['not_found'])} others of the laboratory were not found. No asset changed by it.",
            f"tieline trace {tag}",
        )

    def _maintain(self) -> None:
        total = sum((amount for _, _, amount in COSTS), Decimal(0))
        self._begin("Maintenance", f"A work order with two costs, {total} EUR together, is completed.")
        document = self._people.manager.maintain(int(self._record), f"{self._mark} repair", COSTS, MAINTAINED_ON)
        self._watcher.until(
            "the ERP has posted the costs",
            lambda _, erp: (
                [] if _posted(erp, document["work_order"]) == [total] else ["no posting, or not the same sum"]
            ),
        )
        asset_id = self._people.manager.asset(int(self._record))["external_ref"]
        url = f"http://127.0.0.1:{self._hub.landscape.views_port}/assets/{asset_id}/cost"
        self._watcher.until("the live view counts them", lambda _am, _erp: _view_lacks(url, total))
        self._happened(
            f"One posting of {total} EUR on the cost centre. The live view adds it to the price.", f"curl {url}"
        )

    def _depreciate(self) -> None:
        self._begin("Month end", f"The accountant posts the depreciation up to {MONTH_END}.")
        self._people.accountant.post_depreciation(MONTH_END)
        am, _ = self._watcher.until("every finance panel shows the posting", differences)
        book = am.books[self._record]
        self._expect(any(line.posted for line in book.lines), "its panel shows no posted depreciation")
        self._happened(
            f"Every panel in asset management shows it; this one has a book value of {book.net_book_value:.2f} EUR.",
            f"{self._look_at_record()}/finance/main",
        )

    def _dispose(self) -> None:
        self._begin("A disposal", "It is broken beyond repair. The facility manager retires it.")
        self._people.manager.retire(int(self._record), DISPOSED_ON, "scrapped")
        _, erp = self._until(
            "the ERP has closed the asset",
            lambda _, other: bool(other) and other[0].financial_status is FinancialStatus.CLOSED,
        )
        day = self._erp_asset(erp).disposal_date
        self._expect(day == DISPOSED_ON, f"the ERP closed it on {day}, not on {DISPOSED_ON}")
        self._happened(f"The ERP closed fixed asset {self._number} on {DISPOSED_ON}.", "the asset in Tryton")

    def _edit_and_repair(self) -> None:
        plan = demo_organisation()
        gone = {disposal.thing for disposal in plan.disposals}
        first, second = [thing for thing in plan.registered if thing.mark not in gone][:2]
        self._begin(
            "Two foreign edits",
            f"The accountant changes the place of {first.mark} in the ERP; places belong to asset management. The "
            f"facility manager changes the price of {second.mark}; prices belong to the ERP.",
        )
        (held,) = self._people.accountant.assets(comment_line=f"tag: {first.mark}")
        wrong = comment.write_values(held["comment"], {"location": "NOWHERE"})
        self._people.accountant.edit_comment(held["id"], wrong)
        (record,) = self._people.manager.find_assets(tag=second.mark)
        self._people.manager.edit(record["id"], purchase_cost="1.00")
        self._watcher.until_idle()
        drifts = self._reconcile("run")["drifts"]
        fields = sorted({drift["field"] for drift in drifts})
        self._expect({"location", "acquisition_cost"} <= set(fields), f"reconciliation found only {fields}")
        for drift in drifts:
            self._console.print(
                f"  found: {drift['system']} {drift['entity']} {drift['native_id']}: {drift['field']} is "
                f"{drift['found']}, should be {drift['expected']} (owner {drift['owner']})",
                markup=False,
            )
        self._happened(
            "Neither edit travelled; reconciliation names both, and what they should be.", "tieline reconcile run"
        )
        self._begin("The repair", "Somebody looks at the repair plan and applies it by its hash.")
        plan_hash = self._reconcile("repair")["plan_hash"]
        sent = self._reconcile("repair", "--apply", "--plan-hash", plan_hash)["sent"]
        self._watcher.until("both systems are as their owners say", differences)
        after = self._reconcile("run")
        self._expect(not after["drifts"], f"{len(after['drifts'])} differences are left")
        self._happened(f"{sent} commands put it right; the next reconciliation is clean.", "tieline reconcile report")

    def _reconcile(self, *arguments: str) -> dict[str, Any]:
        # As a person would: by the command line.
        command = [str(Path(sys.executable).with_name("tieline")), "reconcile", *arguments, "--json"]
        command += ["--landscape", str(self._hub.path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=RECONCILE_SECS, check=False)  # noqa: S603  - our own program
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            raise Stop(f"tieline reconcile {arguments[0]} failed: {(done.stderr or done.stdout)[-500:]}") from None
        if done.returncode not in {0, 1}:
            raise Stop(f"tieline reconcile {arguments[0]}: {answer.get('refused') or answer.get('reason')}")
        return dict(answer)

    def _until(self, what: str, holds: Callable[[AssetFields, Sequence[AssetFields]], bool]) -> tuple[Side, Side]:
        def check(am: Side, erp: Side) -> list[str]:
            fields = am.assets[self._record]
            others = [f for f in erp.assets.values() if f.asset_number and f.asset_number == fields.asset_number]
            return [] if holds(fields, others) else [what]

        return self._watcher.until(what, check)

    def _erp_asset(self, erp: Side) -> AssetFields:
        found = [fields for fields in erp.assets.values() if fields.asset_number == self._number]
        self._expect(len(found) == 1, f"the ERP has {len(found)} assets with number {self._number}")
        return found[0]

    def _look_at_record(self) -> str:
        settings = self._hub.landscape.systems[self._people.am].settings
        token = settings.get("token")
        reference = str(token.get("secret", "")) if isinstance(token, dict) else ""
        scheme, _, rest = reference.partition(":")
        # Where the secret is, for the reader's own shell; never the secret.
        where = f"cat {os.path.relpath(self._hub.path.parent / rest)}" if scheme == "file" else f"printenv {rest}"
        return f'curl -H "Authorization: Bearer $({where})" {settings["endpoint"]}/api/v1/assets/{self._record}'

    def _begin(self, title: str, text: str) -> None:
        self._step += 1
        self._console.print(f"\n{self._step}. {title}", style="bold", markup=False)
        self._console.print(f"  {text}", markup=False)

    def _happened(self, text: str, look: str) -> None:
        self._console.print(f"  ✓ {text}", style="green", markup=False)
        self._console.print(f"  look: {look}", style="dim", markup=False, soft_wrap=True)

    def _expect(self, holds: bool, otherwise: str) -> None:  # noqa: FBT001  - reads as a sentence
        if not holds:
            raise Stop(f"step {self._step}: {otherwise}")


def _is_seeded(am: Side, erp: Side) -> list[str]:
    wanted = {thing.mark for thing in demo_organisation().registered}
    missing = wanted - {fields.tag for fields in am.assets.values()}
    if missing:
        return [f"{len(missing)} assets of the seed are missing; run: tieline demo seed"]
    return differences(am, erp)


def _with_ref(am: Side, ref: str) -> list[str]:
    return [native_id for native_id, fields in am.assets.items() if fields.po_line_ref == ref]


def _posted(erp: Side, work_order: str) -> list[Decimal]:
    return [cost.total for cost in erp.costs.values() if cost.work_order == work_order]


def _not_heard(log: KafkaLog, wanted: Mapping[str, AuditResult]) -> list[str]:
    """Labels of which the hub has no document with this result."""
    rows = (row.value.body for row in log.read_table("asset.audit.state.v1").values() if row.value is not None)
    heard = {(row.fields.label, row.fields.result) for row in rows if isinstance(row, AuditState)}
    return [
        f"no audit document says {label} is {result}"
        for label, result in wanted.items()
        if (label, result) not in heard
    ]


def _view_lacks(url: str, total: Decimal) -> list[str]:
    try:
        answer = httpx.get(url, timeout=5, trust_env=False)
    except httpx.HTTPError as error:
        return [f"the live view does not answer ({error})"]
    if answer.status_code != httpx.codes.OK:
        return [f"the live view says {answer.status_code}"]
    shown = answer.json()["maintenance"].get("EUR", "0")
    return [] if Decimal(shown) == total else [f"the live view says {shown}"]
