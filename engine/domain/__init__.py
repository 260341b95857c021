"""What trading is, without any I/O: pure functions and frozen values."""
