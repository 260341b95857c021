"""Clocks: the machine's, and one that tests turn by hand."""
