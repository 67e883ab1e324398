"""What a plan looks at in the registry beside the latest version (a real registry: tests/integration)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

import pytest
from confluent_kafka.schema_registry import RegisteredSchema, Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from tieline.kernel.applying import _plan_subject, _Wanted


class Registry:
    """Knows one subject's versions, oldest first."""

    def __init__(self, texts: Sequence[str], level: str) -> None:
        self._texts = texts
        self._level = level

    def get_compatibility(self, _subject: str) -> str:
        return self._level

    def lookup_schema(self, _subject: str, _schema: Schema) -> RegisteredSchema:
        raise SchemaRegistryError(404, 40403, "not this one")

    def get_versions(self, _subject: str) -> list[int]:
        return list(range(1, len(self._texts) + 1))

    def get_version(self, subject: str, number: int) -> RegisteredSchema:
        schema = Schema(self._texts[number - 1], "AVRO")
        return RegisteredSchema(subject=subject, version=number, schema_id=number, guid=None, schema=schema)

    def get_latest_version(self, subject: str) -> RegisteredSchema:
        return self.get_version(subject, len(self._texts))


def _money(scale: int | None) -> str:
    fields: list[dict[str, Any]] = [{"name": "a", "type": "string"}]
    if scale is not None:
        decimal = {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": scale}
        fields.append({"name": "m", "type": ["null", decimal], "default": None})
    return json.dumps({"type": "record", "name": "Thing", "namespace": "tieline", "fields": fields})


@pytest.mark.parametrize(("level", "refused"), [("FULL_TRANSITIVE", 1), ("BACKWARD_TRANSITIVE", 1), ("BACKWARD", 0)])
def test_a_scale_that_went_and_came_back_other_is_refused_where_every_version_is_read(level: str, refused: int) -> None:
    registry = cast("SchemaRegistryClient", Registry([_money(4), _money(None)], level))
    steps = _plan_subject(_Wanted("s-value", "Thing", level, _money(2)), registry, exists=True)
    assert [str(change) for change in steps.register[0].changes or ()] == [
        "Thing.m: added, null or decimal(20,2), default null"
    ], "what is shown is the change since the latest version"
    assert len(steps.refused) == refused
    assert all("was null or decimal(20,4), is null or decimal(20,2)" in reason for reason in steps.refused)
