"""Record families that an organisation declares for itself: a folder each, without a line of code.

::

    families/                     named in the landscape: ``families: families``
      sales-order/
        family.yaml               what it is called, who owns it (``Descriptor``)
        schemas/tieline.*.avsc    its records
        topics/<domain>.<family>.report|event|state.v1.yaml

What a record may look like, and which it must have: ``kernel/shapes.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from tieline.kernel.errors import Stop
from tieline.kernel.yaml_reading import compose_yaml, load_yaml

DESCRIPTOR = "family.yaml"
TopicOf = Literal["report", "event", "state"]
TOPIC_CLASSES: tuple[TopicOf, ...] = ("report", "event", "state")
Segment = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$", max_length=60)]


class Descriptor(BaseModel):
    """The file ``family.yaml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    family: Segment = Field(description="Its name in flows, links and the ledger, e.g. sales-order.")
    domain: Segment = Field(description="First segment of its topics' names, e.g. sales.")
    record: str = Field(
        pattern=r"^[A-Z][A-Za-z0-9]{1,59}$",
        description="Stem of its records: SalesOrder has SalesOrderFields, SalesOrderReport, SalesOrderState, "
        "SalesOrderChanged and WriteSalesOrder.",
    )
    owner: str = Field(description="Role whose systems say it; any other system's word changes nothing.")
    description: str = Field(min_length=3, max_length=400, description="What one record is, for people.")
    effective_date: str | None = Field(
        default=None, description="Date field from which a change holds; none: the day its system recorded it."
    )


@dataclass(frozen=True, slots=True)
class Family:
    """One declared family: its descriptor, and the folder of its schemas and topics."""

    folder: Path
    descriptor: Descriptor

    @property
    def name(self) -> str:
        """Its name in flows, links and the ledger."""
        return self.descriptor.family

    @property
    def owner(self) -> str:
        """The role whose systems say it."""
        return self.descriptor.owner

    @property
    def fields(self) -> str:
        """Name of the record of its fields."""
        return f"{self.descriptor.record}Fields"

    @property
    def report(self) -> str:
        """Name of the record in which a system speaks."""
        return f"{self.descriptor.record}Report"

    @property
    def state(self) -> str:
        """Name of the record of what the hub believes."""
        return f"{self.descriptor.record}State"

    @property
    def event(self) -> str:
        """Name of the record of an accepted change."""
        return f"{self.descriptor.record}Changed"

    @property
    def command(self) -> str:
        """Name of the record that tells a target."""
        return f"Write{self.descriptor.record}"

    @property
    def schemas(self) -> Path:
        """Folder of its Avro schemas."""
        return self.folder / "schemas"

    @property
    def topics(self) -> Path:
        """Folder of its topic files."""
        return self.folder / "topics"

    def topic(self, klass: TopicOf) -> str:
        """Name of its topic of that class."""
        return f"{self.descriptor.domain}.{self.name}.{klass}.v1"


@dataclass(frozen=True, slots=True)
class Families:
    """The declared families of one landscape, by name; none unless the landscape names a folder."""

    members: tuple[Family, ...] = ()
    folder: Path | None = None

    def __iter__(self) -> Iterator[Family]:
        return iter(self.members)

    def __contains__(self, name: object) -> bool:
        return any(family.name == name for family in self.members)

    @property
    def names(self) -> tuple[str, ...]:
        """Their names, in order."""
        return tuple(family.name for family in self.members)

    @property
    def schemas(self) -> tuple[Path, ...]:
        """Folders of their schemas."""
        return tuple(family.schemas for family in self.members)

    def of(self, name: str) -> Family | None:
        """The family of that name."""
        return next((family for family in self.members if family.name == name), None)


NO_FAMILIES = Families()


def read_families(folder: Path) -> Families:
    """Every family in ``folder``: each folder there with a ``family.yaml``. Raises ``Stop`` with file and reason."""
    if not folder.is_dir():
        raise Stop(f"{folder}: there is no such folder")
    files = sorted(folder.glob(f"*/{DESCRIPTOR}"))
    if not files:
        raise Stop(f"{folder}: no folder in it has a {DESCRIPTOR}, so no family is declared there")
    found = [Family(path.parent.resolve(), _read_descriptor(path)) for path in files]
    for what, names in (
        ("family", [family.name for family in found]),
        ("record", [family.descriptor.record for family in found]),
    ):
        for name in names:
            if names.count(name) > 1:
                raise Stop(f"{folder}: two families say {what}: {name}; give one of them another")
    return Families(tuple(sorted(found, key=lambda family: family.name)), folder.resolve())


def _read_descriptor(path: Path) -> Descriptor:
    try:
        text = path.read_text(encoding="utf-8")
        raw = load_yaml(text)
        node = compose_yaml(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise Stop(
            f"{path}:{mark.line + 1 if mark else 1}: not valid YAML: {getattr(error, 'problem', error)}"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(f"{path}: cannot be read: {error}") from error
    try:
        return Descriptor.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "family"
        raise Stop(f"{path}:{_line_of(node, where)}: {where}: {first['msg']}") from error


def _line_of(node: yaml.Node | None, key: str) -> int:
    entries = node.value if isinstance(node, yaml.MappingNode) else []
    return next((name.start_mark.line + 1 for name, _ in entries if name.value == key), 1)
