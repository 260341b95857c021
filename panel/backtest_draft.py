"""What the backtest form holds, and how it becomes the request that the engine is sent. Pure.

The form shows percent and days; the engine takes exact fractions, basis points and moments. What
cannot be read as a number is sent as it was typed: the engine says what is wrong with it.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from engine.contracts.backtests import BacktestRequest, FileSource
from panel.bot_draft import exit_body, exit_draft, fraction, scaled

PREFIX = "backtest_"
FILES = "files"
SAME = "the same"
PERIOD_DAYS = 180
REPLAY = "replay:"

DEFAULTS: Mapping[str, Any] = {
    "name": "", "notes": "", "market": "simulated", "files": [], "symbols": ["BTC/USDT"],
    "fine": SAME, "timeframe": "1h", "since": None, "until": None,
    "strategy": "rsi", "params": {}, "cash": "10000", "amount": "", "reinvest": True,
    "direction": "long", "max_entries": 1, "fee": 0.1, "slippage": 0.01, "spread": 0.0,
    "volume": None, "has_rules": True,
    "has_stop": False, "stop": 2.0, "has_target": False, "target": 5.0,
    "has_trailing": False, "trailing": 1.5, "has_limit": False, "limit": 4, "limit_unit": "hours",
    "roi": "",
}  # fmt: skip


def first_draft(today: date) -> dict[str, Any]:
    """The form's content at first: half a year of the simulated market."""
    return {**DEFAULTS, "since": first_day(today)}


def file_draft(name: str, timeframe: str | None) -> dict[str, Any]:
    """The form's content for a whole candle file, on its own candles."""
    chosen = {"market": FILES, "files": [name]}
    return {**DEFAULTS, **chosen, "timeframe": timeframe or DEFAULTS["timeframe"]}


def first_day(today: date) -> date:
    """From when a market is tested unless it is said."""
    return today - timedelta(days=PERIOD_DAYS)


def draft_of(request: BacktestRequest) -> dict[str, Any]:
    """The form's content for a request that was made before."""
    source, terms = request.source, request.terms
    draft = {
        **DEFAULTS,
        "name": request.name,
        "notes": request.notes,
        "timeframe": request.timeframe,
        "since": None if request.since is None else request.since.date(),
        "until": None if request.until is None else _last_day(request.until),
        "strategy": request.strategy,
        "params": dict(request.params),
        "cash": f"{terms.cash:f}",
        "amount": "" if terms.amount is None else f"{terms.amount:f}",
        "reinvest": terms.reinvest,
        "direction": terms.direction.value,
        "max_entries": terms.max_entries,
        "fee": float(terms.fee_bps / 100),
        "slippage": float(terms.slippage_bps / 100),
        "spread": float(terms.spread_bps / 100),
        "volume": None if terms.volume_cap is None else float(terms.volume_cap * 100),
        "has_rules": request.has_market_rules,
        **exit_draft(terms.exits),
    }
    if isinstance(source, FileSource):
        return {**draft, "market": FILES, "files": list(source.files)}
    return {
        **draft,
        "market": source.market,
        "symbols": list(source.symbols),
        "fine": source.fine_timeframe or SAME,
    }


def body_of(draft: Mapping[str, Any]) -> dict[str, Any]:
    """The request of a draft; amounts as decimal text, whole days as moments in UTC."""
    return {
        "name": draft["name"].strip(),
        "notes": draft["notes"],
        "strategy": draft["strategy"] or "",
        "params": dict(draft["params"]),
        "source": _source(draft),
        "timeframe": draft["timeframe"],
        "since": _midnight(draft["since"]),
        "until": _midnight(draft["until"], days=1),
        "has_market_rules": draft["has_rules"],
        "terms": {
            "cash": _plain(draft["cash"]),
            "amount": _plain(draft["amount"]) or None,
            "reinvest": draft["reinvest"],
            "direction": draft["direction"],
            "max_entries": draft["max_entries"],
            "fee_bps": _bps(draft["fee"]),
            "slippage_bps": _bps(draft["slippage"]),
            "spread_bps": _bps(draft["spread"]),
            "volume_cap": fraction(draft["volume"]) or None,
            "exits": exit_body(draft),
        },
    }


def file_names(market_ids: list[str]) -> list[str]:
    """The candle files among the markets that the engine offers, by name."""
    paths = [one.removeprefix(REPLAY) for one in market_ids if one.startswith(REPLAY)]
    return sorted(path.replace("\\", "/").rsplit("/", 1)[-1] for path in paths)


def _source(draft: Mapping[str, Any]) -> dict[str, Any]:
    if draft["market"] == FILES:
        return {"kind": "files", "files": list(draft["files"])}
    fine = draft["fine"]
    return {
        "kind": "market",
        "market": draft["market"] or "",
        "symbols": list(draft["symbols"]),
        "fine_timeframe": None if fine == SAME else fine,
    }


def _midnight(day: date | None, days: int = 0) -> str | None:
    if day is None:
        return None
    return datetime.combine(day + timedelta(days=days), time(), UTC).isoformat()


def _last_day(until: datetime) -> date:
    """The last day before a moment, which the form shows as included."""
    return (until - timedelta(microseconds=1)).date()


def _plain(text: str) -> str:
    return text.replace(",", "").replace(" ", "")


def _bps(percent: float | None) -> str:
    return "" if percent is None else scaled(str(percent), 100)
