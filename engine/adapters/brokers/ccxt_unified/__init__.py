"""A spot account at any exchange that ccxt knows, through what is the same of all of them."""
