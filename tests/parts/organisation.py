"""A synthetic organisation small enough for a test."""

from __future__ import annotations

from tieline.synthetic.shape import Rates

OFTEN = Rates(
    move=0.1,
    disposal=0.06,
    revaluation=0.05,
    adjustment=0.05,
    late=0.3,
    duplicate=0.05,
    out_of_order=0.05,
    conflict=0.04,
    reversal=0.1,
    twice=0.1,
    identical=0.2,
    orders_a_month=0.2,
    asset_lines=0.25,
    reinstatement=0.5,
    special_orders=0.3,
    costs_a_month=0.3,
)
"""Rates at which everything happens in a few dozen assets."""
