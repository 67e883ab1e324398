"""The reference page of all topics and records, written from their declarations (docs/reference/topics.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tieline.kernel.declarations import NAMESPACE, TopicTemplate, Tree
from tieline.kernel.schema_changes import Schema, type_words

_DAY_MS = 24 * 60 * 60 * 1000

_HEAD = f"""# Topics and records

Generated from `topics/` and `schemas/avro/`; do not edit. Write it anew with `tieline topics catalogue`.

`{{system}}` stands for every system of the landscape and `{{consumer}}` for every consumer: the processors, and a
source and a sink for each system. Values are Avro in Confluent framing. The subject of a record in the registry is
`<topic>-value` where a topic has one kind of record (TopicName), else `<topic>-{NAMESPACE}.<Record>` (TopicRecordName).
The registry holds the schemas without their documentation; it is here.
"""


def render_topics_page(tree: Tree) -> str:
    """The page as Markdown, topics and records by name."""
    lines = [_HEAD, "## Topics at a glance", "", "| topic | class | key | partitions | kept | written by | read by |"]
    lines.append("|---|---|---|---|---|---|---|")
    topics = sorted(tree.topics, key=lambda topic: topic.name)
    for topic in topics:
        notes = topic.metadata.annotations
        cells = (
            f"[`{topic.name}`](#{_anchor(topic.name)})",
            topic.klass,
            notes.key,
            str(topic.spec.partitions),
            _kept(topic.spec.configs),
            ", ".join(notes.writers),
            ", ".join(notes.readers),
        )
        lines.append(_row(cells))
    for topic in topics:
        lines += ["", *_topic_section(topic)]
    lines += ["", "## Records", ""]
    for name, schema in sorted(tree.schemas.items()):
        lines += [*_schema_section(name, schema), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _topic_section(topic: TopicTemplate) -> Iterator[str]:
    notes = topic.metadata.annotations
    yield f"### {topic.name}"
    yield ""
    yield notes.description
    yield ""
    if notes.records:
        yield f"Records: {', '.join(f'[{name}](#{name.lower()})' for name in notes.records)}."
        yield f"Subjects: {notes.subjects}, {notes.compatibility}."
    else:
        yield "Records: bytes as they came, without a schema."
    yield f"Owner: {topic.metadata.labels.owner}."
    yield f"Settings: {', '.join(f'`{name}={value}`' for name, value in topic.spec.configs.items())}."


def _schema_section(name: str, schema: Schema) -> Iterator[str]:
    yield f"### {name}"
    yield ""
    yield str(schema.get("doc", "")).replace("\n", " ").replace("  ", " ")
    yield ""
    if schema["type"] == "enum":
        yield f"One of {', '.join(f'`{symbol}`' for symbol in schema['symbols'])}."
        return
    yield "| field | type | meaning |"
    yield "|---|---|---|"
    for field in schema["fields"]:
        yield _row((f"`{field['name']}`", type_words(field["type"]), field.get("doc", "")))


def _row(cells: Sequence[str]) -> str:
    escaped = [cell.replace("|", "\\|") for cell in cells]
    return f"| {' | '.join(escaped)} |"


def _kept(configs: Mapping[str, str]) -> str:
    policies = configs.get("cleanup.policy", "delete").split(",")
    words = ["last value of each key"] if "compact" in policies else []
    if "delete" in policies:
        text = configs.get("retention.ms", "")
        words.append(f"{int(text) // _DAY_MS} days" if text.isdecimal() else "for ever" if text == "-1" else "7 days")
    return ", ".join(words)


def _anchor(heading: str) -> str:
    # What GitHub and MkDocs make of a heading: punctuation goes, hyphens and letters stay.
    return "".join(c for c in heading.lower() if c.isalnum() or c in "-_")
