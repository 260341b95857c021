"""Where finished backtests keep their arrays."""
