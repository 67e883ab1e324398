# ruff: noqa: INP001  - a script that another environment runs, not a package
"""Set up the demo ERP's database: modules, one company with its books, products, suppliers, cost centres, an API user.

Run it with the Python of the environment made from requirements/tryton.lock:

    python setup.py --config trytond.conf --database tieline --password-file password.txt

The configuration must name SQLite and the folder of the databases. A second run changes nothing but the API user's
password, when the file holds another one. ``--dump FILE`` also copies the finished database to FILE;
``--from-template FILE`` starts from such a copy, which saves most of the time.
"""

from __future__ import annotations

import argparse
import configparser
import contextlib
import datetime as dt
import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MODULES = ("account_asset", "analytic_account", "purchase", "account_invoice_stock")
COMPANY = "ACME"
CURRENCY = "EUR"
API_USER = "tieline"
FISCAL_YEARS = range(2024, 2028)
CHART = "account.account_template_root_en"
# Accounts of Tryton's own chart, and the ones this script adds to it.
ASSETS, REVENUE, COST_OF_SALES, OTHER_LIABILITIES = "1.5.3", "4.1.1", "5.2.1", "2.3.7"
OWN_ACCOUNTS = {
    "ASSET-DEPRECIATED": ("Accumulated depreciation", ASSETS),
    "DEPRECIATION": ("Depreciation expense", COST_OF_SALES),
    "MAINT-EXPENSE": ("Maintenance expense", COST_OF_SALES),
    "MAINT-ACCRUAL": ("Accrued maintenance", OTHER_LIABILITIES),
}
COST_CENTRES = tuple(f"CC-{number}" for number in range(100, 600, 100))
SUPPLIERS = ("Northwind Machines", "Blue River Computers", "Harbour Vehicles", "Oak & Sons Furniture")
UNUSED_PASSWORD_BYTES = 24


@dataclass(frozen=True)
class AssetProduct:
    """A product that is bought as a fixed asset."""

    code: str
    name: str
    life_months: int
    price: Decimal


ASSET_PRODUCTS = (
    AssetProduct("COMPUTER", "Computer", 36, Decimal(1500)),
    AssetProduct("VEHICLE", "Vehicle", 60, Decimal(30000)),
    AssetProduct("MACHINE", "Machine", 96, Decimal(80000)),
    AssetProduct("FURNITURE", "Furniture", 120, Decimal(900)),
)


def main() -> int:
    """Set the database up as the command line says; 0 when it is ready, 2 when the input cannot be used."""
    options = _options()
    try:
        database_file = _database_file(options.config, options.database)
        password = _password(options.password_file)
        _check_template(options.from_template)
    except ValueError as error:
        print(f"setup: {error}", file=sys.stderr)  # noqa: T201  - a command-line program speaks to its person
        return 2
    if options.from_template is not None and not _initialised(database_file):
        shutil.copyfile(options.from_template, database_file)
    if not _initialised(database_file):
        # Tryton takes only databases that exist, and SQLite makes one of an empty file.
        database_file.touch()
        _activate_modules(options.config, options.database)
    _seed(options.config, options.database, password)
    if options.dump is not None:
        _dump(database_file, options.dump)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--config", type=Path, required=True, help="Configuration file of trytond (SQLite).")
    parser.add_argument("--database", required=True, help="Name of the database.")
    parser.add_argument("--password-file", type=Path, required=True, help="File with the API user's password.")
    parser.add_argument("--dump", type=Path, help="Copy the finished database to this file.")
    parser.add_argument("--from-template", type=Path, help="Start from this copy when the database is new.")
    return parser.parse_args()


def _database_file(config: Path, database: str) -> Path:
    parser = configparser.ConfigParser(interpolation=None)
    if not parser.read(config):
        raise ValueError(f"{config}: cannot be read; name trytond's configuration file with --config")
    uri = parser.get("database", "uri", fallback="")
    folder = parser.get("database", "path", fallback="")
    if not uri.startswith("sqlite:") or not folder:
        raise ValueError(f"{config}: [database] needs uri = sqlite:// and path = <folder of the databases>")
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    return path / f"{database}.sqlite"


def _password(file: Path) -> str:
    try:
        password = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"{file}: cannot be read ({error.strerror}); write the API user's password into it") from error
    if not password:
        raise ValueError(f"{file}: is empty; write the API user's password into it")
    return password


def _check_template(template: Path | None) -> None:
    if template is not None and not template.is_file():
        raise ValueError(f"{template}: there is no such template; make one with --dump")


def _initialised(file: Path) -> bool:
    if not file.exists() or file.stat().st_size == 0:
        return False
    with contextlib.closing(sqlite3.connect(file)) as connection:
        try:
            rows = connection.execute("select name from ir_module where state = 'activated'").fetchall()
        except sqlite3.OperationalError:
            return False
    return set(MODULES) <= {name for (name,) in rows}


def _activate_modules(config: Path, database: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        # Nobody logs in as admin: this script works beside the server, so the password is thrown away.
        file = Path(folder) / "admin"
        file.write_text(secrets.token_urlsafe(UNUSED_PASSWORD_BYTES), encoding="utf-8")
        command = [
            str(Path(sys.executable).parent / "trytond-admin"),
            *("-c", str(config), "-d", database, "--email", "admin@example.org", "--activate-dependencies"),
            *("-u", *MODULES),
        ]
        subprocess.run(command, check=True, env={**os.environ, "TRYTONPASSFILE": str(file)})  # noqa: S603  - our own environment's program


def _dump(database_file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(".unfinished")
    with (
        contextlib.closing(sqlite3.connect(database_file)) as source,
        contextlib.closing(sqlite3.connect(unfinished)) as copy,
    ):
        source.backup(copy)
    unfinished.replace(target)


def _seed(config: Path, database: str, password: str) -> None:
    from proteus import config as proteus_config  # noqa: PLC0415  - reads its configuration when it is imported

    proteus_config.set_trytond(database, config_file=str(config))
    company = _company()
    _chart(company)
    for year in FISCAL_YEARS:
        _fiscal_year(company, year)
    for code, (name, like) in OWN_ACCOUNTS.items():
        model = _account(company, like)
        _find_or_create(
            "account.account", {"code": code, "company": company}, name=name, type=model.type, parent=model.parent
        )
    _journals()
    _payment_term()
    _products(company)
    for name in SUPPLIERS:
        _find_or_create("party.party", {"name": name})
    _cost_centres(company)
    _api_user(company, password)


def _model(name: str) -> Any:
    from proteus import Model  # noqa: PLC0415  - see _seed

    return Model.get(name)


def _find_or_create(model: str, key: Mapping[str, object], **others: object) -> Any:
    kind = _model(model)
    found = kind.find([(name, "=", value.id if hasattr(value, "id") else value) for name, value in key.items()])
    if found:
        return found[0]
    record = kind(**key, **others)
    record.save()
    return record


def _company() -> Any:
    from proteus import Wizard  # noqa: PLC0415  - see _seed
    from proteus.config import get_config  # noqa: PLC0415  - see _seed

    found = _model("company.company").find([("party.code", "=", COMPANY)])
    if not found:
        party = _find_or_create("party.party", {"code": COMPANY}, name=COMPANY)
        currency = _find_or_create(
            "currency.currency",
            {"code": CURRENCY},
            name="Euro",
            symbol="€",
            numeric_code="978",
            digits=2,
            rounding=Decimal("0.01"),
        )
        wizard = Wizard("company.company.config")
        wizard.execute("company")
        wizard.form.party = party
        wizard.form.currency = currency
        wizard.execute("add")
        found = _model("company.company").find([("party.code", "=", COMPANY)])
    settings = get_config()
    settings._context = _model("res.user").get_preferences(True, {})  # noqa: SLF001  - the way proteus' own tools do it
    settings._context["company"] = found[0].id  # noqa: SLF001  - as above
    return found[0]


def _chart(company: Any) -> None:
    from proteus import Wizard  # noqa: PLC0415  - see _seed
    from proteus.config import get_config  # noqa: PLC0415  - see _seed

    accounts = _model("account.account")
    if accounts.find([("company", "=", company.id)], limit=1):
        return
    template = _model("account.account.template")(_model("ir.model.data").get_id(CHART, get_config().context))
    wizard = Wizard("account.create_chart")
    wizard.execute("account")
    wizard.form.account_template = template
    wizard.form.company = company
    wizard.execute("create_account")
    for kind in ("receivable", "payable"):
        (account,) = accounts.find(
            [(f"type.{kind}", "=", True), ("party_required", "=", True), ("closed", "!=", True)], limit=1
        )
        setattr(wizard.form, f"account_{kind}", account)
    for kind, code in (("expense", COST_OF_SALES), ("revenue", REVENUE)):
        setattr(wizard.form, f"category_account_{kind}", _account(company, code))
    wizard.execute("create_properties")


def _sequence(name: str, kind: str, company: Any) -> Any:
    (sequence_type,) = _model("ir.sequence.type").find([("name", "=", kind)], limit=1)
    return _find_or_create("ir.sequence.strict", {"name": name, "sequence_type": sequence_type, "company": company})


def _fiscal_year(company: Any, year: int) -> None:
    years = _model("account.fiscalyear")
    found = years.find([("company", "=", company.id), ("name", "=", str(year))])
    if found:
        fiscal_year = found[0]
    else:
        fiscal_year = years(
            name=str(year), company=company, start_date=dt.date(year, 1, 1), end_date=dt.date(year, 12, 31)
        )
        fiscal_year.move_sequence = _sequence(f"Moves {year}", "Account Move", company)
        invoices = _sequence(f"Invoices {year}", "Invoice", company)
        (sequences,) = fiscal_year.invoice_sequences
        for kind in ("out_invoice", "in_invoice", "out_credit_note", "in_credit_note"):
            setattr(sequences, f"{kind}_sequence", invoices)
        fiscal_year.save()
    if not fiscal_year.periods:
        fiscal_year.click("create_period")


def _account(company: Any, code: str) -> Any:
    (account,) = _model("account.account").find([("company", "=", company.id), ("code", "=", code)])
    return account


def _journals() -> None:
    _find_or_create("account.journal", {"code": "ASSET"}, name="Assets", type="asset")
    _find_or_create("account.journal", {"code": "MAINT"}, name="Maintenance", type="general")


def _payment_term() -> None:
    terms = _model("account.invoice.payment_term")
    if not terms.find([("name", "=", "Direct")]):
        term = terms(name="Direct")
        term.lines.new(type="remainder")
        term.save()


def _products(company: Any) -> None:
    categories = _model("product.category")
    found = categories.find([("name", "=", "Fixed assets")])
    if found:
        category = found[0]
    else:
        category = categories(name="Fixed assets", accounting=True)
        category.account_expense = _account(company, "DEPRECIATION")
        category.account_revenue = _account(company, REVENUE)
        category.account_asset = _account(company, ASSETS)
        category.account_depreciation = _account(company, "ASSET-DEPRECIATED")
        category.save()
    for product in ASSET_PRODUCTS:
        _product(
            product.code,
            product.name,
            category,
            type="assets",
            list_price=product.price,
            depreciable=True,
            depreciation_duration=product.life_months,
        )
    _product("SUPPLIES", "Supplies", category, type="service", list_price=Decimal(10))


def _product(code: str, name: str, category: Any, **values: object) -> None:
    if _model("product.product").find([("code", "=", code)]):
        return
    (unit,) = _model("product.uom").find([("name", "=", "Unit")])
    template = _model("product.template")(name=name, default_uom=unit, account_category=category, purchasable=True)
    for field, value in values.items():
        setattr(template, field, value)
    template.code = code
    template.save()


def _cost_centres(company: Any) -> None:
    root = _find_or_create(
        "analytic_account.account",
        {"code": "CC", "company": company},
        name="Cost centres",
        type="root",
        state="opened",
    )
    for code in COST_CENTRES:
        _find_or_create(
            "analytic_account.account",
            {"code": code, "company": company},
            name=f"Cost centre {code}",
            type="normal",
            root=root,
            parent=root,
            state="opened",
        )


def _api_user(company: Any, password: str) -> None:
    users = _model("res.user")
    found = users.find([("login", "=", API_USER)])
    user = found[0] if found else users(name="Tieline", login=API_USER)
    names = {"Accounting", "Accounting Administration", "Purchase", "Stock"}
    wanted = [group for group in _model("res.group").find([]) if group.name in names]
    missing = [group for group in wanted if group not in user.groups]
    user.groups.extend(missing)
    if company not in user.companies:
        user.companies.append(company)
    user.company = company
    if not found or missing or not _password_holds(password):
        user.password = password
        user.save()


def _password_holds(password: str) -> bool:
    from proteus.config import get_config  # noqa: PLC0415  - see _seed
    from trytond.pool import Pool  # noqa: PLC0415  - see _seed
    from trytond.transaction import Transaction  # noqa: PLC0415  - see _seed

    users = Pool(get_config().database_name).get("res.user")
    with Transaction().start(get_config().database_name, 0, readonly=True):
        # Reading the field gives no hash, to nobody; this is how the log-in itself gets it.
        _, password_hash, _ = users._get_login(API_USER)  # noqa: SLF001  - as above
        holds, _ = users.check_password(password, password_hash)
        return bool(holds)


if __name__ == "__main__":
    sys.exit(main())
