"""The room is pure: it imports the kernel and itself, and reads no clock."""

from __future__ import annotations

import ast
from pathlib import Path

import tieline.depreciation

MODULES = sorted(Path(tieline.depreciation.__path__[0]).glob("*.py"))
OWN = ("tieline.kernel.", "tieline.depreciation.")
PURE = {"__future__", "bisect", "calendar", "collections.abc", "dataclasses", "datetime", "decimal", "enum"}
PURE |= {"fractions", "itertools", "math"}


def test_it_imports_the_kernel_only() -> None:
    imported = {
        node.module
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module
    }
    assert {name for name in imported if not name.startswith(OWN)} <= PURE
    assert "tieline.kernel.errors" in imported


def test_it_asks_no_clock_and_uses_no_float() -> None:
    names = {
        (module.name, node.attr if isinstance(node, ast.Attribute) else node.id)
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Attribute | ast.Name)
    }
    assert not {name for name in names if name[1] in {"today", "now", "utcnow", "float"}}
