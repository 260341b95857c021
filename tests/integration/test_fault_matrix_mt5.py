"""Rows of the fault matrix at a MetaTrader terminal, here and behind a gateway."""

from decimal import Decimal
from pathlib import Path

import pytest

from engine.adapters.brokers.mt5.remote import RemoteTerminal
from engine.domain.orders import OrderState, Side
from engine.errors import AccessDenied, BrokerUnavailable, OrderRejected, OrderStateUnknown
from tests.contract.mt5_venue import ID, TIMEOUT_S, TOKEN, gateway, local, net, opened, order
from tests.fakes.clock import FakeClock
from tests.fakes.metatrader5 import stocked
from tests.support.strategy_hosts import until


def test_row_17_a_changed_step_is_taken_up_after_the_first_refusal() -> None:
    venue = local()
    assert venue.market.instrument("EURUSD").quantity_step == 1_000
    symbol = venue.stand_in.world.symbols["EURUSD"]
    symbol.step = symbol.least = Decimal("0.05")
    with pytest.raises(OrderRejected, match="volume"):
        venue.broker.submit(order(quantity=12_000))
    assert venue.market.instrument("EURUSD").quantity_step == 5_000
    with pytest.raises(OrderRejected, match="step 5000"):
        venue.broker.submit(order(quantity=12_000))
    assert len(venue.stand_in.trading.requests) == 1


def test_row_19_a_changed_password_halts_and_trading_goes_on_once_it_is_right() -> None:
    venue = local()
    venue.broker.submit(order())
    venue.stand_in.world.password = "changed"
    venue.stand_in.crash()
    with pytest.raises(AccessDenied, match="check number, password and server"):
        venue.broker.submit(order("b", side=Side.SELL, reduce_only=True))
    assert len(venue.stand_in.trading.requests) == 1
    again = opened(venue.stand_in, venue.clock, venue.terminal, password="changed")
    assert again.broker.submit(order("b", side=Side.SELL, reduce_only=True)).filled == 10_000


def test_row_26_a_cut_connection_to_the_gateway_is_said_and_made_anew(tmp_path: Path) -> None:
    clock = FakeClock()
    stand_in = stocked(clock.now)
    with gateway(stand_in, tmp_path) as first:
        terminal = RemoteTerminal(first.url, TOKEN, ca_file=first.ca_file, timeout_s=TIMEOUT_S)
        venue = opened(stand_in, clock, terminal)
        venue.broker.submit(order())
        port = int(first.server.server_address[1])
    with pytest.raises(BrokerUnavailable):
        venue.broker.submit(order("b"))
    assert len(stand_in.trading.requests) == 1
    with gateway(stand_in, tmp_path, port=port):
        assert venue.broker.submit(order("b")).state is OrderState.FILLED
    terminal.close()


def test_row_27_a_terminal_that_hangs_is_waited_for_no_longer_than_set(tmp_path: Path) -> None:
    clock = FakeClock()
    stand_in = stocked(clock.now)
    with gateway(stand_in, tmp_path) as running:
        terminal = RemoteTerminal(running.url, TOKEN, ca_file=running.ca_file, timeout_s=0.3)
        venue = opened(stand_in, clock, terminal)
        venue.broker.balances()
        venue.market.quote("EURUSD")
        release = stand_in.hang("order_send")
        with pytest.raises(OrderStateUnknown, match="ReadTimeout"):
            venue.broker.submit(order())
        release()
        again = opened(stand_in, clock, terminal)
        assert until(lambda: again.broker.find_order(ID, "EURUSD") is not None, 5)
        assert net(again) == 10_000
        assert len(stand_in.trading.requests) == 1
        terminal.close()
