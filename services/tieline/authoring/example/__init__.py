"""Connector to Example."""
