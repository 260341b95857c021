"""Time-series databases."""
