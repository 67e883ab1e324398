"""Which rows belong to a name: an index beside a table, kept by the table's ``on_change``."""

from __future__ import annotations

from collections.abc import Hashable


class Index:
    """Keys of rows by name.

    A name keeps all of its keys: what moves from one key to another may be read back in either order, because a topic
    has no order between its partitions. Names without keys are not kept.
    """

    def __init__(self) -> None:
        self._keys: dict[Hashable, set[str]] = {}

    def __contains__(self, name: Hashable) -> bool:
        return name in self._keys

    def of(self, name: Hashable) -> list[str]:
        """The keys of a name, sorted; a list of their own, which may be walked while rows change."""
        return sorted(self._keys.get(name, ()))

    def one_of(self, name: Hashable) -> str | None:
        """The first key of a name, where it has one."""
        return min(self._keys.get(name, ()), default=None)

    def add(self, name: Hashable, key: str) -> None:
        """The row belongs to the name."""
        self._keys.setdefault(name, set()).add(key)

    def drop(self, name: Hashable, key: str) -> None:
        """The row belongs to the name no more."""
        keys = self._keys.get(name)
        if keys is None:
            return
        keys.discard(key)
        if not keys:
            del self._keys[name]
