"""What adapters share that talk to a venue over a network; no vendor and no trading in here."""
