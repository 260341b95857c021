"""From a signal in the inbox to a fill: real desk, gateway, paper accounts and SQLite."""

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal as D
from pathlib import Path

import pytest

from engine.domain.bots import BotState, Direction
from engine.domain.orders import OrderState, Purpose
from engine.domain.positions import PositionSide
from engine.domain.records import KillLevel
from engine.domain.signals import SignalConfig, SignalState
from engine.errors import ConfigError
from tests.fakes.signal_room import SignalRoom
from tests.support.two_venues import FAR, LONG, NEAR, TwoVenues
from tests.unit.samples import config

ACTED, HELD, RECEIVED = SignalState.ACTED, SignalState.HELD, SignalState.RECEIVED


@pytest.fixture
def deck(tmp_path: Path) -> Iterator[TwoVenues]:
    """One database and one paper account; its bot of 1000 USDT is on both sides."""
    deck = TwoVenues(tmp_path, is_durable=True)
    listening = config(
        market=NEAR, amount=D(1000), direction=Direction.BOTH, signals=SignalConfig(),
        strategy="signals_only",
    )  # fmt: skip
    deck.bots.create(listening, "test")
    begin(deck)
    yield deck
    deck.close()


@pytest.fixture
def signals(deck: TwoVenues) -> Iterator[SignalRoom]:
    """Sends to it."""
    signals = SignalRoom(deck)
    yield signals
    signals.close()


def begin(deck: TwoVenues) -> None:
    """Start the bot and check its accounts."""
    deck.bots.start(deck.bot.id, "test")
    deck.settle()
    assert deck.bot.state is BotState.RUNNING


def strategy_alert(action: str, before: str, now: str, size: str) -> str:
    """What TradingView sends for a strategy's order."""
    return json.dumps({
        "symbol": "BTCUSDT", "action": action, "prev_market_position": before,
        "market_position": now, "market_position_size": size, "prev_market_position_size": "2",
        "expected": before, "timenow": "2026-03-02T12:00:00Z",
    })  # fmt: skip


def test_a_strategy_s_alerts_are_followed_from_flat_to_flat(
    deck: TwoVenues, signals: SignalRoom
) -> None:
    signals.send(strategy_alert("buy", "flat", "long", "2"))
    entry = deck.orders()[0]
    assert (entry.state, entry.quote_amount) == (OrderState.FILLED, D(1000))
    deck.price(near="101")
    signals.send(strategy_alert("sell", "long", "long", "1"))
    part = deck.orders()[1]
    assert part.purpose is Purpose.EXIT
    assert part.filled == entry.filled / 2
    signals.send(strategy_alert("sell", "long", "short", "1"))
    assert deck.position is not None
    assert deck.position.side is PositionSide.SHORT
    signals.send(strategy_alert("buy", "short", "flat", "0"))
    assert deck.position is None
    rows = [signals.row(f"signal{number:04d}") for number in range(1, 5)]
    assert [(one.state, len(one.order_ids)) for one in rows] == [
        (ACTED, 1), (ACTED, 1), (ACTED, 2), (ACTED, 1)
    ]  # fmt: skip
    assert {trade.side for trade in deck.trades()} == {"long", "short"}
    deck.restart()
    assert [signals.row(one.id) for one in rows] == rows
    with deck.store.reading() as tx:
        decisions = [tx.decisions.get(one.decision_id) for one in rows]
    assert [step.step for step in decisions[0].trace] == [
        "signal", "expected position", "size", "risk", "order desk"
    ]  # fmt: skip


def test_a_reversal_s_entry_is_the_share_of_the_stake_that_it_asks_for(
    deck: TwoVenues, signals: SignalRoom
) -> None:
    signals.send("buy")
    deck.price(near="50")  # half the stake is lost
    signals.send("sell 50%")
    entry = deck.orders(Purpose.ENTRY)[-1]
    assert entry.state is OrderState.FILLED
    spent = entry.filled * D(50)
    assert D(249) < spent < D(250), "half of what is left, less fees"


def test_many_at_once_decide_a_signal_once(deck: TwoVenues, signals: SignalRoom) -> None:
    signal_id = signals.kept("open long")
    concluder = signals.concluder()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: concluder.decide(signal_id), range(8)))
    assert signals.last.state is ACTED
    assert len(deck.orders()) == len(deck.decisions()) == 1


def test_a_crash_after_the_commit_sends_the_entry_once_after_the_start(
    deck: TwoVenues, signals: SignalRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    signal_id = signals.kept("open long")
    monkeypatch.setattr(deck.desk, "advance", lambda *_: None)  # the process ends here
    signals.act(signal_id)
    [order] = deck.orders()
    assert (signals.last.state, order.state) == (ACTED, OrderState.INTENT)
    deck.restart()
    deck.settle()
    signals.recover()
    deck.desk.advance(deck.bot.id, deck.near)
    deck.desk.advance(deck.bot.id, deck.near)
    [order] = deck.orders()
    assert order.state is OrderState.FILLED


def test_the_kill_switch_holds_entries_back_and_lets_exits_go(
    deck: TwoVenues, signals: SignalRoom
) -> None:
    signals.send("buy")
    deck.controls.set(KillLevel.PAUSE_ENTRIES, "test")
    row = signals.send("sell")
    assert row.state is ACTED
    assert row.outcome.startswith("Exit ordered; ")
    assert deck.position is None
    assert signals.send("buy").state is HELD
    assert len(deck.orders(Purpose.ENTRY)) == 1


def test_a_routed_bot_s_position_is_closed_where_it_is(tmp_path: Path) -> None:
    deck = TwoVenues(tmp_path)
    signals = SignalRoom(deck)
    deck.start()
    signals.listen()
    deck.price(far="99")
    deck.decide(LONG)
    assert deck.bot.market == FAR
    row = signals.send("close BTCUSDT")
    assert row.state is ACTED
    [exit_] = deck.orders(Purpose.EXIT)
    assert (exit_.account_id, exit_.state) == ("paper:far", OrderState.FILLED)
    signals.close()
    deck.close()


def test_a_stop_of_the_engine_leaves_what_waits_to_the_next_start(
    deck: TwoVenues, signals: SignalRoom
) -> None:
    deck.books.hold_until_checked()
    signal_id = signals.kept("open long")

    async def run() -> None:
        actor = signals.actor(retry_s=0.05)
        actor.begin(signal_id)
        await actor.finish(0)

    asyncio.run(run())
    assert signals.last.state is RECEIVED
    deck.restart()
    deck.settle()
    signals.recover()
    assert signals.last.state is ACTED


def test_a_replay_takes_no_signals(
    deck: TwoVenues, signals: SignalRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deck.venues, "is_stepped", lambda _market: True)
    other = config(name="other", market=NEAR, signals=SignalConfig())
    with pytest.raises(ConfigError, match="A replay takes no signals") as refused:
        deck.bots.assess(other)
    assert refused.value.field == "signals"
    assert signals.send("buy").state is SignalState.REFUSED
