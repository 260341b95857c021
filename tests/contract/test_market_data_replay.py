"""The replay: files read to the last digit, time moved by steps, fills at the bars' prices."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from engine.adapters.market_data.replay import ReplayMarket, find_replays
from engine.domain.instruments import InstrumentKind
from engine.domain.money import exact
from engine.errors import ConfigError, DataError
from engine.links.candle_files import read_candle_file
from engine.ports import SteppedMarket, has_steps

HEADER = "timestamp,open,high,low,close,volume\n"
ROWS = (
    "2018-01-10T00:00:00Z,0.0984,0.0994766,0.09828605,0.0994766,1820.5\n"
    "2018-01-10T00:05:00Z,0.09946999,0.0997238,0.099,0.09969,2527.9\n"
    "2018-01-10T00:10:00Z,0.0997,0.0999,0.0995,0.0996,100\n"
    "2018-01-10T00:20:00Z,0.0990,0.0999,0.0985,0.0986,50\n"
)
START = datetime(2018, 1, 10, tzinfo=UTC)


def replay(folder: Path, text: str = HEADER + ROWS, name: str = "ETH-BTC.5m.csv") -> ReplayMarket:
    (folder / name).write_text(text)
    return ReplayMarket(f"replay:{folder / name}")


def at(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def test_the_file_names_the_symbol(tmp_path: Path) -> None:
    market = replay(tmp_path)
    assert isinstance(market, SteppedMarket)
    assert has_steps(market)
    instrument = market.instrument("ETH/BTC")
    assert instrument == market.instrument("ETH-BTC")
    assert (instrument.base, instrument.quote) == ("ETH", "BTC")
    assert instrument.price_tick == Decimal("1e-8")
    assert instrument.min_notional == Decimal("0.0001")
    assert market.timeframes()[:3] == ["5m", "15m", "30m"]


@pytest.mark.parametrize(
    ("name", "symbol", "quote", "kind"),
    [
        ("IBM.5m.csv", "IBM", "USD", InstrumentKind.STOCK),
        ("BRK.B.5m.csv", "BRK.B", "USD", InstrumentKind.STOCK),
        ("EUR-USD.5m.csv", "EUR/USD", "USD", InstrumentKind.FOREX),
        ("btc-usdt.csv", "BTC/USDT", "USDT", InstrumentKind.CRYPTO),
    ],
)
def test_names_of_files(
    tmp_path: Path, name: str, symbol: str, quote: str, kind: InstrumentKind
) -> None:
    instrument = replay(tmp_path, name=name).instruments()[0]
    assert (instrument.symbol, instrument.quote, instrument.kind) == (symbol, quote, kind)


def test_prices_are_the_files_digits(tmp_path: Path) -> None:
    market = replay(tmp_path)
    market.seek(at(10))
    candles = market.candles("ETH/BTC", "5m", limit=2)
    assert [exact(price) for price in candles.low] == [Decimal("0.09828605"), Decimal("0.099")]


def test_time_goes_by_steps_over_gaps_to_the_end(tmp_path: Path) -> None:
    market = replay(tmp_path)
    assert market.now() == START
    steps, moment = [], market.next_step("5m", None)
    while moment is not None:
        steps.append(moment)
        moment = market.next_step("5m", moment)
    assert steps == [at(5), at(10), at(15), at(25)]
    assert market.next_step("15m", None) == at(15)
    assert market.next_step("15m", at(15)) is None  # the second quarter is not whole


def test_candles_stop_at_now(tmp_path: Path) -> None:
    market = replay(tmp_path)
    assert len(market.candles("ETH/BTC", "5m", limit=10)) == 0
    market.seek(at(15) - timedelta(seconds=1))
    assert len(market.candles("ETH/BTC", "5m", limit=10)) == 2
    assert len(market.candles("ETH/BTC", "15m", limit=10)) == 0
    market.seek(at(15))
    joined = market.candles("ETH/BTC", "15m", limit=10)
    assert [float(joined.open[0]), float(joined.close[0])] == [0.0984, 0.0996]


def test_an_order_at_a_close_gets_the_next_open(tmp_path: Path) -> None:
    market = replay(tmp_path)
    market.seek(at(15))  # the next bar opens only five minutes later
    quote = market.quote("ETH/BTC")
    assert (quote.last, quote.bid, quote.ask) == (Decimal("0.099"),) * 3
    assert (quote.time, quote.volume) == (at(20), Decimal(50))


def test_a_seen_price_lies_in_the_bar_that_just_closed(tmp_path: Path) -> None:
    market = replay(tmp_path)
    market.seek(at(10))
    quote = market.quote("ETH/BTC", seen_price=Decimal("0.0995"))
    assert (quote.last, quote.time, quote.volume) == (Decimal("0.0995"), at(5), Decimal("2527.9"))
    with pytest.raises(DataError, match="not inside"):
        market.quote("ETH/BTC", seen_price=Decimal("0.0998"))


def test_after_the_last_bar_there_is_no_price(tmp_path: Path) -> None:
    market = replay(tmp_path)
    market.seek(at(25))
    with pytest.raises(DataError, match="has ended"):
        market.quote("ETH/BTC")
    assert market.quote("ETH/BTC", seen_price=Decimal("0.099")).time == at(20)


def test_the_speed_says_how_long_a_candle_takes(tmp_path: Path) -> None:
    market = replay(tmp_path)
    assert market.pause_s("5m") == 0
    assert ReplayMarket(f"{market.market_id}?speed=60").pause_s("5m") == 5
    for speed in ("-1", "fast", "nan", "inf"):
        with pytest.raises(ConfigError, match="speed"):
            ReplayMarket(f"{market.market_id}?speed={speed}")
    with pytest.raises(ConfigError, match="does not name a replay"):
        ReplayMarket(f"{market.market_id}?color=red")


def test_a_timeframe_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be joined"):
        replay(tmp_path).candles("ETH/BTC", "3m", limit=5)


@pytest.mark.parametrize("unit", [1, 1000])
def test_epochs_are_read_in_seconds_and_milliseconds(tmp_path: Path, unit: int) -> None:
    epoch = 1_515_542_400 * unit
    rows = f"{epoch},1,2,1,2,0\n{epoch + 60 * unit},2,2,1,1,0\n"
    market = replay(tmp_path, HEADER + rows, "X-USD.csv")
    assert market.now() == START
    assert market.timeframes()[0] == "1m"


def test_parquet_gives_the_same_candles(tmp_path: Path) -> None:
    market = replay(tmp_path)
    table = pd.read_csv(tmp_path / "ETH-BTC.5m.csv", parse_dates=["timestamp"])
    table.to_parquet(tmp_path / "ETH-BTC.5m.parquet")
    other = ReplayMarket(f"replay:{tmp_path / 'ETH-BTC.5m.parquet'}")
    for each in (market, other):
        each.seek(at(30))
    one, two = (each.candles("ETH/BTC", "5m", limit=9) for each in (market, other))
    assert (one.time == two.time).all()
    assert (one.high == two.high).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("timestamp,open,high,low,close\n2018-01-10T00:00:00Z,1,1,1,1\n", "no column volume"),
        (HEADER, "fewer than two"),
        ("", "cannot be read"),
        (HEADER + "2018-01-10T00:00:00Z,1,1,1,1,0\n2018-01-10T00:00:00Z,1,1,1,1,0\n",
         "row before in line 3"),
        (HEADER + "2018-01-10T00:05:00Z,1,1,1,1,0\n2018-01-10T00:00:00Z,1,1,1,1,0\n",
         "earlier than .* in line 3"),
        (HEADER + "2018-01-10T00:00:00Z,1,1,1,1,0\n2018-01-10T00:05:00Z,1,,1,1,0\n",
         "high is 'nan'.* in line 3"),
        (HEADER + "2018-01-10T00:00:00Z,1,1,1,one,0\n2018-01-10T00:05:00Z,1,1,1,1,0\n",
         "close is 'one'.* in line 2"),
        (HEADER + "2018-01-10T00:00:00Z,1,1,-1,1,0\n2018-01-10T00:05:00Z,1,1,1,1,0\n",
         "not above zero in line 2"),
        (HEADER + "2018-01-10T00:00:00Z,1,1,2,1,0\n2018-01-10T00:05:00Z,1,1,1,1,0\n",
         "high is below the low in line 2"),
        (HEADER + "2018-01-10T00:00:00Z,1,1,1,1,0\n2018-01-10T00:05:00Z,1,1,1,3,0\n",
         "high is below the open or the close in line 3"),
        (HEADER + "yesterday,1,1,1,1,0\n2018-01-10T00:05:00Z,1,1,1,3,0\n", "not a time in line 2"),
        (HEADER + "2018-01-10T00:00:00Z,1,1,1,1,0\n2018-01-10T00:01:00Z,1,1,1,1,0\n",
         "60 s apart"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_with_the_reason(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        replay(tmp_path, text)


def test_a_missing_or_misnamed_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        ReplayMarket(f"replay:{tmp_path}/ETH-BTC.5m.csv")
    with pytest.raises(ConfigError, match="name is not like"):
        replay(tmp_path, name="my candles.csv")


def test_replays_are_listed_by_name(tmp_path: Path) -> None:
    for name in ("ETH-BTC.5m.csv", "BTC-USD.1d.parquet", "notes.txt"):
        (tmp_path / name).touch()
    assert find_replays(tmp_path) == [
        f"replay:{tmp_path / 'BTC-USD.1d.parquet'}",
        f"replay:{tmp_path / 'ETH-BTC.5m.csv'}",
    ]
    assert find_replays(tmp_path / "absent") == []


def test_a_file_is_read_once_for_all_its_replays_and_anew_when_it_changed(tmp_path: Path) -> None:
    path = tmp_path / "ETH-BTC.5m.csv"
    head, candle = "timestamp,open,high,low,close,volume\n", "2026-01-01T00:{:02}:00Z,1,2,1,2,5\n"
    path.write_text(head + candle.format(0) + candle.format(5))
    first = read_candle_file(path)
    assert read_candle_file(path) is first
    path.write_text(head + candle.format(0) + candle.format(5) + candle.format(10))
    assert len(read_candle_file(path).candles) == 3
