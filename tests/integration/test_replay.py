"""Real candles through the whole engine: each decided once, books that add up."""

from decimal import Decimal
from pathlib import Path

from tests.support.books import check_books, rows, total
from tests.support.client import Client
from tests.support.market import COUNT, eth_btc
from tests.support.processes import Copy


def test_every_candle_of_a_replay_is_decided_once_and_the_trades_add_up(
    quarterdeck: Copy, tmp_path: Path
) -> None:
    quarterdeck.start_engine()
    client = Client(quarterdeck)
    bot = client.create_bot(
        name="replay",
        market=f"replay:{eth_btc(tmp_path)}",
        symbol="ETH/BTC",
        timeframe="5m",
        amount="1",
    )
    client.post(f"/bots/{bot['id']}/start")
    ended = client.wait_for_state(bot["id"], "stopped", timeout_s=200)
    assert ended["reason"].startswith("The replay has ended.")

    data = quarterdeck.place.data
    decided = rows(data, "SELECT candle_time FROM decisions WHERE bot_id = ?", bot["id"])
    assert len(decided) == COUNT
    assert len({row["candle_time"] for row in decided}) == COUNT
    trades = rows(data, "SELECT * FROM trades")
    assert len(trades) > 20, "an RSI bot trades on twenty days of five-minute candles"
    assert {row["exit_reason"] for row in trades} >= {"signal"}
    check_books(data, ended)

    page = client.get("/trades", bot_id="replay")
    assert page["count"] == len(trades)
    assert Decimal(page["totals"][0]["pnl"]) == total(trades, "pnl")
    print(f"{len(trades)} trades, {total(trades, 'pnl')} BTC")
