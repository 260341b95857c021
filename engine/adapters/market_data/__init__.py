"""Where candles and prices come from."""
