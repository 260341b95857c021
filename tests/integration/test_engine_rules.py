"""The trading rules through the whole engine, on candles so plain that trades are known by hand.

The venue takes 0.1 % and no slippage unless said otherwise: 1001 USDT buy exactly 10 at 100, and
the fee is exactly 1.
"""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.books import check_books
from tests.support.client import Client
from tests.support.processes import Copy, copy_of_quarterdeck
from tests.support.scripted import Prices, minute, planned_bot, write_planned

FLAT: Prices = (100,)


class Engine(NamedTuple):
    """A running engine whose only strategy follows a plan."""

    copy: Copy
    client: Client


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("rules")
    write_planned(folder / "strategies")
    with copy_of_quarterdeck(
        folder / "data",
        QUARTERDECK_STRATEGIES=str(folder / "strategies"),
        QUARTERDECK_PAPER_SLIPPAGE_BPS="0",
    ) as copy:
        copy.start_engine()
        yield Engine(copy, Client(copy))


def finish(engine: Engine, bot_id: str) -> list[dict[str, Any]]:
    """The trades of a replay once it has ended, oldest first; its books are checked as well."""
    client = engine.client
    ended = client.wait_for_state(bot_id, "stopped", timeout_s=60)
    assert ended["reason"].startswith("The replay has ended.")
    check_books(engine.copy.place.data, ended)
    trades: list[dict[str, Any]] = client.get("/trades", bot_id=bot_id)["items"]
    return trades[::-1]


def play(engine: Engine, folder: Path, bars: list[Prices], **changes: Any) -> list[dict[str, Any]]:
    """The trades of a bot over ``bars``, oldest first."""
    return finish(engine, planned_bot(engine.client, folder, bars, **changes))


class Exit(NamedTuple):
    """One position entered at candle 1's open at 100, 10 units: its bars, rules and its end."""

    bars: list[Prices]
    rules: dict[str, Any]
    at: int
    price: str
    reason: str
    pnl: str


LONG_EXITS = {
    "stop_loss": Exit([(100, 100, 99, 99), (99, 99, 97.5, 97.5)], {"stop_loss": "0.02"},
                      2, "98", "stop_loss", "-21.98"),
    "take_profit": Exit([(100, 104, 100, 104), (104, 106, 104, 106)], {"take_profit": "0.05"},
                        2, "105", "take_profit", "47.95"),
    "gap_through_the_stop": Exit([(100,), (95, 96, 94, 95)], {"stop_loss": "0.02"},
                                 2, "95", "stop_loss", "-51.95"),
    "gap_over_the_target": Exit([(100,), (107, 108, 106, 107)], {"take_profit": "0.05"},
                                2, "107", "take_profit", "67.93"),
    "both_in_one_bar": Exit([(100,), (100, 106, 97, 105)],
                            {"stop_loss": "0.02", "take_profit": "0.05"},
                            2, "98", "stop_loss", "-21.98"),
    "on_the_entry_bar": Exit([(100, 100, 97, 97)], {"stop_loss": "0.02"},
                             1, "98", "stop_loss", "-21.98"),
    # Bar 1 raises the stop to 107.80 and its own low does not hit it: the order within it is
    # not known.
    "trailing": Exit([(100, 110, 100, 109), (109, 109, 107, 107)], {"trailing_stop": "0.02"},
                     2, "107.8", "trailing_stop", "75.922"),
    "trailing_below_the_entry": Exit([(100,), (100, 100, 97, 97)], {"trailing_stop": "0.02"},
                                     2, "98", "trailing_stop", "-21.98"),
    "time_limit": Exit([(100,), (101,), (103, 104, 103, 104)], {"time_limit_s": 120},
                       3, "103", "time_limit", "27.97"),
    "roi_step": Exit([(100, 103, 100, 101), (101, 103, 101, 101), (101, 103, 101, 103)],
                     {"roi_steps": [{"after_s": 0, "profit": "0.1"},
                                    {"after_s": 120, "profit": "0.02"}]},
                     3, "102", "roi", "17.98"),
}  # fmt: skip


SHORT_EXITS = {
    "short_stop_loss": Exit([(100, 103, 100, 103)], {"stop_loss": "0.02"},
                            1, "102", "stop_loss", "-22.02"),
    "short_take_profit": Exit([(100, 100, 94, 95)], {"take_profit": "0.05"},
                              1, "95", "take_profit", "48.05"),
    "short_gap": Exit([(100,), (106, 107, 105, 106)], {"stop_loss": "0.02"},
                      2, "106", "stop_loss", "-62.06"),
    "short_trailing": Exit([(100, 100, 90, 91), (91, 92, 91, 92)], {"trailing_stop": "0.02"},
                           2, "91.8", "trailing_stop", "80.082"),
}  # fmt: skip


@pytest.fixture(scope="module")
def exits(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A started bot for each case; they play side by side."""
    folder = tmp_path_factory.mktemp("exits")
    bots = {}
    for name, case in LONG_EXITS.items():
        bars = [FLAT, *case.bars, FLAT]
        bots[name] = planned_bot(engine.client, folder / name, bars, plan="0L", **case.rules)
    for name, case in SHORT_EXITS.items():
        bots[name] = planned_bot(
            engine.client, folder / name, [FLAT, *case.bars, FLAT], plan="0S",
            direction="short", amount="1000", **case.rules,
        )  # fmt: skip
    return bots


@pytest.mark.parametrize("name", LONG_EXITS)
def test_a_long_position_ends_where_its_rule_says(
    engine: Engine, exits: dict[str, str], name: str
) -> None:
    case, [trade] = LONG_EXITS[name], finish(engine, exits[name])
    assert trade["exit_reason"] == case.reason
    assert (trade["entry_time"], trade["exit_time"]) == (minute(1), minute(case.at))
    assert (trade["entry_price"], trade["quantity"], trade["entry_value"]) == ("100", "10", "1000")
    value = Decimal(case.price) * 10
    assert trade["exit_price"] == case.price
    assert Decimal(trade["fees"]) == 1 + value / 1000
    assert trade["pnl"] == case.pnl
    assert Decimal(trade["pnl"]) == value - 1000 - 1 - value / 1000


@pytest.mark.parametrize("name", SHORT_EXITS)
def test_a_short_position_ends_where_its_rule_says(
    engine: Engine, exits: dict[str, str], name: str
) -> None:
    case, [trade] = SHORT_EXITS[name], finish(engine, exits[name])
    assert (trade["side"], trade["quantity"], trade["entry_price"]) == ("short", "10", "100")
    assert (trade["exit_reason"], trade["exit_time"]) == (case.reason, minute(case.at))
    assert (trade["exit_price"], trade["pnl"]) == (case.price, case.pnl)


def test_a_signal_is_traded_at_the_next_open(engine: Engine, tmp_path: Path) -> None:
    bars = [FLAT, (100, 101, 99, 100), (104, 110, 104, 108), (110, 111, 109, 110), FLAT]
    [trade] = play(engine, tmp_path / "signal", bars, plan="0L 2l")
    assert (trade["entry_time"], trade["exit_time"]) == (minute(1), minute(3))
    assert (trade["exit_price"], trade["exit_reason"]) == ("110", "signal")
    assert trade["pnl"] == "97.9"  # 1100 - 1000 - 1 - 1.1


def test_three_entries_make_one_position_and_a_fourth_is_refused(
    engine: Engine, tmp_path: Path
) -> None:
    bars: list[Prices] = [FLAT, FLAT, (200,), (50,), (80,), FLAT, FLAT]
    [trade] = play(
        engine, tmp_path / "pyramid", bars, plan="0L 1L 2L 3L 4l", max_entries=3
    )  # fmt: skip
    # 10 at 100, 5 at 200 and 20 at 50, each for 1001 with its fee.
    assert (trade["entry_count"], trade["quantity"], trade["entry_value"]) == (3, "35", "3000")
    assert trade["entry_price"] == "85.714285714286"
    assert (trade["exit_value"], trade["fees"], trade["pnl"]) == ("3500", "6.5", "493.5")
    decisions = engine.client.get("/bots/pyramid/decisions")
    [refused] = [one for one in decisions if one["candle_time"] == minute(3)]
    assert refused["action"] == "hold"
    assert refused["reason"] == "already in position with 3 of 3 entries"


def test_a_reversal_closes_the_long_and_opens_a_short_with_its_proceeds(
    engine: Engine, tmp_path: Path
) -> None:
    bars: list[Prices] = [FLAT, FLAT, (110,), (110,), FLAT, FLAT]
    long, short = play(engine, tmp_path / "both", bars, plan="0L 2S 4s", direction="both")
    assert (long["side"], long["pnl"], long["exit_time"]) == ("long", "97.9", minute(3))
    assert (short["side"], short["entry_time"]) == ("short", minute(3))
    assert (short["quantity"], short["entry_value"]) == ("9.99", "1098.9")  # 1001 + 97.9
    assert short["pnl"] == "97.8021"  # 1098.9 - 999 - 1.0989 - 0.999


@pytest.mark.parametrize(
    ("reinvest", "quantity", "pnl"),
    [(True, "10.97802197", "-2.1956044"), (False, "10", "-2")],
)
def test_later_trades_use_all_proceeds_only_when_reinvesting(
    engine: Engine, tmp_path: Path, reinvest: bool, quantity: str, pnl: str
) -> None:
    bars: list[Prices] = [FLAT, FLAT, (110,), FLAT, FLAT, FLAT, FLAT]
    first, second = play(
        engine, tmp_path / f"reinvest_{reinvest}", bars, plan="0L 1l 3L 4l", reinvest=reinvest
    )  # fmt: skip
    assert (first["quantity"], first["pnl"]) == ("10", "97.9")
    assert (second["quantity"], second["pnl"]) == (quantity, pnl)


def test_a_thin_market_fills_an_order_in_parts(engine: Engine, tmp_path: Path) -> None:
    # A quarter of a bar's volume at the most: 4 of 10 units from each of 16.
    thin = (100, 100, 100, 100, 16)
    dear = (110, 110, 110, 110, 16)
    bars: list[Prices] = [FLAT, thin, thin, thin, FLAT, dear, dear, dear, FLAT]
    [trade] = play(engine, tmp_path / "thin", bars, plan="0L 4l")
    assert (trade["entry_count"], trade["quantity"], trade["entry_value"]) == (1, "10", "1000")
    assert (trade["exit_value"], trade["pnl"]) == ("1100", "97.9")
    assert trade["exit_time"] == minute(7)
    fills = engine.client.get("/bots/thin/fills")[::-1]
    assert [(fill["quantity"], fill["time"]) for fill in fills] == [
        ("4", minute(1)), ("4", minute(2)), ("2", minute(3)),
        ("4", minute(5)), ("4", minute(6)), ("2", minute(7)),
    ]  # fmt: skip


@pytest.mark.parametrize("stopped_in", [1, 2])
def test_a_stop_ends_only_what_was_held_when_it_was_touched(
    engine: Engine, tmp_path: Path, stopped_in: int
) -> None:
    thin, falling, low = (100, 100, 100, 100, 16), (100, 100, 90, 90, 16), (90, 90, 90, 90, 16)
    bars: list[Prices] = [FLAT, *[thin] * (stopped_in - 1), falling, low, low, low]
    name = f"part_{stopped_in}"
    [trade] = play(engine, tmp_path / name, bars, plan="0L", stop_loss="0.02")
    assert trade["exit_reason"] == "stop_loss"
    fills = engine.client.get(f"/bots/{name}/fills")[::-1]
    # Four a bar: nothing more is bought once the stop was touched.
    bought = [("buy", "4", "100")] * stopped_in
    sold = [("sell", "4", "98"), ("sell", "4", "90")][:stopped_in]
    assert [(fill["side"], fill["quantity"], fill["price"]) for fill in fills] == bought + sold


def test_an_entry_without_funds_is_shown_and_tried_again(engine: Engine, tmp_path: Path) -> None:
    deep: Prices = (100, 100, 100, 100, 10_000_000)
    bars = [deep] * 8
    [trade] = play(
        engine, tmp_path / "poor", bars, plan="0L 2L 4L 6l", amount="60060", max_entries=2
    )  # fmt: skip
    assert (trade["entry_count"], trade["quantity"]) == (1, "600")
    events = engine.client.get("/events", bot_id="poor", kind="order.insufficient_funds")
    assert len(events) == 2, "the second and the third entry"
    assert "39940 USDT are free" in events[0]["message"]
    orders = engine.client.get("/bots/poor/orders")
    assert [order["state"] for order in orders] == ["filled", "filled"], "nothing was sent in vain"


def test_fee_and_slippage_are_taken_both_ways(tmp_path: Path) -> None:
    write_planned(tmp_path / "strategies")
    with copy_of_quarterdeck(
        tmp_path / "data",
        QUARTERDECK_STRATEGIES=str(tmp_path / "strategies"),
        QUARTERDECK_PAPER_SLIPPAGE_BPS="10",
        QUARTERDECK_PAPER_FEE_BPS="10",
    ) as copy:
        copy.start_engine()
        bars: list[Prices] = [FLAT, FLAT, (110,), (110,), (110,)]
        [trade] = play(
            Engine(copy, Client(copy)), tmp_path / "slip", bars, plan="0L 2l", amount="1002.001"
        )  # fmt: skip
    # 10 at 100.10 and back at 109.89, fees 1.001 and 1.0989.
    assert (trade["quantity"], trade["entry_price"], trade["exit_price"]) == (
        "10", "100.1", "109.89",
    )  # fmt: skip
    assert (trade["fees"], trade["pnl"]) == ("2.0999", "95.8001")
