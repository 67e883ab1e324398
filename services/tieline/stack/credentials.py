"""The demo's secrets: random, one file each, readable by their owner alone, never in git."""

from __future__ import annotations

import os
import secrets
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath

_SECRET_BYTES = 24


def ensure(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    """Every secret's file by name; missing ones are drawn, existing ones kept."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    files = {name: folder / name for name in names}
    for file in files.values():
        if not file.is_file() or not file.stat().st_size:
            write(file, secrets.token_urlsafe(_SECRET_BYTES))
    return files


def write(file: Path, value: str) -> None:
    """Put one secret into a file that was never readable by others; replaces it as a whole."""
    fresh = file.with_name(f"{file.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(value + "\n")
    fresh.replace(file)


def exported(variables: Mapping[str, PurePath], argv: Sequence[str]) -> tuple[str, ...]:
    """``argv``, started with these variables read from their files: the values stand in no configuration."""
    if not variables:
        return tuple(argv)
    exports = "".join(f'{name}="$(cat {shlex.quote(str(file))})"; export {name}; ' for name, file in variables.items())
    return ("/bin/sh", "-c", f'{exports}exec "$@"', "sh", *argv)


if __name__ == "__main__":
    # python -m tieline.stack.credentials FOLDER NAME...
    ensure(Path(sys.argv[1]), sys.argv[2:])
