"""The engine's verbs: each module does one thing a user or the scheduler asks for."""
