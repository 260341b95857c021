"""The whole engine on PostgreSQL: the trades of SQLite to the last digit, kills in between."""

from pathlib import Path
from typing import Any

from tests.support.client import Client, eventually
from tests.support.market import eth_btc
from tests.support.processes import copy_of_quarterdeck

CANDLES = 300
KILLS = 3
OWN = ("id", "bot_id", "account_id")
"""What differs between two bots that do the same."""


def first_candles(folder: Path) -> Path:
    """The beginning of the real candles."""
    lines = eth_btc(folder).read_text("utf-8").splitlines(keepends=True)
    path = folder / "short" / "ETH-BTC.5m.csv"
    path.parent.mkdir()
    path.write_text("".join(lines[: CANDLES + 1]), "utf-8")
    return path


def begin(client: Client, candles: Path, speed: int) -> str:
    """Create and start the bot of the replay; its id."""
    bot = client.create_bot(
        name="replay", market=f"replay:{candles}?speed={speed}", symbol="ETH/BTC", timeframe="5m",
        strategy="ma_cross", params={"fast": 3, "slow": 9}, amount="1", direction="both",
        trailing_stop="0.004",
    )  # fmt: skip
    client.post(f"/bots/{bot['id']}/start")
    return str(bot["id"])


def outcome(client: Client, bot_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The bot's sums and its trades at the end of the replay."""
    bot = client.wait_for_state(bot_id, "stopped", timeout_s=60)
    assert bot["reason"].startswith("The replay has ended.")
    decisions = client.get(f"/bots/{bot_id}/decisions", limit=5000)
    assert len({one["candle_time"] for one in decisions}) == len(decisions) == CANDLES
    sums = {name: bot[name] for name in ("realised_pnl", "trade_count", "win_count", "position")}
    if sums["position"]:
        sums["position"] = {k: v for k, v in sums["position"].items() if k not in OWN}
    trades = client.get("/trades", bot_id=bot_id, limit=5000)["items"]
    return sums, [{k: v for k, v in trade.items() if k not in OWN} for trade in trades]


def _wait_for_decisions(client: Client, bot_id: str, least: int) -> None:
    eventually(
        lambda: len(client.get(f"/bots/{bot_id}/decisions", limit=5000)),
        lambda count: count >= least,
    )


def test_postgresql_gives_the_trades_of_sqlite_through_kills(
    tmp_path: Path, postgres_url: str
) -> None:
    candles = first_candles(tmp_path)
    with copy_of_quarterdeck(tmp_path / "calm") as calm:
        calm.start_engine()
        client = Client(calm)
        # 36,000 times real time: about 120 candles a second, so that kills fall into the middle.
        expected = outcome(client, begin(client, candles, speed=36_000))
    assert len(expected[1]) > 20
    assert {trade["exit_reason"] for trade in expected[1]} >= {"signal", "trailing_stop"}

    variables = {"QUARTERDECK_DATABASE_URL": postgres_url}
    with copy_of_quarterdeck(tmp_path / "killed", **variables) as copy:
        copy.start_engine()
        client = Client(copy)
        bot_id = begin(client, candles, speed=36_000)
        for kill in range(1, KILLS + 1):
            _wait_for_decisions(client, bot_id, kill * CANDLES // (KILLS + 2))
            copy.kill_engine()
            copy.start_engine()
        assert outcome(client, bot_id) == expected
        check_fills(client, bot_id)
    assert not (tmp_path / "killed" / "state.db").exists()


def check_fills(client: Client, bot_id: str) -> None:
    """No fill is there twice, and each belongs to an order that says the same."""
    fills = client.get(f"/bots/{bot_id}/fills", limit=5000)
    orders = client.get(f"/bots/{bot_id}/orders", limit=5000)
    assert len({fill["trade_id"] for fill in fills}) == len(fills)
    filled = {order["client_id"]: order["filled"] for order in orders if order["filled"] != "0"}
    assert {fill["client_id"]: fill["quantity"] for fill in fills} == filled
