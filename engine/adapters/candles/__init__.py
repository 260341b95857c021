"""Where candles are kept, where they come from, and files of other programs."""
