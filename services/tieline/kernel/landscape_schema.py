"""The landscape's JSON Schema, so that editors complete the file and explain its keys."""

from __future__ import annotations

import json

from tieline.kernel.landscape import Landscape

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_text() -> str:
    """The schema as indented JSON with a final line break; the same for the same version of the hub.

    A system's ``settings`` stay open here: their shape belongs to its connector, and ``tieline check`` knows it.
    """
    schema = {"$schema": DIALECT, **Landscape.model_json_schema(), "title": "Tieline landscape"}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
