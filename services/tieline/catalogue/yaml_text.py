"""YAML for people: equal parts are repeated instead of pointed at, the order is that of writing."""

from __future__ import annotations

import yaml

_SafeDumper: type[yaml.SafeDumper] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # with libyaml: a fifth of the time


class _Plain(_SafeDumper):
    def ignore_aliases(self, _data: object) -> bool:
        return True


def yaml_text(document: object, head: str) -> str:
    """The document under comment lines. Ends with a newline."""
    comment = "".join(f"# {line}\n" for line in head.splitlines())
    return comment + yaml.dump(document, Dumper=_Plain, sort_keys=False, width=120, allow_unicode=True)
