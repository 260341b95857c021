"""MetaTrader 5: a terminal on this machine, or one that a gateway lends."""
