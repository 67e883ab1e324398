"""The landscape: one YAML file that describes an organisation's systems and flows.

Every process derives what it does from it.

Secrets are references (``{secret: env:NAME}`` or ``{secret: file:path}``), never values (Invariant 14).
Three environment variables override endpoints, so that one file serves inside and outside containers:
``TIELINE_KAFKA_BOOTSTRAP``, ``TIELINE_REGISTRY_URL`` and ``TIELINE_ENDPOINT_<SYSTEM>``.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, get_args

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    SecretStr,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from tieline.kernel.asset_records import AssetFields
from tieline.kernel.calendars import CALENDAR_YEAR, Calendar
from tieline.kernel.code_lists import CodeEntry, ListName, code_list_faults
from tieline.kernel.error_policies import OnError, refusal
from tieline.kernel.errors import Stop
from tieline.kernel.families import Families, read_families
from tieline.kernel.quotas import Quota
from tieline.kernel.reference_records import EMPLOYEE, Family
from tieline.kernel.yaml_reading import compose_yaml, load_yaml

SystemName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*$")]
Role = Literal["erp", "asset-management"]
ObjectName = Literal["asset", "book", "purchase-order", "cost-document"]


class MisplacedError(ValueError):
    """A fault that shows only between parts of the file, with the place of the part at fault."""

    def __init__(self, place: tuple[int | str, ...], reason: str) -> None:
        super().__init__(reason)
        self.place = place


class Section(BaseModel):
    """Base of every part of the file: closed, so that a misspelt key is an error, not a silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Kafka(Section):
    """The cluster."""

    bootstrap_servers: str = Field(description="host:port, comma separated.")
    replication_factor: int = Field(default=3, ge=1, description="Copies of each partition; 1 only in a local demo.")
    most_partitions: int | None = Field(
        default=None,
        ge=1,
        description="No topic gets more partitions than this, whatever topics/ declares. For a demo or a cluster that "
        "charges by partition; decide before `tieline topics apply`, for the number of a topic never changes.",
    )
    client: dict[str, str] = Field(default_factory=dict, description="Further librdkafka settings, e.g. TLS and SASL.")


class Registry(Section):
    """The schema registry, by its Confluent-compatible API."""

    url: str = Field(description="Base URL of the API.")


class System(Section):
    """One system of the estate."""

    connector: SystemName = Field(description="Folder under connectors/ that speaks to it.")
    role: Role = Field(description="What it is to the others; decides which fields it owns.")
    owner: str = Field(min_length=3, description="Who answers for it; gets the alarms.")
    poll_interval_secs: float = Field(gt=0, le=86400, description="Pause between two reads of what changed.")
    settings: dict[str, object] = Field(description="The connector's own settings.")
    quota: Quota | None = Field(
        default=None,
        description="Calls that the vendor allows the account (docs/quotas.md); each key given here replaces what the "
        "connector's manifest says. Two systems of one account: give each its part. None: not limited.",
    )


class Mode(StrEnum):
    """Whether a flow runs."""

    ENABLED = "enabled"
    OFF = "off"


class Flow(Section):
    """One object moving one way. No flow runs without all of this (a spec is a condition of going live)."""

    source: SystemName = Field(description="System it comes from.")
    target: SystemName = Field(description="System it goes to.")
    object: str = Field(
        description="What moves: one of the hub's own objects, or a family declared under families.",
        json_schema_extra={"examples": list(get_args(ObjectName))},
    )
    interval_mins: float = Field(gt=0, description="Longest planned time between two transfers, in minutes.")
    latency_target_secs: float = Field(gt=0, description="Promised time from change to confirmed effect.")
    owner: str = Field(min_length=3, description="Who answers for the flow.")
    on_error: OnError = Field(
        description="hold: later events of a failed key wait behind it, in order. skip-if-newer: a newer version that "
        "says all that the waiting ones said goes before them and replaces them. continue: nothing waits. Postings "
        "only hold."
    )
    mode: Mode = Field(description="enabled or off.")

    @property
    def name(self) -> str:
        """``asset:unio24>tryton``."""
        return f"{self.object}:{self.source}>{self.target}"


def _no_float(value: object) -> object:
    if isinstance(value, float):
        # Invariant 11: YAML reads an unquoted 800.10 as a binary fraction.
        raise ValueError('write an amount with a point in quotes, as "800.10"')  # noqa: TRY004  - pydantic reports it
    return value


Limit = Annotated[Decimal, BeforeValidator(_no_float), Field(ge=0)]


class TreatmentRule(Section):
    """Which purchases the books treat in which way. It speaks of a purchase if class, date and amount all fit."""

    name: str = Field(min_length=1, max_length=200, description="Stands beside every decision this rule makes.")
    asset_class: str | None = Field(default=None, min_length=1, description="Class it speaks of; none: any.")
    threshold: Limit | None = Field(default=None, description="Acquisition cost from which up it speaks; none: any.")
    currency: str | None = Field(default=None, pattern=r"^[A-Z]{3}$", description="Currency of the threshold.")
    per: Literal["unit", "line"] = Field(default="unit", description="What is compared: one unit or the whole line.")
    at_limit: Literal["included", "excluded"] = Field(
        default="included", description="Whether it speaks of a cost of exactly the threshold."
    )
    from_date: dt.date | None = Field(default=None, description="First date of receipt it speaks of; none: any.")
    before_date: dt.date | None = Field(default=None, description="First date it speaks of no more; none: never.")
    treatment: Literal["CAPITALISE", "LOW_VALUE", "EXPENSE", "UNDER_CONSTRUCTION"]

    @model_validator(mode="after")
    def _threshold_has_a_currency(self) -> TreatmentRule:
        if (self.threshold is None) != (self.currency is None):
            raise ValueError(f"rule {self.name}: a threshold and its currency go together")
        # Not where it says what would count anyway: a landscape that was read may be written out and read again.
        said = {"at_limit": self.at_limit != "included", "per": self.per != "unit"}
        if self.threshold is None and (unused := [name for name, is_said in said.items() if is_said]):
            raise ValueError(f"rule {self.name}: {' and '.join(unused)} says nothing without a threshold; remove it")
        return self


class RepairThreshold(Section):
    """From which amount up a cost of work that is said to be capital becomes a part of the asset's cost."""

    threshold: Limit = Field(description="Total of the cost document; below it the cost stays an expense.")
    currency: str = Field(pattern=r"^[A-Z]{3}$", description="Currency of the threshold.")
    at_limit: Literal["included", "excluded"] = Field(
        default="included", description="Whether a total of exactly the threshold reaches it."
    )


class Capitalisation(Section):
    """How order lines become asset records, and how the books treat them and the work on them."""

    explode_up_to_units: int = Field(
        default=10,
        ge=1,
        le=1000,
        description="Whole quantities up to this become one record a unit; larger, one record.",
    )
    chunk_units: int | None = Field(
        default=None, ge=1, description="Larger quantities become records of at most so many units; none: one record."
    )
    fractions: Literal["hold", "accept"] = Field(
        default="hold", description="Quantities that are not whole: held for a decision, or one record as it is."
    )
    rules: tuple[TreatmentRule, ...] = Field(
        default=(TreatmentRule(name="everything", treatment="CAPITALISE"),),
        description="Tried in this order; the first that speaks of a purchase decides. If none does, it is held.",
    )
    repairs: tuple[RepairThreshold, ...] = Field(
        default=(),
        description="Thresholds of costs of work that are said to be capital, one a currency; none at all: the word "
        "alone decides. What nobody says is capital is an expense.",
    )
    fiscal_year_starts: str = Field(
        default="01-01",
        pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$",
        description="Month and day on which the fiscal year begins: tells a prior-year cost from this year's.",
    )

    @model_validator(mode="after")
    def _repairs_have_one_threshold_a_currency(self) -> Capitalisation:
        currencies = [rule.currency for rule in self.repairs]
        for currency in currencies:
            if currencies.count(currency) > 1:
                raise ValueError(f"repairs: there are two thresholds in {currency}")
        return self


class ProcureToPay(Section):
    """When each step of a purchase is due: calendar days after the step before it."""

    approved_days: int = Field(default=5, ge=0, description="Approval, from the date of the order.")
    received_days: int = Field(default=30, ge=0, description="Receipt of everything, from the approval.")
    invoiced_days: int = Field(default=30, ge=0, description="Invoice for everything, from the receipt.")
    capitalised_days: int = Field(default=5, ge=0, description="Decision on everything, from the receipt.")
    in_service_days: int = Field(default=30, ge=0, description="First use, from the receipt.")
    closed_days: int = Field(default=30, ge=0, description="Closure, from the last step before it.")


class InvoiceMatching(Section):
    """How far an invoice may differ from what the match type of its order line holds it against, in percent."""

    quantity_percent: Limit = Field(default=Decimal(0), description="Quantity charged above what may be charged.")
    price_percent: Limit = Field(default=Decimal(0), description="Net amount above or below the order's price.")


class OwnershipRule(Section):
    """Who owns some fields of assets, for a company and from a day on: replaces what ships (ownership.yaml)."""

    entity: Literal["asset"] = Field(default="asset", description="What the fields are of.")
    fields: tuple[str, ...] = Field(min_length=1, description="Fields of the asset.")
    company: str | None = Field(default=None, description="Company code; none: every company.")
    valid_from: dt.date = Field(description="First day on which it holds, by when a system recorded the change.")
    owner: Role = Field(description="Role that owns the fields.")
    proposers: tuple[Role, ...] = Field(default=(), description="Roles that may fill them and change their own word.")
    open: bool = Field(default=False, description="Proposers may also change the owner's word.")
    policy: Literal["OWNER_WINS", "LWW_BY_VERSION", "ACCEPT_IF_PERIOD_OPEN", "MANUAL", "IMMUTABLE"] = Field(
        default="OWNER_WINS", description="What happens when two systems say different things."
    )

    @field_validator("fields")
    @classmethod
    def _are_fields(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in AssetFields.model_fields:
                raise ValueError(f"{name!r} is no field of an asset; there are {', '.join(AssetFields.model_fields)}")
        return names


CALENDAR_YEAR_NAME = "calendar-year"
CalendarName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$")]


class Late(StrEnum):
    """What becomes of a document whose period is closed."""

    NEXT_OPEN = "next-open"
    HOLD = "hold"


class FiscalCompany(Section):
    """The fiscal calendars of one company."""

    calendar: CalendarName = Field(default=CALENDAR_YEAR_NAME, description="Calendar of the company's ledger.")
    books: dict[str, CalendarName] = Field(
        default_factory=dict, description="Calendar of each depreciation book that has another one than the ledger."
    )
    ledger: str | None = Field(
        default=None,
        min_length=1,
        description="Book whose periods decide over documents that name no book; none: the company's own periods.",
    )


class Fiscal(Section):
    """Fiscal calendars, and what becomes of a document that falls in a closed period."""

    calendars: dict[CalendarName, Calendar] = Field(
        default_factory=dict,
        description=f"Calendars by name; {CALENDAR_YEAR_NAME} (January to December) is always there.",
    )
    companies: dict[str, FiscalCompany] = Field(
        default_factory=dict, description="Companies by code; one that is not named keeps the calendar year."
    )
    default_company: str | None = Field(
        default=None,
        min_length=1,
        description="Company of an asset that names none; none: nothing is known of its periods.",
    )
    late: Late = Field(
        default=Late.NEXT_OPEN,
        description="next-open: post in the next period that is open, with the effective date kept; hold: wait until "
        "the document's own period is open again.",
    )
    periods: Literal["optional", "required"] = Field(
        default="optional",
        description="optional: a period that no system ever reported counts as open; required: it counts as closed.",
    )
    max_held: int = Field(
        default=10_000, ge=1, le=1_000_000, description="Documents that may wait for periods; past it the hub stops."
    )

    @model_validator(mode="after")
    def _companies_name_calendars(self) -> Fiscal:
        known = sorted({CALENDAR_YEAR_NAME, *self.calendars})
        if CALENDAR_YEAR_NAME in self.calendars:
            raise ValueError(f"{CALENDAR_YEAR_NAME} is January to December and cannot be another; choose another name")
        for code, company in self.companies.items():
            for name in (company.calendar, *company.books.values()):
                if name not in known:
                    raise ValueError(f"company {code}: there is no calendar {name!r}; there are {', '.join(known)}")
        return self

    def calendar_of(self, company: str, book: str | None = None) -> Calendar:
        """The calendar of a company's book; of its ledger for no book or one that has none of its own."""
        found = self.companies.get(company, FiscalCompany())
        return self.calendars.get(found.books.get(book or "", found.calendar), CALENDAR_YEAR)


class SecretReference(Section):
    """Where a secret is kept; never the secret (Invariant 14)."""

    secret: str = Field(pattern=r"^(env|file):.+$", description="env:NAME, or file:path from this file's folder.")


class Privacy(Section):
    """How persons are called in the hub."""

    custodian_key: SecretReference | None = Field(
        default=None,
        description="Secret of 32 characters or more, with which custodians become pseudonyms; none: systems must give "
        "ids (no spaces, no @, at most 40 characters), anything else is refused.",
    )


class References(Section):
    """Reference records: whose they are, and what they decide about assets."""

    owners: dict[Family, SystemName] = Field(
        default_factory=dict,
        description="System that owns a family; not named: the systems of the role that does (ownership.yaml). No role "
        "owns employees: name their system here.",
    )
    cost_centre: Literal["optional", "required"] = Field(
        default="optional",
        description="optional: an asset may be proposed for a cost centre nobody ever reported; required: it may not.",
    )
    employee: Literal["optional", "required"] = Field(
        default="optional",
        description="required: a custodian must be a known employee, active on the day; optional: nobody is checked.",
    )

    @model_validator(mode="after")
    def _somebody_says_employees(self) -> References:
        if self.employee == "required" and EMPLOYEE not in self.owners:
            raise ValueError("employee: required refuses every custodian: name who owns employees under owners")
        return self


def _declared_families(value: object, info: ValidationInfo) -> Families:
    if value is None or isinstance(value, Families):
        return value or Families()
    if not isinstance(value, str):
        raise ValueError("must be a folder, from this file's folder")  # noqa: TRY004  - pydantic reports it
    try:
        return read_families((info.context or {}).get("base", Path()) / value)
    except Stop as stop:
        raise ValueError(str(stop)) from stop


FamiliesFolder = Annotated[
    Families,
    PlainValidator(_declared_families),
    PlainSerializer(lambda families: None if families.folder is None else str(families.folder), return_type=str | None),
    WithJsonSchema({"type": "string"}),
]


class Landscape(Section):
    """The whole estate."""

    name: str = Field(description="For people.")
    kafka: Kafka
    registry: Registry
    systems: dict[SystemName, System] = Field(min_length=1)
    flows: tuple[Flow, ...] = Field(min_length=1)
    families: FamiliesFolder = Field(
        default_factory=Families,
        description="Folder of the record families that this organisation adds, from this file's folder.",
    )
    capitalisation: Capitalisation = Capitalisation()
    fiscal: Fiscal = Fiscal()
    code_lists: dict[ListName, dict[SystemName, tuple[CodeEntry, ...]]] = Field(
        default_factory=dict,
        description="List, system, and what its codes mean; a list not given for a system: its codes are canonical.",
    )
    procure_to_pay: ProcureToPay = ProcureToPay()
    invoice_matching: InvoiceMatching | None = Field(
        default=None, description="Tolerances of invoices; none: the ERP's own matching stands, and nothing is checked."
    )
    privacy: Privacy = Privacy()
    references: References = References()
    ownership: tuple[OwnershipRule, ...] = Field(default=(), description="Changes to who owns which field.")
    views_port: int = Field(default=6066, description="Port of the live views' HTTP interface, on the loopback.")
    metrics_port: int = Field(
        default=0,
        ge=0,
        le=65_000,
        description="Port on the loopback where the first process shows its metrics to Prometheus; the others follow, "
        "one port each, in the order `tieline status` lists them. 0: none.",
    )

    @model_validator(mode="after")
    def _flows_name_systems(self) -> Landscape:
        for flow in self.flows:
            for end in (flow.source, flow.target):
                if end not in self.systems:
                    raise ValueError(f"flow {flow.name}: there is no system {end!r} under systems")
            if flow.source == flow.target:
                raise ValueError(f"flow {flow.name}: source and target are the same system")
        claims = [(name, one.company, one.valid_from) for one in self.ownership for name in one.fields]
        for claim in claims:
            if claims.count(claim) > 1:
                raise ValueError(f"ownership of {claim[0]} stands twice for the same company and day")
        names = [flow.name for flow in self.flows]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"flow {name} stands twice")
        return self

    @model_validator(mode="after")
    def _references_have_owners(self) -> Landscape:
        for family, system in self.references.owners.items():
            if system not in self.systems:
                raise MisplacedError(("references", "owners", family), f"there is no system {system!r} under systems")
        return self

    @model_validator(mode="after")
    def _flows_name_objects(self) -> Landscape:
        for family in self.families:
            if family.owner not in get_args(Role):
                reason = (
                    f"family {family.name}: there is no role {family.owner!r}; there are {', '.join(get_args(Role))}"
                )
                raise MisplacedError(("families",), reason)
        for place, flow in enumerate(self.flows):
            family_of = self.families.of(flow.object)
            known = (*get_args(ObjectName), *self.families.names)
            if flow.object not in known:
                reason = f"there is no object {flow.object!r}; there are {', '.join(known)}"
                raise MisplacedError(("flows", place, "object"), f"{reason}, and families declared under families")
            if why := refusal(flow.object, flow.on_error):
                raise MisplacedError(("flows", place, "on_error"), f"flow {flow.name} cannot {flow.on_error}: {why}")
            agreed = next(f.on_error for f in self.flows if (f.object, f.target) == (flow.object, flow.target))
            if flow.on_error is not agreed:
                reason = (
                    f"flow {flow.name} says {flow.on_error}, another of the same object into {flow.target} {agreed}"
                )
                raise MisplacedError(("flows", place, "on_error"), f"{reason}: they share their keys, so say the same")
            if family_of is not None and self.systems[flow.source].role != family_of.owner:
                reason = f"flow {flow.name} moves nothing: a {flow.object} is the {family_of.owner}'s to say"
                raise MisplacedError(("flows", place, "source"), reason)
        return self

    @model_validator(mode="after")
    def _codes_are_clear(self) -> Landscape:
        for place, reason in code_list_faults(self.code_lists, self.systems):
            raise MisplacedError(place, reason)
        return self

    def role_of(self, system: str) -> str:
        """Role of a system. Raises ``KeyError`` for an unknown one."""
        return self.systems[system].role

    def having_role(self, role: str) -> tuple[str, ...]:
        """The systems of a role."""
        return tuple(name for name, system in self.systems.items() if system.role == role)

    def targets(self, kind: str, source: str) -> tuple[Flow, ...]:
        """The enabled flows of this object out of this system."""
        return tuple(f for f in self.flows if f.object == kind and f.source == source and f.mode is Mode.ENABLED)


def load_landscape(path: Path, environ: Mapping[str, str] | None = None) -> Landscape:
    """Read, override from the environment, validate. Raises ``Stop`` with file, line and reason for the first fault.

    ``environ`` stands in for the process's environment; what is generated from a file must not depend on that.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Stop(f"{path}: cannot be read ({error.strerror}); name a landscape with --landscape") from error
    try:
        raw = load_yaml(text)
        node = compose_yaml(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise Stop(f"{path}:{line}: not valid YAML: {getattr(error, 'problem', error)}") from error
    if not isinstance(raw, dict):
        raise Stop(f"{path}:1: expected a mapping with name, kafka, registry, systems and flows")
    try:
        landscape = Landscape.model_validate(raw, context={"base": path.parent})
    except ValidationError as error:
        first = error.errors()[0]
        cause = first.get("ctx", {}).get("error")
        place = cause.place if isinstance(cause, MisplacedError) else first["loc"]
        where = ".".join(str(part) for part in place) or "landscape"
        line = _line_of(node, place)
        more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise Stop(f"{path}:{line}: {where}: {first['msg']}{more}") from error
    return _override(landscape, os.environ if environ is None else environ)


def resolve_settings(settings: Mapping[str, object], base: Path) -> dict[str, object]:
    """Replace every ``{secret: ...}`` by a ``SecretStr``; relative ``file:`` paths start at ``base``.

    Raises ``Stop`` naming the reference, never its value, when it cannot be resolved.
    """
    return {key: _resolve(value, base, key) for key, value in settings.items()}


def is_secret(value: object) -> bool:
    """Whether a setting is a reference to a secret."""
    return isinstance(value, dict) and set(value) == {"secret"}


def _resolve(value: object, base: Path, name: str) -> object:
    if isinstance(value, dict):
        if set(value) == {"secret"}:
            return _secret(str(value["secret"]), base, name)
        if set(value) == {"path"}:
            return str((base / str(value["path"])).resolve())
        return {k: _resolve(v, base, f"{name}.{k}") for k, v in value.items()}
    return value


def _secret(reference: str, base: Path, name: str) -> SecretStr:
    scheme, _, rest = reference.partition(":")
    if scheme == "env":
        if rest in os.environ:
            return SecretStr(os.environ[rest])
        raise Stop(f"{name}: the environment variable {rest} is not set")
    if scheme == "file":
        path = base / rest
        if override := os.environ.get("TIELINE_SECRETS_DIR"):
            path = Path(override) / path.name
        try:
            return SecretStr(path.read_text(encoding="utf-8").strip())
        except OSError as error:
            raise Stop(f"{name}: the secret file {path} cannot be read ({error.strerror})") from error
    raise Stop(f"{name}: a secret is env:NAME or file:path, not {scheme}:…")


def _override(landscape: Landscape, environ: Mapping[str, str]) -> Landscape:
    changed: dict[str, object] = {}
    if bootstrap := environ.get("TIELINE_KAFKA_BOOTSTRAP"):
        changed["kafka"] = landscape.kafka.model_copy(update={"bootstrap_servers": bootstrap})
    if url := environ.get("TIELINE_REGISTRY_URL"):
        changed["registry"] = Registry(url=url)
    systems = dict(landscape.systems)
    for name, system in landscape.systems.items():
        if endpoint := environ.get(f"TIELINE_ENDPOINT_{name.upper()}"):
            systems[name] = system.model_copy(update={"settings": {**system.settings, "endpoint": endpoint}})
    changed["systems"] = systems
    return landscape.model_copy(update=changed)


def _line_of(node: yaml.Node | None, location: tuple[int | str, ...]) -> int:
    line = 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            match = [(k, v) for k, v in node.value if k.value == str(part)]
            if not match:
                break
            line, node = match[0][0].start_mark.line + 1, match[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line
