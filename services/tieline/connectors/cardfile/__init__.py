"""Purchasing-card statements: a folder of CSV files, one cost document a line."""
