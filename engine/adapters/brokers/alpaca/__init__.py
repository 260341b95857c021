"""Alpaca, stocks and crypto, through alpaca-py: the SDK signs and carries, exact texts go in and
out."""
