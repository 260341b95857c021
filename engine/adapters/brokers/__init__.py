"""Venues that take orders."""
