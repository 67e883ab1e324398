"""What a connector says of itself: ``manifest.yaml`` in its folder. The fleet is whatever folders have one.

Nothing lists the connectors: docs, tests, commands and the local stack go by ``connector_folders``.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from tieline.kernel.errors import Stop
from tieline.kernel.quotas import Quota
from tieline.kernel.yaml_reading import load_yaml

PACKAGE = "tieline.connectors"
FILE = "manifest.yaml"
DECLARED_FAMILY = "declared-family"
"""Stands for every record family that a landscape declares, where the connector maps such by a file."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*$")]
ClauseName = Annotated[str, StringConstraints(pattern=r"^C\d\d(/[a-z-]+\.[a-z-]+)?$")]
Text = Annotated[str, StringConstraints(min_length=3)]
Reason = Annotated[str, StringConstraints(min_length=20)]


class Section(BaseModel):
    """Base of every part of the file: closed, so that a misspelt key is an error, not a silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Api(Section):
    """The interface that the connector speaks."""

    style: Text = Field(description="What kind of interface it is: REST with JSON, SOAP, files.")
    version: Annotated[str, StringConstraints(min_length=1)] = Field(
        description="Version of the interface that the connector was written against."
    )
    contract: Text = Field(description="Where its contract is published, or what stands in for it.")
    network: bool = Field(default=True, description="False: nothing is called, and no call can fail.")


class Stream(Section):
    """One kind of record that is read."""

    report: Text = Field(description="The report it is mapped to.")
    read: tuple[Literal["changes", "one", "all"], ...] = Field(min_length=1, description="How it can be read.")


class Strategy(StrEnum):
    """What keeps an operation from being done twice."""

    NATIVE_KEY = "native-key"
    EXTERNAL_ID_UPSERT = "external-id-upsert"
    NATURAL_KEY = "natural-key"
    CONDITIONAL_CREATE = "conditional-create"
    SEARCH_THEN_WRITE = "search-then-write"
    NONE = "none"  # a person decides after an unknown outcome


class Operation(Section):
    """One thing that is done in the system."""

    idempotency: Strategy = Field(description="What keeps it from being done twice.")
    key: Text = Field(description="By which key, and how, in a sentence.")


class Held(Section):
    """What the connector does with one object of the hub."""

    directions: tuple[Literal["in", "out"], ...] = Field(description="in: it is written there; out: it is read there.")
    fields: tuple[str, ...] = Field(default=(), description="Fields of it that the system holds.")
    dialect: str | None = Field(default=None, description="How the system's own schedules count, of a book.")
    operations: dict[str, Operation] = Field(default_factory=dict, description="How it is written, by operation.")

    @model_validator(mode="after")
    def _is_written_by_operations(self) -> Held:
        if ("in" in self.directions) != bool(self.operations):
            raise ValueError("direction in and operations go together: each operation says its idempotency")
        return self


class Rule(Section):
    """A rule of the trade that the connector keeps, or why it cannot."""

    status: Literal["done", "exempt"]
    why: Reason | None = Field(default=None, description="Why it is exempt.")

    @model_validator(mode="after")
    def _an_exemption_has_a_reason(self) -> Rule:
        if (self.status == "exempt") != (self.why is not None):
            raise ValueError("an exemption says why; what is done says nothing")
        return self


class Webhooks(Section):
    """Whether the system tells of changes by itself."""

    received: bool = Field(alias="in", description="True: the connector receives webhooks.")
    signed: str | None = Field(default=None, description="How they are signed.")
    missed: str | None = Field(default=None, description="What finds a change whose webhook was lost.")


class StandIn(Section):
    """What stands in for a sandbox: a real part, and the tests that show the clauses against it."""

    part: Text = Field(description="The real part, and where it is started.")
    clauses: dict[ClauseName, Text] = Field(description="The test that shows each clause: file::name.")


class Manifest(Section):
    """The whole file."""

    name: Name = Field(description="The folder's name.")
    title: Text = Field(description="The system's name, for people.")
    role: Literal["erp", "asset-management"]
    owner: Text = Field(description="Who answers for the connector.")
    scaffold: bool = Field(default=False, description="True: what `tieline connector new` wrote, not yet the vendor's.")
    api: Api
    streams: dict[str, Stream]
    objects: dict[str, Held]
    webhooks: Webhooks
    code_lists: tuple[str, ...] = Field(default=(), description="Code lists of the landscape that it applies.")
    quota: Quota | None = Field(default=None, description="Calls that the vendor allows an account (docs/quotas.md).")
    rules: dict[str, Rule]
    waivers: dict[ClauseName, Reason] = Field(
        default_factory=dict,
        description="Clauses of the conformance suite that it does not keep, and why; C09/asset.remove: one operation.",
    )
    stand_in: StandIn | None = Field(default=None, description="What stands in for a sandbox, where there is none.")

    @property
    def writes(self) -> Mapping[str, Operation]:
        """Everything that is written there, by ``object.operation``."""
        return {f"{name}.{verb}": one for name, held in self.objects.items() for verb, one in held.operations.items()}

    @property
    def reads_changes(self) -> bool:
        """Whether any stream can be asked what changed."""
        return any("changes" in stream.read for stream in self.streams.values())


def connector_folders() -> Mapping[str, Path]:
    """The folder of each connector by its name, in the order of names: those that have a manifest."""
    places = [Path(place) for place in import_module(PACKAGE).__path__]
    found = {file.parent.name: file.parent for place in reversed(places) for file in place.glob(f"*/{FILE}")}
    return dict(sorted(found.items()))


def read_manifest(folder: Path) -> Manifest:
    """The manifest of one folder. Raises ``Stop`` with file, place and reason."""
    file = folder / FILE
    try:
        content = load_yaml(file.read_text(encoding="utf-8"))
        manifest = Manifest.model_validate(content)
    except OSError as error:
        raise Stop(f"{file}: cannot be read ({error.strerror})") from error
    except yaml.YAMLError as error:
        raise Stop(f"{file}: not valid YAML: {getattr(error, 'problem', error)}") from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "manifest"
        raise Stop(f"{file}: {where}: {first['msg']}") from None
    if manifest.name != folder.name:
        raise Stop(f"{file}: name: is {manifest.name!r}, and its folder {folder.name!r}; they are one name")
    return manifest


def manifest_of(connector: str) -> Manifest | None:
    """The manifest of one connector; None where there is no such. Raises ``Stop`` for a faulty one."""
    folder = connector_folders().get(connector)
    return None if folder is None else read_manifest(folder)


def read_fleet() -> Mapping[str, Manifest]:
    """Every manifest by the connector's name, in the order of names. Raises ``Stop`` for a faulty one."""
    return {name: read_manifest(folder) for name, folder in connector_folders().items()}
