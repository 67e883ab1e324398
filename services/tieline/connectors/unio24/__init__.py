"""UNIO24-style asset management, by a mapping-driven REST profile."""
