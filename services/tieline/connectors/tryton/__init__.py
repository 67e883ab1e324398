"""Tryton, a real ERP."""
