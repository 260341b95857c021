"""The engine's HTTP door."""
