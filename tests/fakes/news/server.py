"""A loopback server that answers like NewsAPI, Finnhub and Alpha Vantage, faults included.

After newsapi.org/docs/endpoints/everything and /errors, finnhub.io/docs/api (company-news,
market-news, rate limit) and alphavantage.co/documentation (NEWS_SENTIMENT); Alpha Vantage's limits
and refusals are known to come with status 200, as a message that may have the key in it.
"""

import json
import re
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "canary-news-key-31337"
Reply = tuple[int, Any]
WIRE_FAULTS = frozenset({"junk", "cut", "huge", "slow", "moved"})


@dataclass(frozen=True)
class Article:
    """What a paper has written; ``about`` is the ticker, ``score`` its sentiment."""

    about: str
    at: datetime
    title: str
    summary: str = ""
    url: str = "https://paper.example/1"
    score: float = 0.25


class NewsVendors:
    """``faults`` are taken one a request: a status, "junk", "cut", "huge", "slow", "moved",
    "limit" (of the day) or "key"; ``asked`` are paths with their queries, ``edit`` replaces the
    whole answer of a question."""

    def __init__(self) -> None:
        self.articles: list[Article] = []
        self.faults: deque[int | str] = deque()
        self.retry_after = ""
        self.edit: Any = None
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.released = threading.Event()
        self.url = ""

    def answer(self, path: str, query: dict[str, str], headers: Any) -> Reply:
        """Status and body of a request."""
        fault = str(self.faults.popleft()) if self.faults else ""
        if path == "/v2/everything":
            is_known = headers.get("X-Api-Key") == KEY
            return self._newsapi(query, fault or ("" if is_known else "key"))
        if path in ("/api/v1/news", "/api/v1/company-news"):
            is_known = headers.get("X-Finnhub-Token") == KEY
            return self._finnhub(path, query, fault or ("" if is_known else "key"))
        if path == "/query":
            is_known = query.get("apikey") == KEY
            return self._alphavantage(query, fault or ("" if is_known else "key"))
        return 404, {"error": f"no {path} here"}

    # --- NewsAPI
    def _newsapi(self, query: dict[str, str], fault: str) -> Reply:
        if fault == "key":
            return 401, _newsapi_error("apiKeyInvalid", f"Your API key {KEY} is invalid.")
        if fault == "limit":
            return 429, _newsapi_error("rateLimited", "You have made too many requests recently.")
        if fault:
            return int(fault), _newsapi_error("unexpectedError", "This shouldn't happen.")
        since = datetime.fromisoformat(query["from"]).replace(tzinfo=UTC)
        found = [
            {"source": {"id": None, "name": "Paper"}, "author": None, "title": one.title,
             "description": one.summary, "url": one.url, "urlToImage": None,
             "publishedAt": f"{one.at:%Y-%m-%dT%H:%M:%SZ}", "content": "cut [+99 chars]"}
            for one in self._newest(since)
            if any(phrase in f"{one.title} {one.summary}"  # the words beside the phrases it ignores
                   for phrase in re.findall('"([^"]+)"', query["q"]))
        ]  # fmt: skip
        return 200, {"status": "ok", "totalResults": len(found), "articles": found}

    # --- Finnhub
    def _finnhub(self, path: str, query: dict[str, str], fault: str) -> Reply:
        if fault == "key":
            return 401, {"error": f"Invalid API key {KEY}"}
        if fault == "limit":
            return 429, {"error": "API limit reached. Please try again later."}
        if fault:
            return int(fault), {"error": "no"}
        is_company = path.endswith("company-news")
        articles = self._newest(datetime.fromtimestamp(0, UTC))
        if is_company:
            articles = [one for one in articles if one.about == query["symbol"]
                        and query["from"] <= f"{one.at:%Y-%m-%d}" <= query["to"]]  # fmt: skip
        return 200, [
            {"category": query.get("category", "company"), "datetime": int(one.at.timestamp()),
             "headline": one.title, "id": 7_000 + number, "image": "",
             "related": one.about if is_company else "", "source": "Paper",
             "summary": one.summary, "url": one.url}
            for number, one in enumerate(articles)
        ]  # fmt: skip

    # --- Alpha Vantage
    def _alphavantage(self, query: dict[str, str], fault: str) -> Reply:
        if fault == "key":
            return 200, {"Error Message": "the parameter apikey is invalid or missing."}
        if fault == "limit":
            return 200, {"Information": f"We have detected your API key as {KEY} and our standard "
                         "API rate limit is 25 requests per day."}  # fmt: skip
        if fault:
            return int(fault), {"message": "no"}
        since = datetime.strptime(query["time_from"], "%Y%m%dT%H%M").replace(tzinfo=UTC)
        tickers = query["tickers"].split(",")
        wanted = "".join(one.partition(":")[2] or one for one in tickers)
        found = [
            {"title": one.title, "url": one.url, "time_published": f"{one.at:%Y%m%dT%H%M%S}",
             "authors": [], "summary": one.summary, "banner_image": None, "source": "Paper",
             "topics": [], "overall_sentiment_score": -0.9, "overall_sentiment_label": "Bearish",
             "ticker_sentiment": [{"ticker": tickers[0], "relevance_score": "0.9",
                                   "ticker_sentiment_score": str(one.score),
                                   "ticker_sentiment_label": "Somewhat-Bullish"}]}
            for one in self._newest(since) if one.about == wanted
        ]  # fmt: skip
        if not found:
            return 200, {"Information": "No articles found. Please adjust the time range or refer "
                         "to the API documentation."}  # fmt: skip
        return 200, {"items": str(len(found)), "feed": found}

    def _newest(self, since: datetime) -> list[Article]:
        found = [one for one in self.articles if one.at >= since]
        return sorted(found, key=lambda one: one.at, reverse=True)


def _newsapi_error(code: str, message: str) -> dict[str, str]:
    return {"status": "error", "code": code, "message": message}


class _Handler(BaseHTTPRequestHandler):
    """Answers for ``state``, which each server's own subclass has."""

    state: NewsVendors

    def do_GET(self) -> None:
        state = self.state
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        state.asked.append((address.path, query))
        if not state.faults or state.faults[0] not in WIRE_FAULTS:
            status, body = state.answer(address.path, query, self.headers)
            self._send(status, json.dumps(body if state.edit is None else state.edit).encode())
            return
        fault = state.faults.popleft()
        if fault == "junk":
            self._send(200, b"<html>maintenance</html>")
        elif fault == "cut":
            self._send(200, b'{"status": "ok", "articles": [', whole=9_999)
        elif fault == "moved":
            self._send(302, b"")
        elif fault == "slow":
            state.released.wait(30)
        else:
            self._pour()

    def _pour(self) -> None:
        """More than anybody may be told."""
        self.send_response(200)
        self.end_headers()
        try:
            for _ in range(80):
                self.wfile.write(b"[" * 65_536)
        except OSError:
            self.close_connection = True

    def _send(self, status: int, body: bytes, whole: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(whole or len(body)))
        if status == 302:
            self.send_header("Location", f"http://127.0.0.1:9/{KEY}")
        if self.state.retry_after:
            self.send_header("Retry-After", self.state.retry_after)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@contextmanager
def news_vendors() -> Iterator[NewsVendors]:
    """A server on a free port of the loopback, until the end of the block."""
    state = NewsVendors()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"state": state}))
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
