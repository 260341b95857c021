"""TradingView's placeholders: what each becomes when an alert fires, and a sample of it. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

ANY, STRATEGY, INDICATOR = "every alert", "a strategy's alert", "an indicator's alert"
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Placeholder:
    """``name`` stands between double braces; ``where`` it is filled in; elsewhere it is left as it
    stands, or is empty. ``sample`` is empty for a time."""

    name: str
    meaning: str
    sample: str
    where: str = ANY


PLACEHOLDERS: tuple[Placeholder, ...] = (
    Placeholder("ticker", "the symbol, as BTCUSDT or AAPL", "BTCUSDT"),
    Placeholder("exchange", "the exchange; delayed prices end in _DL or _DLY", "BINANCE"),
    Placeholder("interval", "the chart's timeframe, in minutes or as 1D", "15"),
    Placeholder("time", "the beginning of the bar (UTC); the same for all alerts of that bar", ""),
    Placeholder("timenow", "when the alert fired (UTC), to the second: the time of the signal", ""),
    Placeholder("open", "the bar's opening price", "64100.5"),
    Placeholder("high", "the bar's highest price", "64400.0"),
    Placeholder("low", "the bar's lowest price", "64000.0"),
    Placeholder("close", "the bar's last price", "64250.1"),
    Placeholder("volume", "the bar's volume", "12.5"),
    Placeholder("syminfo.currency", "the quote asset", "USDT"),
    Placeholder("syminfo.basecurrency", "the base asset", "BTC"),
    Placeholder("plot_0", "the indicator's first line; up to plot_19", "63800.0", INDICATOR),
    Placeholder('plot("Stop")', "the indicator's line of that name", "63000.0", INDICATOR),
    Placeholder("strategy.order.action", "buy or sell, of the order that filled", "buy", STRATEGY),
    Placeholder("strategy.order.contracts", "how many it bought or sold", "0.5", STRATEGY),
    Placeholder("strategy.order.price", "the price it filled at", "64250.1", STRATEGY),
    Placeholder("strategy.order.id", "the order's name in the script: not of one signal alone",
                "Long", STRATEGY),
    Placeholder("strategy.order.comment", "its comment, else its name", "breakout", STRATEGY),
    Placeholder("strategy.order.alert_message", "the text that the script gave the order: the whole"
                " message may come from there", '{"action": "open", "side": "long"}', STRATEGY),
    Placeholder("strategy.market_position", "long, short or flat, after the order", "long",
                STRATEGY),
    Placeholder("strategy.market_position_size", "its size, without a sign", "0.5", STRATEGY),
    Placeholder("strategy.position_size", "its size, negative when short", "0.5", STRATEGY),
    Placeholder("strategy.prev_market_position", "long, short or flat, before the order", "flat",
                STRATEGY),
    Placeholder("strategy.prev_market_position_size", "its size before, without a sign", "0",
                STRATEGY),
)  # fmt: skip

_MARK = re.compile(r"\{\{\s*([^{}]{1,80}?)\s*\}\}")


def filled(message: str, present: datetime, ticker: str = "") -> str:
    """A message as TradingView would send it now, with samples, of which ``ticker`` may be given;
    what it does not know is left."""
    samples = {one.name: one.sample or present.strftime(TIME_FORMAT) for one in PLACEHOLDERS}
    if ticker:
        samples["ticker"] = ticker

    def sample(found: re.Match[str]) -> str:
        name = found[1]
        if re.fullmatch(r"plot_1?\d|plot\(.+\)", name):
            return samples.get(name, samples["plot_0"])
        return samples.get(name, found[0])

    return _MARK.sub(sample, message)


def unknown(message: str) -> Sequence[str]:
    """Placeholders that TradingView does not know; it sends them as they stand."""
    return list(dict.fromkeys(_MARK.findall(filled(message, datetime.min.replace(tzinfo=UTC)))))
