"""The commands: what the panel does, without a browser. It speaks to the engine over HTTP only."""

from engine.cli.entry import main

__all__ = ["main"]
