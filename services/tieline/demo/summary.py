"""The live summary: what both systems hold now, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from rich.table import Table

from tieline.demo.sight import Figure


def table(figures: Sequence[Figure]) -> Table:
    """Counts and sums of both systems and their difference, which should be 0 throughout."""
    shown = Table("", "currency", "asset management", "ERP", "difference", title="What both systems hold")
    for column in shown.columns[2:]:
        column.justify = "right"
    for figure in figures:
        style = None if figure.difference == 0 else "bold red"
        shown.add_row(
            figure.name,
            figure.currency or "",
            *(_text(figure, value) for value in (figure.am, figure.erp, figure.difference)),
            style=style,
        )
    return shown


def _text(figure: Figure, value: Decimal) -> str:
    return f"{value:,.2f}" if figure.currency else f"{value:,}"
