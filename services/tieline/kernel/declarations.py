"""What is declared as data: topics (``topics/*.yaml``) and Avro schemas (``schemas/avro/*.avsc``).

A topic file is a template: ``{system}`` and ``{consumer}`` in its name stand for every system and every consumer of a
landscape. The stem of the file is the name of the topic. The format is that of Jikkou's ``KafkaTopic``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast

import yaml
from fastavro.schema import SchemaParseException, UnknownType, parse_schema
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from tieline.kernel.errors import Stop
from tieline.kernel.families import NO_FAMILIES, Families
from tieline.kernel.fleet import consumers
from tieline.kernel.landscape import Landscape
from tieline.kernel.topic_names import IDENTIFIED
from tieline.kernel.yaml_reading import load_yaml

T = TypeVar("T")

NAMESPACE = "tieline"
SYSTEM = "{system}"
CONSUMER = "{consumer}"
COMMANDS = "sink.{system}.command.v1"

_KEY_ORDER = ("type", "name", "namespace", "logicalType", "precision", "scale", "items", "values", "symbols", "fields")

TopicClass = Literal["raw", "report", "event", "state", "command", "result", "dead-letter", "internal"]
Subjects = Literal["TopicRecordName", "TopicName", "none"]
Compatibility = Literal[
    "NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"
]

_SEGMENT = r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*"
# No underscore: in metric names it collides with the dot.
_CATALOGUE_NAME = re.compile(rf"{_SEGMENT}(?:\.(?:{_SEGMENT}|\{{system\}}|\{{consumer\}})){{2,3}}\.v[1-9][0-9]*")
# Kafka's own rule, with room for placeholders; an internal topic is named by the library that owns it.
TopicName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._{}-]{1,249}$")]
Words = Annotated[str, StringConstraints(min_length=3, max_length=400)]
RecordName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]*$")]
Party = Annotated[str, StringConstraints(pattern=rf"^(?:{_SEGMENT}|(?:source|sink)-\{{system\}}|\{{consumer\}})$")]


class Section(BaseModel):
    """Base of every part of a topic file: closed, so that a misspelt key is an error, not a silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Labels(Section):
    """What tools select by."""

    owner: Words = Field(description="Team that answers for the topic.")
    klass: TopicClass = Field(alias="class", description="Role of the topic; the segment before the version.")


class Annotations(Section):
    """What the topic is for."""

    description: Words
    key: Words = Field(description="What the record key is, for people.")
    records: tuple[RecordName, ...] = Field(description="Avro records it carries, without namespace.")
    subjects: Subjects = Field(description="How the registry's subjects are named; none for bytes without a schema.")
    compatibility: Compatibility = Field(description="Level the registry enforces on each subject.")
    writers: tuple[Party, ...] = Field(min_length=1)
    readers: tuple[Party, ...] = Field(min_length=1)


class Metadata(Section):
    """Name and meaning."""

    name: TopicName
    labels: Labels
    annotations: Annotations


class Spec(Section):
    """What the broker is told."""

    partitions: int = Field(ge=1, le=1000)
    configs: dict[str, str] = Field(min_length=1, description="Topic settings by Kafka's names, values as text.")


class TopicTemplate(Section):
    """One topic file."""

    api_version: Literal["kafka.jikkou.io/v1"] = Field(alias="apiVersion")
    kind: Literal["KafkaTopic"]
    metadata: Metadata
    spec: Spec

    @property
    def name(self) -> str:
        """Name with its placeholders."""
        return self.metadata.name

    @property
    def klass(self) -> TopicClass:
        """Role of the topic."""
        return self.metadata.labels.klass

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> TopicTemplate:
        notes = self.metadata.annotations
        if self.klass != "internal":
            if not _CATALOGUE_NAME.fullmatch(self.name):
                raise ValueError(
                    f"{self.name}: expected <domain>.<entity>.<class>.v<major>: lower case, dots between segments, "
                    "hyphens inside them, no underscore"
                )
            if self.name.split(".")[-2] != self.klass:
                raise ValueError(f"{self.name}: its class is {self.klass}, its name says {self.name.split('.')[-2]}")
        elif notes.records:
            raise ValueError(f"{self.name}: an internal topic carries what its library writes, so it has no records")
        if SYSTEM in self.name and CONSUMER in self.name:
            raise ValueError(f"{self.name}: a name has {SYSTEM} or {CONSUMER}, not both")
        if (notes.subjects == "none") != (not notes.records):
            raise ValueError(f"{self.name}: subjects is none exactly when records is empty")
        if notes.subjects == "TopicName" and len(notes.records) != 1:
            raise ValueError(f"{self.name}: TopicName has one subject, so exactly one record; use TopicRecordName")
        if (notes.subjects == "none") != (notes.compatibility == "NONE"):
            raise ValueError(f"{self.name}: compatibility is NONE exactly when there are no subjects")
        if CONSUMER not in self.name and CONSUMER in (*notes.writers, *notes.readers):
            raise ValueError(f"{self.name}: {CONSUMER} stands for nothing here; the name has no such placeholder")
        return self


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic of one landscape. ``records`` are Avro record names without namespace; empty for raw bytes."""

    name: str
    klass: TopicClass
    partitions: int
    configs: Mapping[str, str]
    key: str
    description: str
    owner: str
    records: tuple[str, ...]
    subjects: Subjects
    compatibility: Compatibility
    writers: tuple[str, ...]
    readers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Declared:
    """Where the declarations are: the folder of topic files and the folder of Avro schemas."""

    topics: Path
    schemas: Path


def declared() -> Declared:
    """The declarations of this installation: those inside the package, else those of the checkout it runs from.

    Raises ``Stop`` if there are none.
    """
    package = Path(__file__).resolve().parents[1]
    for root in (package / "_declared", package.parents[1]):
        found = Declared(root / "topics", root / "schemas" / "avro")
        if found.topics.is_dir() and found.schemas.is_dir():
            return found
    raise Stop(f"{package}: neither the package nor its checkout has topics and schemas; install tieline again")


# ---- topics ---------------------------------------------------------------------------------------------------


def read_topic(path: Path) -> TopicTemplate:
    """One topic file. Raises ``Stop`` with file, place and reason."""
    try:
        raw = load_yaml(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", error)
        raise Stop(f"{path}:{line}: not valid YAML: {problem} (quote a text that has a colon in it)") from error
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(f"{path}: cannot be read: {error}") from error
    try:
        template = TopicTemplate.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "topic"
        raise Stop(f"{path}: {where}: {first['msg']}") from error
    if template.name != path.stem:
        raise Stop(f"{path}: declares {template.name}; a file is called like its topic, {template.name}.yaml")
    return template


def load_topics(folder: Path | None = None) -> tuple[TopicTemplate, ...]:
    """Every topic file, by name. Raises ``Stop`` for the first faulty one."""
    files = sorted((folder or declared().topics).glob("*.yaml"))
    return tuple(read_topic(path) for path in files)


def templates_of(families: Families) -> tuple[TopicTemplate, ...]:
    """Every topic file, those of declared families included. Raises ``Stop`` for the first faulty one."""
    further = [template for family in families for template in load_topics(family.topics)]
    return tuple(carrying(template, families) for template in (*load_topics(), *further))


def carrying(template: TopicTemplate, families: Families) -> TopicTemplate:
    """The template with the families' records, where it carries every family's: identified reports, and commands."""
    further = {
        IDENTIFIED: tuple(family.report for family in families),
        COMMANDS: tuple(family.command for family in families),
    }.get(template.name, ())
    if not further:
        return template
    notes = template.metadata.annotations
    notes = notes.model_copy(update={"records": (*notes.records, *further)})
    return template.model_copy(update={"metadata": template.metadata.model_copy(update={"annotations": notes})})


def topics_for(landscape: Landscape, templates: Sequence[TopicTemplate] | None = None) -> tuple[Topic, ...]:
    """The topics of this landscape, by name: every template for every system or consumer it speaks of.

    ``min.insync.replicas`` follows from the landscape's replication factor, and no topic has more partitions than the
    landscape allows. Raises ``Stop`` if a file is faulty or two templates give the same name.
    """
    topics: dict[str, Topic] = {}
    for template in templates_of(landscape.families) if templates is None else templates:
        for topic in _expand(template, landscape):
            if topic.name in topics:
                raise Stop(f"{topic.name} is declared twice; {template.name} is one of the two")
            topics[topic.name] = topic
    return tuple(topics[name] for name in sorted(topics))


def _expand(template: TopicTemplate, landscape: Landscape) -> Sequence[Topic]:
    if SYSTEM in template.name:
        return [_topic(template, landscape, system, None) for system in landscape.systems]
    if CONSUMER in template.name:
        return [_topic(template, landscape, None, consumer) for consumer in consumers(landscape)]
    return [_topic(template, landscape, None, None)]


def _topic(template: TopicTemplate, landscape: Landscape, system: str | None, consumer: str | None) -> Topic:
    notes = template.metadata.annotations
    systems = [system] if system else list(landscape.systems)

    def parties(names: Sequence[str]) -> tuple[str, ...]:
        full = [
            name.replace(SYSTEM, one).replace(CONSUMER, consumer or CONSUMER)
            for name in names
            for one in (systems if SYSTEM in name else [""])
        ]
        return tuple(dict.fromkeys(full))

    in_sync = max(1, landscape.kafka.replication_factor - 1)
    most = landscape.kafka.most_partitions or template.spec.partitions
    return Topic(
        name=template.name.replace(SYSTEM, system or SYSTEM).replace(CONSUMER, consumer or CONSUMER),
        klass=template.klass,
        partitions=min(template.spec.partitions, most),
        configs={"min.insync.replicas": str(in_sync), **template.spec.configs},
        key=notes.key,
        description=notes.description,
        owner=template.metadata.labels.owner,
        records=notes.records,
        subjects=notes.subjects,
        compatibility=notes.compatibility,
        writers=parties(notes.writers),
        readers=parties(notes.readers),
    )


def subject(topic: Topic, record: str) -> str:
    """The registry's subject of a record on a topic. Raises ``Stop`` if the topic does not declare the record."""
    if record not in topic.records:
        raise Stop(f"{topic.name} does not declare the record {record}; see topics/")
    if topic.subjects == "TopicName":
        return f"{topic.name}-value"
    return f"{topic.name}-{NAMESPACE}.{record}"


def subjects_of(topic: Topic) -> Mapping[str, str]:
    """Subject to record name, for every record of the topic; empty for raw bytes."""
    return {subject(topic, record): record for record in topic.records}


# ---- schemas --------------------------------------------------------------------------------------------------


def read_schema(path: Path) -> dict[str, Any]:
    """One schema file as it is written. Raises ``Stop`` if it is not one, or not called like the type it declares."""
    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Stop(f"{path}: not a readable JSON document: {error}") from error
    if not isinstance(schema, dict) or not {"type", "name", "namespace"} <= set(schema):
        raise Stop(f"{path}: expected an Avro record or enum with type, name and namespace")
    if path.stem != f"{schema['namespace']}.{schema['name']}":
        raise Stop(f"{path}: declares {schema['namespace']}.{schema['name']}; a file is called like its type")
    return schema


def schema_names(folder: Path | None = None) -> tuple[str, ...]:
    """Names of every declared type, without namespace."""
    files = (folder or declared().schemas).glob(f"{NAMESPACE}.*.avsc")
    return tuple(sorted(path.stem.removeprefix(f"{NAMESPACE}.") for path in files))


def schema_text(record: str, *folders: Path) -> str:
    """The schema as one self-contained JSON text, each named type written out where it is first used.

    ``folders`` are those of the schemas, the hub's own if none is given; the first that has a type declares it.

    This is the text the registry gets. It is in a normal form without documentation: a registry gives one id to equal
    texts only, and a record that is passed on from topic to topic unchanged needs one id under both subjects, also if
    somebody mended a comment in between. Raises ``Stop`` if a type is not declared.
    """
    return _schema_text(record, folders or (declared().schemas,))


def parsed_schema(record: str, *folders: Path) -> dict[str, Any]:
    """The schema as fastavro wants it. Shared: not to be changed. Raises ``Stop`` if it is not valid Avro."""
    return _parsed_schema(record, folders or (declared().schemas,))


def schema_folders(families: Families) -> tuple[Path, ...]:
    """The folders of the hub's own schemas and of the declared families', for ``schema_text``."""
    return (declared().schemas, *families.schemas)


def find_schema(record: str, folders: Sequence[Path]) -> Path:
    """The file of a type. Raises ``Stop`` if no folder has it."""
    files = [folder / f"{NAMESPACE}.{record}.avsc" for folder in folders]
    found = next((path for path in files if path.is_file()), None)
    if found is None:
        raise Stop(f"{files[-1]}: there is no such schema, but another one refers to {NAMESPACE}.{record}")
    return found


@cache
def _schema_text(record: str, folders: tuple[Path, ...]) -> str:
    return json.dumps(_inline(f"{NAMESPACE}.{record}", folders, set()), separators=(",", ":"), ensure_ascii=False)


@cache
def _parsed_schema(record: str, folders: tuple[Path, ...]) -> dict[str, Any]:
    try:
        return cast("dict[str, Any]", parse_schema(json.loads(_schema_text(record, folders))))
    except (SchemaParseException, UnknownType) as error:
        raise Stop(f"{NAMESPACE}.{record}: not a valid Avro schema: {error}") from error


def _inline(node: Any, folders: tuple[Path, ...], written: set[str]) -> Any:
    if isinstance(node, str):
        if not node.startswith(f"{NAMESPACE}.") or node in written:
            return node
        path = find_schema(node.removeprefix(f"{NAMESPACE}."), folders)
        written.add(node)
        return _inline(read_schema(path), folders, written)
    if isinstance(node, list):
        return [_inline(branch, folders, written) for branch in node]
    if not isinstance(node, dict):
        return node
    # The places that hold types; a default may well look like a type's name.
    whole = {
        **node,
        **{key: _inline(node[key], folders, written) for key in ("type", "items", "values") if key in node},
    }
    if "fields" in node:
        whole["fields"] = [_normal({**f, "type": _inline(f["type"], folders, written)}) for f in node["fields"]]
    return _normal(whole)


def _normal(node: Mapping[str, Any]) -> dict[str, Any]:
    return {key: node[key] for key in sorted(node, key=_place) if key != "doc"}


def _place(key: str) -> tuple[int, str]:
    return (_KEY_ORDER.index(key) if key in _KEY_ORDER else len(_KEY_ORDER), key)


# ---- the whole tree, faults and all ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fault:
    """A file that cannot be read as what it should be."""

    file: str
    reason: str


@dataclass(frozen=True, slots=True)
class Tree:
    """Everything declared, for checks: ``schemas`` by name without namespace, references not written out."""

    topics: tuple[TopicTemplate, ...]
    schemas: Mapping[str, Mapping[str, Any]]
    topic_faults: tuple[Fault, ...] = ()
    schema_faults: tuple[Fault, ...] = ()


def read_tree(where: Declared, families: Families = NO_FAMILIES) -> Tree:
    """Every topic and schema file, those of the families included; a faulty one becomes a ``Fault``.

    Of two types of one name the hub's own counts; ``kernel/shapes.py`` refuses the other.
    """
    topic_files, schema_files = sorted(where.topics.glob("*.yaml")), sorted(where.schemas.glob("*.avsc"))
    for family in families:
        topic_files += sorted(family.topics.glob("*.yaml"))
        schema_files = [*sorted(family.schemas.glob("*.avsc")), *schema_files]
    topics, topic_faults = _read_each(topic_files, read_topic)
    schemas, schema_faults = _read_each(schema_files, read_schema)
    carried = tuple(carrying(topic, families) for topic in topics)
    return Tree(carried, {s["name"]: s for s in schemas}, topic_faults, schema_faults)


def _read_each(paths: Sequence[Path], read: Callable[[Path], T]) -> tuple[list[T], tuple[Fault, ...]]:
    good: list[T] = []
    faults: list[Fault] = []
    for path in paths:
        try:
            good.append(read(path))
        except Stop as stop:
            faults.append(Fault(path.name, str(stop).removeprefix(f"{path}: ").removeprefix(f"{path}:")))
    return good, tuple(faults)
