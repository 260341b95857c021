"""The outside world: one vendor, one file. Only bootstrap imports from here."""
