"""What an exchange tells of an account, and of what its key may do."""

from typing import Any, Protocol

from engine.adapters.brokers.ccxt_inspect import KEY_ADVICE, Findings
from engine.adapters.brokers.ccxt_reports import Unreadable, row, rows, words
from engine.adapters.brokers.ccxt_unified.client import UnifiedClient
from engine.adapters.brokers.ccxt_unified.habits import TESTED
from engine.domain.venue_accounts import Grade, Inspection
from engine.errors import BrokerUnavailable
from engine.ports import Broker, MarketData

WINDOW_MS = 5_000
"""How old a request may be at the strictest of the large exchanges."""


class UnifiedAccount(Broker, Protocol):
    """An account with its door to the exchange."""

    client: UnifiedClient


def inspect_exchange(broker: UnifiedAccount, market: MarketData) -> Inspection:
    """Clock, permissions, balances and minimums; raises nothing of the exchange's."""
    findings, client = Findings(), broker.client
    if client.has("fetchTime"):
        lead_ms = findings.asked("Clock", client.sync_clock)
        if lead_ms is not None:
            findings.clock(lead_ms, WINDOW_MS)
    else:
        findings.add("Clock", Grade.UNKNOWN, f"{client.name} does not tell its time.")
    balances = findings.asked("Permissions", broker.balances)
    if balances is not None:  # or else nothing more that takes a key is answered
        if findings.asked("Permissions", broker.open_orders) is not None:
            findings.add("Permissions", Grade.OK, "The key can read balances and orders.")
        _look_at_key(findings, client)
        findings.holds(balances)
    if client.exchange.id not in TESTED:
        findings.add(
            "Exchange", Grade.WARNING,
            f"Quarterdeck's tests do not know the ways of {client.name}.",
            "Let a bot trade the smallest amounts first, and compare its orders with the website.",
        )  # fmt: skip
    findings.minimums(market)
    return findings.inspection()


def _look_at_key(findings: Findings, client: UnifiedClient) -> None:
    """What the key may do, where ccxt knows how to ask for it."""
    asked = KEY_QUESTIONS.get(client.exchange.id)
    if asked is None:
        findings.add(
            "Withdrawals", Grade.UNKNOWN,
            f"{client.name} is not known to tell whether the key can withdraw.",
            "See at the exchange that the key may read and trade only.",
        )  # fmt: skip
        return
    method, read = asked
    told = findings.asked("Key", lambda: _permissions(client, method, read))
    if told is None:
        return
    can_trade, can_withdraw = told
    if can_trade:
        findings.add("Key", Grade.OK, "The key may trade.")
    else:
        findings.add("Key", Grade.FAILED, "The key may not trade.", KEY_ADVICE)
    findings.withdrawals(can_withdraw=can_withdraw)


def _permissions(client: UnifiedClient, method: str, read: Any) -> tuple[bool, bool]:
    answer = client.ask(method)
    try:
        told: tuple[bool, bool] = read(answer)
    except Unreadable as error:
        raise BrokerUnavailable(f"{client.name}: what the key may do cannot be read.") from error
    return told


def _okx(answer: Any) -> tuple[bool, bool]:
    """Whether it may trade, and withdraw: ``perm`` of account/config, as in 'read_only,trade'."""
    first = next(iter(rows(row(answer).get("data"))), None)
    if first is None:
        raise Unreadable("there is nothing in it")
    allowed = words(first, "perm").split(",")
    return "trade" in allowed, "withdraw" in allowed


def _bybit(answer: Any) -> tuple[bool, bool]:
    """The ``permissions`` of GET user/query-api, each a list by the kind of account."""
    result = row(row(answer).get("result"))
    allowed = row(result.get("permissions"))
    is_read_only = result.get("readOnly") in (1, "1")
    return bool(allowed.get("Spot")) and not is_read_only, "Withdraw" in (
        allowed.get("Wallet") or ()
    )


# ccxt's implicit methods: the exchange's own endpoints, signed and read by it.
KEY_QUESTIONS = {
    "okx": ("private_get_account_config", _okx),
    "bybit": ("private_get_v5_user_query_api", _bybit),
}
