"""Where secrets are kept: sealed by one key, which is kept apart from them."""
