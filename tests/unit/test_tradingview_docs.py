"""docs/tradingview.md says the truth: its messages read, its words are the reader's."""

import json
import re

import pytest

from engine.domain.message_words import ACTIONS, FIELDS, KINDS, spelled
from engine.domain.messages import MessageError, read_message
from engine.domain.signals import Expected, SignalAction
from tooling.place import ROOT

TEXT = (ROOT / "docs" / "tradingview.md").read_text("utf-8")
BLOCKS = re.findall(r"```(json|text)\n(.*?)```", TEXT, re.DOTALL)
MESSAGES = [
    message
    for kind, block in BLOCKS
    for message in ([block] if kind == "json" else block.strip().splitlines())
]
SAMPLES = {
    "ticker": "BTCUSDT", "exchange": "BINANCE", "close": "61000", "open": "61000", "high": "61100",
    "low": "60900", "volume": "5", "interval": "60", "time": "2026-01-31T09:00:00Z",
    "timenow": "2026-01-31T09:56:07Z", "syminfo.currency": "USDT", "syminfo.basecurrency": "BTC",
    "plot_0": "60500", "plot_19": "60500", 'plot("Name")': "60500",
    "strategy.order.action": "buy", "strategy.order.contracts": "0.5",
    "strategy.order.price": "61000", "strategy.order.id": "Long",
    "strategy.order.comment": "Long", "strategy.order.alert_message": "",
    "strategy.position_size": "0.5", "strategy.market_position": "long",
    "strategy.market_position_size": "0.5", "strategy.prev_market_position": "flat",
    "strategy.prev_market_position_size": "0",
}  # fmt: skip
"""Every placeholder that TradingView documents, with what it may become."""


def filled(message: str, **changes: str) -> str:
    """A message as TradingView sends it."""
    samples = SAMPLES | {name.replace("__", "."): value for name, value in changes.items()}
    return re.sub(r"\{\{(.+?)\}\}", lambda found: samples[found[1]], message)


@pytest.mark.parametrize("message", MESSAGES)
def test_every_message_of_the_page_reads(message: str) -> None:
    read = read_message(filled(message), "text/plain")
    if "{{timenow}}" in message:
        assert read.sent_at is not None
        assert read.identity, "four deliveries of it are one"
    if "{{" in message:
        with pytest.raises(MessageError, match="was not filled in"):
            read_message(message)


@pytest.mark.parametrize(
    ("action", "before", "now", "expected"),
    [("buy", "flat", "long", "open"), ("buy", "long", "long", "add"),
     ("sell", "long", "long", "close"), ("sell", "long", "flat", "close"),
     ("sell", "long", "short", "reverse"), ("buy", "short", "long", "reverse")],
)  # fmt: skip
def test_the_strategy_s_message_is_followed(
    action: str, before: str, now: str, expected: str
) -> None:
    sizes = {"flat": "0", "long": "2", "short": "2"}
    left = "1" if expected == "close" and now != "flat" else sizes[now]
    body = filled(
        MESSAGES[0], strategy__order__action=action, strategy__prev_market_position=before,
        strategy__market_position=now, strategy__prev_market_position_size=sizes[before],
        strategy__market_position_size=left,
    )  # fmt: skip
    assert read_message(body, "application/json").order.action == expected


def test_the_page_names_every_placeholder_and_every_word() -> None:
    assert set(re.findall(r"\{\{(.+?)\}\}", TEXT)) == set(SAMPLES)
    for word in (*SignalAction, *Expected, *(kind.value for kind in KINDS.values())):
        assert f"`{word}`" in TEXT
    named = {FIELDS.get(spelled(word)) for word in re.findall(r"`([\w.]+)`", TEXT)}
    named |= {FIELDS.get(spelled(key)) for key in re.findall(r'"(\w+)":', TEXT)}
    internal = {"percent", "previous", "previous_size", "market_size", "signed_size"}
    assert set(FIELDS.values()) - internal <= named
    assert set(ACTIONS.values()) == set(SignalAction)


def test_a_placeholder_within_json_stays_json() -> None:
    assert json.loads(MESSAGES[0])
