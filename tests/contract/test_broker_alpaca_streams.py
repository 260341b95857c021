"""What Alpaca tells by itself: hints that make things faster, and never the only source."""

import time
from collections.abc import Callable, Iterator

import pytest

from engine.domain.orders import OrderReport, OrderState
from tests.contract.alpaca_account import Account, open_account, order, resting

PATIENCE_S = 10.0


class Ear:
    """An ``OrderListener`` that notes what it hears."""

    def __init__(self) -> None:
        self.reports: list[OrderReport] = []
        self.connected = 0
        self.disconnected: list[str] = []

    def on_report(self, report: OrderReport) -> None:
        self.reports.append(report)

    def on_connected(self) -> None:
        self.connected += 1

    def on_disconnected(self, reason: str) -> None:
        self.disconnected.append(reason)


def wait_for(is_so: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.005)


@pytest.fixture
def account() -> Iterator[Account]:
    with open_account() as account:
        yield account


@pytest.fixture
def ear(account: Account) -> Iterator[Ear]:
    ear = Ear()
    end = account.broker.listen(ear)
    wait_for(lambda: ear.connected)
    yield ear
    end()


def test_a_fill_is_told_with_the_trades_as_they_are_listed(account: Account, ear: Ear) -> None:
    account.broker.submit(resting())
    account.exchange.set_price("AAPL", 149)
    wait_for(lambda: ear.reports and ear.reports[-1].state is OrderState.FILLED)
    assert ear.reports[-1] == account.broker.find_order("r", "AAPL")
    assert not ear.reports[-1].fills[0].trade_id.startswith("stream")


def test_a_cut_stream_is_connected_anew_and_both_are_told(account: Account, ear: Ear) -> None:
    cut = account.exchange.fault("disconnect_stream")
    wait_for(lambda: ear.disconnected)
    account.exchange.release(cut)
    wait_for(lambda: ear.connected == 2)
    account.broker.submit(order())
    wait_for(lambda: ear.reports)


def test_an_event_that_cannot_be_looked_up_is_left_to_the_next_look(
    account: Account, ear: Ear, caplog: pytest.LogCaptureFixture
) -> None:
    account.broker.submit(resting())
    wait_for(lambda: len(ear.reports) == 2)  # on its way to the market, and there
    account.exchange.fault("status", on="GET /v2/orders/{id}", times=1)
    account.exchange.set_price("AAPL", 149)
    wait_for(lambda: "left to the next look" in caplog.text)
    assert len(ear.reports) == 2
    assert account.broker.find_order("r", "AAPL") is not None


def test_orders_of_the_other_kind_are_not_told(account: Account, ear: Ear) -> None:
    account.exchange.by_hand("BTC/USD", "buy", "0.1")
    account.exchange.by_hand("F", "buy", 1)
    wait_for(lambda: ear.reports)
    assert {report.symbol for report in ear.reports} == {"F"}


def test_a_wrong_key_is_no_connection(account: Account) -> None:
    account.exchange.secret = "another"
    ear = Ear()
    end = account.broker.listen(ear)
    time.sleep(0.1)
    end()
    assert ear.connected == 0
