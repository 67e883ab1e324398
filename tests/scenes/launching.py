"""``python -m tests.scenes.launching run accept --landscape …``: the product's own command in a scene's estate.

Wrapped from outside: the topics (few partitions), the connector, and, where ``TIELINE_SCENE_TRAP`` names a file, the
decoding: a record that holds the words of ``TRAP`` ends the process there as a fault in a C library would (SIGSEGV),
and who ended at which record is noted in the file, a line ``pid words``.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from contextlib import ExitStack
from importlib import import_module
from unittest import mock

from tests.chaos.hub import LEDGER_MODULE, declared_small

from tieline import cli, wiring
from tieline.kernel.codecs import Codec
from tieline.kernel.records import Typed

TRAP_FILE = "TIELINE_SCENE_TRAP"
TRAP = "ends the process"
_WORDS = re.compile(rb"ends the process \d+")


def main() -> None:
    """Run the command that the arguments name."""
    with ExitStack() as stack:
        if "sink" in sys.argv:
            module = import_module("tests.scenes.connector")
            stack.enter_context(mock.patch.dict(sys.modules, {LEDGER_MODULE: module}))
        stack.enter_context(mock.patch.object(wiring, "topics_for", declared_small))
        if file := os.environ.get(TRAP_FILE):
            stack.enter_context(mock.patch.object(Codec, "decode", trapped(Codec.decode, file)))
        cli.main()


def trapped(decode: object, file: str) -> object:
    """The decoding with the trap in it."""

    def decode_or_die(codec: Codec, topic: str, data: bytes) -> Typed:
        if TRAP.encode() in data and (words := _WORDS.search(data)):
            note = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            os.write(note, b"%d %s\n" % (os.getpid(), words[0]))
            os.close(note)
            os.kill(os.getpid(), signal.SIGSEGV)
        return decode(codec, topic, data)  # type: ignore[operator,no-any-return]  # the method that it stands for

    return decode_or_die


if __name__ == "__main__":
    main()
