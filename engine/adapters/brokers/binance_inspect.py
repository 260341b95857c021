"""What Binance tells of an account and of what its key may do."""

from typing import Any

from engine.adapters.brokers import ccxt_reports as read
from engine.adapters.brokers.ccxt_client import RECV_WINDOW_MS, BinanceClient
from engine.adapters.brokers.ccxt_inspect import KEY_ADVICE, Findings
from engine.domain.venue_accounts import Grade, Inspection
from engine.errors import BrokerUnavailable
from engine.ports import MarketData


def inspect_binance(client: BinanceClient, market: MarketData, *, has_wallet: bool) -> Inspection:
    """Clock, permissions, balances and minimums; raises nothing of the venue's.

    ``has_wallet``: the exchange itself tells what the key may do. The test network does not: the
    flags of its ``account`` are the account's, whatever the key, and its money cannot be withdrawn.
    """
    findings = Findings()
    lead_ms = findings.asked("Clock", client.sync_clock)
    if lead_ms is not None:
        findings.clock(lead_ms, RECV_WINDOW_MS)
    account = findings.asked("Permissions", lambda: _object(client, "private_get_account"))
    if account is not None:
        _look_at_account(findings, account)
        if has_wallet:
            _look_at_key(findings, client)
        else:
            findings.add("Withdrawals", Grade.OK, "Test money: there is nothing to withdraw.")
    findings.minimums(market)
    return findings.inspection()


def _look_at_account(findings: Findings, account: read.Row) -> None:
    if account.get("canTrade") is True:
        findings.add("Permissions", Grade.OK, "The key can read, and the account may trade spot.")
    else:
        findings.add(
            "Permissions", Grade.FAILED, "The account may not trade.",
            "Look at the account's status at Binance: trading is switched off for it.",
        )  # fmt: skip
    balances = findings.asked("Balance", lambda: _balances(account))
    if balances is not None:
        findings.holds(balances)


def _look_at_key(findings: Findings, client: BinanceClient) -> None:
    told = findings.asked(
        "Key", lambda: _flags(_object(client, "sapi_get_account_apirestrictions"))
    )
    if told is None:
        return
    if told["enableSpotAndMarginTrading"]:
        findings.add("Key", Grade.OK, "The key may trade spot.")
    else:
        findings.add("Key", Grade.FAILED, "The key may not trade spot.", KEY_ADVICE)
    findings.withdrawals(can_withdraw=told["enableWithdrawals"])
    if not told["ipRestrict"]:
        findings.add(
            "Addresses", Grade.WARNING, "The key works from every address.",
            "Limit the key at Binance to the address of this machine.",
        )  # fmt: skip


def _object(client: BinanceClient, name: str) -> read.Row:
    answer: Any = client.ask(name)
    try:
        return read.row(answer)
    except read.Unreadable as error:
        raise BrokerUnavailable(f"{client.name}: an answer cannot be read: {error}") from error


def _balances(account: read.Row) -> dict[str, Any]:
    try:
        return read.balances(account)
    except read.Unreadable as error:
        raise BrokerUnavailable(f"The balances cannot be read: {error}") from error


def _flags(told: read.Row) -> dict[str, bool]:
    """What the key may do. Raises BrokerUnavailable unless all of it is told: what is not known
    to be forbidden is not taken for forbidden."""
    names = ("enableSpotAndMarginTrading", "enableWithdrawals", "ipRestrict")
    if not all(isinstance(told.get(name), bool) for name in names):
        raise BrokerUnavailable("What the key may do cannot be read.")
    return {name: told[name] for name in names}
