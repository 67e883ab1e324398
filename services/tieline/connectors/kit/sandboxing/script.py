"""Fault scripts: rules as data, read whole or refused with the place of what is wrong."""

from __future__ import annotations

import difflib
import random
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import yaml

from tieline.connectors.kit.sandboxing.answers import Answer
from tieline.connectors.kit.sandboxing.faults import Age, Rule
from tieline.connectors.kit.sandboxing.kinds import KEYS, KINDS
from tieline.kernel.errors import Rejected, Stop
from tieline.kernel.yaml_reading import load_yaml

MAX_RULES = 1000
_LONGEST_SECS = 86_400.0
T = TypeVar("T")
Read = Callable[[object, str], T]


def read_script(content: object, playable: Iterable[str], seed: int | None = None) -> list[Rule]:
    """Rules from ``{seed, faults: [rule, …]}`` or a list of rules; ``seed`` goes before the script's own (else 0).

    Raises ``Rejected`` with the place, such as ``faults.2.path``, of the first thing wrong; then nothing is in force.
    """
    known = frozenset(playable)
    if isinstance(content, Mapping):
        for key in content:
            if key not in ("seed", "faults"):
                raise Rejected("is no key of a script", field=str(key), remedy="it has seed and faults")
        seed = seed if seed is not None else _whole(0)(content.get("seed", 0), "seed")
        content, place = content.get("faults"), "faults."
    else:
        place = ""
    if not isinstance(content, list) or len(content) > MAX_RULES:
        raise Rejected(f"a list of at most {MAX_RULES} rules is wanted", field="faults")
    return [_rule(rule, f"{place}{number}", known, f"{seed or 0}:{number}") for number, rule in enumerate(content)]


def load_script(path: Path, playable: Iterable[str], seed: int | None = None) -> list[Rule]:
    """The same from a YAML or JSON file; raises ``Stop`` with the file and the place."""
    try:
        content = load_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Stop(f"cannot read the fault script {path}: {error}") from None
    try:
        return read_script(content, playable, seed)
    except Rejected as rejected:
        raise Stop(f"{path}: {rejected}") from None


def _rule(item: object, place: str, playable: frozenset[str], own_seed: str) -> Rule:
    if not isinstance(item, Mapping):
        raise Rejected("a rule is an object", field=place)
    for key in item:
        if key not in KEYS:
            raise Rejected("is no key of a rule", field=f"{place}.{key}", remedy=_near(key, KEYS, "it may have"))
    kind = _kind(item.get("kind"), f"{place}.kind", playable)

    def of(key: str, read: Read[T], default: T) -> T:
        return read(item[key], f"{place}.{key}") if key in item else default

    endless = "count" in item and item["count"] is None
    seed = of("seed", _whole(0), -1)
    wait: str | float | None = 1.0 if kind == "error_429" else None
    no_headers: Mapping[str, str] = {}
    return Rule(
        kind=kind,
        stage=KINDS[kind].stage,
        method=of("method", _pattern, re.compile(".*")),
        path=of("path", _pattern, re.compile("")),
        body=of("body", _pattern, re.compile("")),
        nth=of("nth", _whole(1), 1),
        count=None if endless else of("count", _whole(1), 1),
        for_secs=of("for_secs", _number(_LONGEST_SECS), None),
        probability=of("probability", _number(1), 1.0),
        dice=random.Random(own_seed if seed == -1 else seed),  # noqa: S311  - reproducible faults, no secrets
        seconds=of("seconds", _number(_LONGEST_SECS), 30.0),
        retry_after=of("retry_after", _wait, wait),
        as_date=of("retry_after_form", _word("seconds", "date"), "seconds") == "date",
        answer=Answer(of("status", _whole(200, 599), 200), of("text", _text, b""), of("headers", _headers, no_headers)),
        age=_age(item, place),
        given=dict(item),
    )


def _kind(value: object, place: str, playable: frozenset[str]) -> str:
    if value not in KINDS:
        reason = "is required" if value is None else "is no kind of fault"
        raise Rejected(reason, field=place, remedy=_near(value, KINDS, "one of"))
    if value not in playable:
        needs = KINDS[str(value)].needs
        raise Rejected(f"cannot be played here: it needs {needs}", field=place, remedy="take the rule out")
    return str(value)


def _near(word: object, words: Iterable[str], before: str) -> str:
    known = list(words)
    near = difflib.get_close_matches(str(word), known, n=1)
    return f"did you mean {near[0]}?" if near else f"{before} {', '.join(known)}"


def _age(item: Mapping[str, object], place: str) -> Age:
    changes, secs = item.get("changes_old"), item.get("seconds_old")
    if changes is not None and secs is not None:
        raise Rejected("either changes_old or seconds_old", field=f"{place}.seconds_old")
    if secs is not None:
        return Age(secs=_number(_LONGEST_SECS)(secs, f"{place}.seconds_old"))
    return Age(changes=1 if changes is None else _whole(1)(changes, f"{place}.changes_old"))


def _pattern(value: object, place: str) -> re.Pattern[str]:
    if not isinstance(value, str):
        raise Rejected("must be a regular expression as text", field=place)
    try:
        return re.compile(value)
    except re.error as error:
        raise Rejected(f"is no regular expression: {error}", field=place) from None


def _whole(least: int, most: int | None = None) -> Read[int]:
    def read(value: object, place: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < least or (most and value > most):
            bound = f"of at least {least}" if most is None else f"from {least} to {most}"
            raise Rejected(f"must be a whole number {bound}", field=place)
        return value

    return read


def _number(most: float) -> Read[float]:
    def read(value: object, place: str) -> float:
        # NaN is in no range.
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= most:
            raise Rejected(f"must be a number from 0 to {most:g}", field=place)
        return float(value)

    return read


def _wait(value: object, place: str) -> str | float | None:
    if value is None or (isinstance(value, str) and _fits_a_header(value)):
        return value
    return _number(_LONGEST_SECS)(value, place)


def _word(*words: str) -> Read[str]:
    def read(value: object, place: str) -> str:
        if value not in words:
            raise Rejected(f"must be {' or '.join(words)}", field=place)
        return str(value)

    return read


def _text(value: object, place: str) -> bytes:
    if not isinstance(value, str):
        raise Rejected("must be text", field=place)
    return value.encode()


def _headers(value: object, place: str) -> Mapping[str, str]:
    if not isinstance(value, Mapping):
        raise Rejected("must be names with texts", field=place)
    for name, text in value.items():
        if not re.fullmatch(r"[\w-]+", str(name), re.ASCII) or not isinstance(text, str) or not _fits_a_header(text):
            raise Rejected("is no header", field=f"{place}.{name}", remedy="a name with a text in one line")
    return {str(name): text for name, text in value.items()}


def _fits_a_header(text: str) -> bool:
    return not any(ord(character) < 32 or ord(character) == 127 for character in text)  # noqa: PLR2004  - ASCII controls
