"""Providers of news: one vendor, one file."""
