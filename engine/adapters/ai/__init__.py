"""Models that can be asked; each provider is one module."""
