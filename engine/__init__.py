"""Quarterdeck's engine: the one process that owns the scheduler, the brokers and the database."""

__version__ = "0.1.0"
