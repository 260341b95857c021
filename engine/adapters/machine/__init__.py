"""The machine the engine runs on."""
