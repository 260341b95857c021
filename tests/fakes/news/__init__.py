"""Providers of news on the loopback, and one in memory."""

from tests.fakes.news.server import KEY, NewsVendors, news_vendors
from tests.fakes.news.source import FakeNewsSource

__all__ = ["KEY", "FakeNewsSource", "NewsVendors", "news_vendors"]
