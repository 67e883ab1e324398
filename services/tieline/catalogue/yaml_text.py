"""YAML for people: equal parts are repeated instead of pointed at, the order is that of writing."""

from __future__ import annotations

import yaml

_PLAIN: type[yaml.SafeDumper] = type(
    "_Plain",
    (getattr(yaml, "CSafeDumper", yaml.SafeDumper),),  # with libyaml it takes a fifth of the time
    {"ignore_aliases": lambda _self, _data: True},
)


def yaml_text(document: object, head: str) -> str:
    """The document under comment lines. Ends with a newline."""
    comment = "".join(f"# {line}\n" for line in head.splitlines())
    return comment + yaml.dump(document, Dumper=_PLAIN, sort_keys=False, width=120, allow_unicode=True)
