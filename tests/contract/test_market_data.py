"""What every market promises, over each implementation."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from engine.domain.money import from_epoch_ms, to_epoch_ms
from engine.domain.timeframes import timeframe_s
from engine.errors import NotFound
from tests.contract.market_subject import Subject
from tests.contract.markets import MARKETS


@pytest.fixture(params=list(MARKETS))
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    with MARKETS[request.param](tmp_path) as subject:
        yield subject


def test_instruments_can_be_found_by_their_symbol(subject: Subject) -> None:
    instruments = subject.market.instruments()
    symbols = [instrument.symbol for instrument in instruments]
    assert subject.symbol in symbols
    assert len(set(symbols)) == len(symbols)
    for instrument in instruments:
        assert subject.market.instrument(instrument.symbol) == instrument


def test_an_unknown_symbol_is_not_found_by_any_question(subject: Subject) -> None:
    market = subject.market
    with pytest.raises(NotFound):
        market.instrument("NO/PE")
    with pytest.raises(NotFound):
        market.candles("NO/PE", subject.timeframe, limit=10)
    with pytest.raises(NotFound):
        market.quote("NO/PE")
    with pytest.raises(NotFound):
        market.bars_since("NO/PE", market.now())


def test_timeframes_are_known_and_rise(subject: Subject) -> None:
    seconds = [timeframe_s(name) for name in subject.market.timeframes()]
    assert subject.timeframe in subject.market.timeframes()
    assert seconds == sorted(set(seconds))


def test_candles_are_closed_ordered_and_sound(subject: Subject) -> None:
    candles = subject.market.candles(subject.symbol, subject.timeframe, limit=50)
    assert len(candles) == 50
    assert (np.diff(candles.time) == timeframe_s(subject.timeframe) * 1000).all()
    assert candles.last_close_time <= subject.market.now()
    age = subject.market.now() - candles.last_close_time
    assert age.total_seconds() < timeframe_s(subject.timeframe)
    assert (candles.low <= np.minimum(candles.open, candles.close)).all()
    assert (candles.high >= np.maximum(candles.open, candles.close)).all()
    assert (candles.low > 0).all()
    assert (candles.volume >= 0).all()


def test_an_earlier_window_is_the_beginning_of_a_later_one(subject: Subject) -> None:
    market = subject.market
    whole = market.candles(subject.symbol, subject.timeframe, limit=40)
    middle = from_epoch_ms(int(whole.time[25]))
    part = market.candles(subject.symbol, subject.timeframe, limit=20, before=middle)
    for name in ("time", "open", "high", "low", "close", "volume"):
        assert (getattr(part, name) == getattr(whole, name)[5:25]).all()


def test_no_candles_are_given_when_none_are_wanted(subject: Subject) -> None:
    assert len(subject.market.candles(subject.symbol, subject.timeframe, limit=0)) == 0


def test_a_quote_is_a_price_of_now(subject: Subject) -> None:
    market = subject.market
    quote = market.quote(subject.symbol)
    assert quote.symbol == subject.symbol
    assert 0 < quote.bid <= quote.last <= quote.ask
    assert abs((quote.time - market.now()).total_seconds()) <= 60
    assert quote.last % market.instrument(subject.symbol).price_tick == 0


def test_bars_since_begin_where_asked_and_are_closed(subject: Subject) -> None:
    market = subject.market
    after = market.now() - timedelta(minutes=10)
    bars = market.bars_since(subject.symbol, after)
    assert len(bars) > 0
    assert int(bars.time[0]) >= to_epoch_ms(after)
    assert bars.last_close_time <= market.now()
    assert len(market.bars_since(subject.symbol, market.now() + timedelta(days=2))) == 0
