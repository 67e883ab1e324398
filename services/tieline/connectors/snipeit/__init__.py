"""Snipe-IT: asset management over its REST API."""
