"""Reconciliation: what the systems hold against what the hub believes, at one cut of the log; then a repair plan.

cut ──▶ evidence ──▶ compare (assets, books, costs) ──▶ findings ──▶ totals, report, repair plan
Only ``cut`` and ``running`` touch Kafka, through the small ``Log`` protocol; the rest is pure.
"""
