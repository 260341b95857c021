"""The sources of the table: each can be made, and gives what the form offers for it."""

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from engine.bootstrap_candles import build_candle_sources, build_candles
from engine.errors import ConfigError, NotFound
from engine.settings import Settings
from tests.fakes.clock import FakeClock


def test_every_offered_source_is_made_and_gives_the_lengths_of_the_form() -> None:
    sources = build_candle_sources(Settings(), FakeClock())
    ids = [one for kind in sources.kinds.values() for one in kind.offered]
    assert {"ccxt:binance", "alpaca", "alpaca:adjusted", "yahoo", "yahoo:adjusted"} <= set(ids)
    for kind in sources.kinds.values():
        for source_id in kind.offered:
            source = sources.get(source_id)
            assert source is sources.get(source_id)
            assert source.source_id == source_id
            # Exchanges differ: what one of them lacks it refuses with what it has.
            offered = {"1m", "1h", "1d"} if source_id.startswith("ccxt") else set(kind.timeframes)
            assert offered <= set(source.timeframes()), source_id


def test_any_exchange_of_ccxt_may_be_named_and_nothing_else() -> None:
    sources = build_candle_sources(Settings(), FakeClock())
    assert sources.get("ccxt:bitstamp").source_id == "ccxt:bitstamp"
    with pytest.raises(NotFound, match="knows no exchange"):
        sources.get("ccxt:mars")
    for unknown in ("mars", "yahoo:live", "", "alpaca:"):
        with pytest.raises(ConfigError, match="There is no source"):
            sources.get(unknown)


def test_a_key_is_said_to_be_needed_until_there_is_one() -> None:
    without = build_candle_sources(Settings(), FakeClock())
    keyed = Settings(alpaca_key=SecretStr("AK"), alpaca_secret=SecretStr("S3-CR3T"))
    assert "QUARTERDECK_ALPACA_KEY" in without.kinds["alpaca"].needs
    assert build_candle_sources(keyed, FakeClock()).kinds["alpaca"].needs == ""
    assert keyed.alpaca_keys == ("AK", "S3-CR3T")
    assert "S3-CR3T" not in repr(keyed)


@pytest.mark.parametrize("url", ["http://example.com", "ftp://x", "https://x/path?key=1"])
def test_keys_are_sent_to_no_address_without_encryption(url: str) -> None:
    with pytest.raises(ValidationError):
        Settings(alpaca_data_url=url)


def test_the_library_is_in_the_data_folder(tmp_path: Path) -> None:
    library, _ = build_candles(Settings(data=tmp_path))
    assert library.list() == []
    assert list(tmp_path.iterdir()) == []
