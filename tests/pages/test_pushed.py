"""What MetaTrader pushes, on screen: silent is not quiet, and text from outside stays text."""

from streamlit.testing.v1 import AppTest

from engine.contracts.bridge import SymbolCount
from engine.contracts.metatrader import PriceSignal
from engine.services.take_prices import Envelope
from panel.pushed_view import indicator_words
from tests.pages.conftest import FakeEngine, open_page, words


def open_pushed() -> AppTest:
    """The tab of what is pushed."""
    app = open_page("candles", {"tab": "MetaTrader"})
    assert not app.exception
    return app


def push(engine: FakeEngine, account: str, **fields: object) -> None:
    """A message of prices."""
    told = {"symbol": "EURUSD", "bid": 1.1, "ask": 1.1002, "account": account} | fields
    signal = PriceSignal.model_validate(told)
    engine.services.metatrader.take_prices(signal, Envelope(f"{fields}"))


def test_before_anything_came_it_is_said_what_to_do(fake_engine: FakeEngine) -> None:
    shown = words(open_pushed())
    assert "Nothing has been pushed yet" in shown
    assert "deploy/metatrader" in shown


def test_advisors_symbols_and_indicators_are_shown_as_they_were_told(
    fake_engine: FakeEngine,
) -> None:
    bar = {"open": 1.1, "high": 1.1, "low": 1.1, "close": 1.1}
    push(fake_engine, "51", ohlc=bar, server="<b>Demo</b>", indicators={"rsi_14": 51.5})
    fake_engine.services.metatrader.offers("51", "7")
    advisors, symbols = (table.value for table in open_pushed().dataframe)
    assert list(advisors["State"]) == ["prices only"]
    assert list(advisors["Server"]) == ["<b>Demo</b>"]
    assert list(advisors["Kind"]) == ["not told"]
    assert list(symbols["Symbol"]) == ["EURUSD"]
    assert list(symbols["Bars"]) == ["1m"]
    assert list(symbols["Indicators"]) == ["rsi_14 51.5"]


def test_many_indicators_are_counted(fake_engine: FakeEngine) -> None:
    push(fake_engine, "52", indicators={f"i{number}": number for number in range(11)})
    [symbol] = [
        one for one in fake_engine.services.metatrader.statistics().symbols if one.account == "52"
    ]
    assert isinstance(symbol, SymbolCount)
    assert indicator_words(symbol).endswith("i7 7, and 3 more")
