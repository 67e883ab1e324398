r"""Named values inside a free text: how Tryton's asset carries what it has no fields for.

An asset's comment holds ``key: value`` lines between a person's own lines::

    Bought at the spring fair.
    tieline: 0199...
    serial: SN-42

Keys are read without regard to case, the first line of a key counts, every other line is left exactly as it was.
A line break inside a value is written ``\n`` (and a backslash ``\\``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

HUB_REF = "tieline"
PO_LINE = "po"
KEYS = (
    HUB_REF,
    "tag",
    "serial",
    "description",
    "location",
    "condition",
    "custodian",
    "physical-status",
    "cost-centre",
    "disposal-kind",
    PO_LINE,
)
_LINE = re.compile(r"^\s*(?P<key>[A-Za-z][A-Za-z-]*)\s*:[ \t]*(?P<value>.*?)\s*$")
_ESCAPE = re.compile(r"\\(.)")


def read_values(text: str | None) -> dict[str, str]:
    """The known keys that have a value."""
    values: dict[str, str] = {}
    for line in _lines(text):
        key, value = _split(line)
        if key in KEYS and key not in values and value:
            values[key] = _unescape(value)
    return values


def write_values(text: str | None, changes: Mapping[str, str | None]) -> str:
    """The text with these keys set; a value of None removes the key's line. Nothing else changes."""
    left = {key: _escape((value or "").strip()) for key, value in changes.items()}
    removed = {key for key, value in left.items() if not value}
    lines: list[str] = []
    for line in _lines(text):
        key, spelling = _split(line)
        if key in removed:
            continue
        value = left.pop(key, None)
        # An unchanged value keeps the spelling of its line, so that a write never churns a person's text.
        same = value is None or _unescape(spelling) == _unescape(value)
        lines.append(line if same else f"{key}: {value}")
    lines.extend(f"{key}: {left[key]}" for key in KEYS if left.get(key))
    return "\n".join(lines)


def _lines(text: str | None) -> list[str]:
    return text.replace("\r\n", "\n").split("\n") if text else []


def _split(line: str) -> tuple[str, str]:
    match = _LINE.match(line)
    return (match["key"].lower(), match["value"]) if match else ("", "")


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\r", "").replace("\n", "\\n")


def _unescape(value: str) -> str:
    return _ESCAPE.sub(lambda match: "\n" if match[1] == "n" else match[1], value)
