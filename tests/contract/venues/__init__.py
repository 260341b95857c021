"""One module a venue: its ``VENUES`` and ``OCO_VENUES`` join the contract suite, its ``TROUBLES``
are what its service can answer and what the broker makes of that."""
