"""What OKX tells of instruments, prices, balances, orders and fills."""

from collections.abc import Mapping
from typing import Any

from tests.fakes.exchange.exchange import BinanceExchange
from tests.fakes.exchange.market_views import INTERVALS_MS, kline
from tests.fakes.exchange.matching import Matching
from tests.fakes.exchange.records import Order, SymbolRules, Trade

STATES = {
    "NEW": "live", "PARTIALLY_FILLED": "partially_filled", "FILLED": "filled",
    "CANCELED": "canceled", "EXPIRED": "canceled",
}  # fmt: skip
TYPES = {"IOC": "ioc", "FOK": "fok", "GTC": "limit"}
BARS = {"1H": "1h", "2H": "2h", "4H": "4h", "6Hutc": "6h", "12Hutc": "12h", "1Dutc": "1d"}


def _id(symbol: str, engine: Matching) -> str:
    rules = engine.symbols[symbol]
    return f"{rules.base}-{rules.quote}"


def _own_id(order: Order) -> str:
    """What a person orders at the website has none."""
    return "" if order.client_id.startswith("web_") else order.client_id


def instrument(rules: SymbolRules) -> dict[str, Any]:
    """Its entry in public/instruments."""
    return {
        "instType": "SPOT", "instId": f"{rules.base}-{rules.quote}", "baseCcy": rules.base,
        "quoteCcy": rules.quote, "settleCcy": "", "instFamily": "", "uly": "", "ctVal": "",
        "ctMult": "", "ctValCcy": "", "optType": "", "stk": "", "listTime": "1548133413000",
        "expTime": "", "lever": "10", "tickSz": str(rules.tick), "lotSz": str(rules.step),
        "minSz": str(rules.min_quantity), "ctType": "", "alias": "", "ruleType": "normal",
        "state": "live" if rules.status == "TRADING" else "suspend",
        "maxLmtSz": str(rules.max_quantity), "maxMktSz": "1000000", "maxLmtAmt": "20000000",
        "maxMktAmt": "1000000",
    }  # fmt: skip


def ticker(rules: SymbolRules, now_ms: int) -> dict[str, Any]:
    """The last day of an instrument."""
    day = {name: str(rules.listed_at) for name in ("open24h", "high24h", "low24h")}
    return {
        "instType": "SPOT", "instId": f"{rules.base}-{rules.quote}", "last": str(rules.price),
        "lastSz": "0.1", "askPx": str(rules.ask), "askSz": "11", "bidPx": str(rules.bid),
        "bidSz": "5", **day, "volCcy24h": "72000000", "vol24h": "1440", "ts": str(now_ms),
        "sodUtc0": str(rules.listed_at), "sodUtc8": str(rules.listed_at),
    }  # fmt: skip


def candles(
    exchange: BinanceExchange, rules: SymbolRules, bar: str, before: int, after: int, limit: int
) -> list[list[str]]:
    """Newest first: those that open after ``before`` and before ``after``."""
    length = INTERVALS_MS[BARS.get(bar, bar)]
    now = exchange.now_ms()
    newest = (min(after - 1, now)) // length * length
    rows: list[list[str]] = []
    while newest > before and len(rows) < limit:
        row = [str(value) for value in kline(rules, newest, length)]
        is_closed = newest + length <= now
        rows.append([*row[:6], row[7], row[7], "1" if is_closed else "0"])
        newest -= length
    return rows


def balance(engine: Matching, now_ms: int) -> dict[str, Any]:
    """The trading account; assets of which there is nothing are left out."""
    return {
        "uTime": str(now_ms), "totalEq": "", "adjEq": "", "details": [
            {"ccy": asset, "eq": str(row.total), "cashBal": str(row.total),
             "availBal": str(row.free), "availEq": "", "frozenBal": str(row.locked),
             "ordFrozen": str(row.locked), "uTime": str(now_ms)}
            for asset, row in engine.balances.items() if row.total
        ],
    }  # fmt: skip


def config(may: Mapping[str, bool]) -> dict[str, Any]:
    """The account's settings, with what the key may do."""
    allowed = ["read_only"]
    allowed += ["trade"] if may["enableSpotAndMarginTrading"] else []
    allowed += ["withdraw"] if may["enableWithdrawals"] else []
    return {
        "uid": "44705892343619584", "mainUid": "44705892343619584", "acctLv": "1",
        "posMode": "net_mode", "autoLoan": False, "level": "Lv1", "label": "quarterdeck",
        "perm": ",".join(allowed), "ip": "127.0.0.1" if may["ipRestrict"] else "", "kycLv": "3",
    }  # fmt: skip


def result(order: Order, now_ms: int) -> dict[str, Any]:
    """What is said of an order that was just taken or cancelled."""
    return {
        "clOrdId": order.client_id, "ordId": str(order.id), "tag": "", "ts": str(now_ms),
        "sCode": "0", "sMsg": "",
    }  # fmt: skip


def order(source: Order, engine: Matching) -> dict[str, Any]:
    """An order in full."""
    trades = engine.trades_of(source)
    last = trades[-1] if trades else None
    fee = sum((trade.commission for trade in trades), 0)
    empty = dict.fromkeys(
        ("tag", "lever", "tpTriggerPx", "tpOrdPx", "slTriggerPx", "slOrdPx", "algoId", "source",
         "cancelSource", "cancelSourceReason", "rebateCcy", "ccy", "stpId"), "",
    )  # fmt: skip
    return {
        **empty, "instType": "SPOT", "instId": _id(source.symbol, engine),
        "ordId": str(source.id), "clOrdId": _own_id(source),
        "px": str(source.price) if source.price else "", "sz": str(source.quantity),
        "ordType": "market" if source.type == "MARKET" else TYPES[source.time_in_force],
        "side": source.side.lower(), "posSide": "net", "tdMode": "cash", "pnl": "0",
        "accFillSz": str(source.executed),
        "avgPx": str(source.paid / source.executed) if source.executed else "",
        "fillPx": str(last.price) if last else "", "fillSz": str(last.quantity) if last else "0",
        "fillTime": str(last.time) if last else "", "tradeId": str(last.id) if last else "",
        "state": STATES[source.status], "fee": str(-fee), "rebate": "0",
        "feeCcy": last.commission_asset if last else "", "tgtCcy": "base_ccy",
        "category": "normal", "reduceOnly": "false", "cTime": str(source.time),
        "uTime": str(source.updated or source.time),
    }  # fmt: skip


def fill(trade: Trade, source: Order) -> dict[str, Any]:
    """One execution; a fee is below zero, since it is taken."""
    return {
        "instType": "SPOT", "instId": f"{trade.base}-{trade.quote}", "tradeId": str(trade.id),
        "ordId": str(trade.order_id), "clOrdId": _own_id(source), "billId": f"9{trade.id}",
        "subType": "1", "tag": "", "fillPx": str(trade.price), "fillSz": str(trade.quantity),
        "fillIdxPx": "", "side": trade.side.lower(), "posSide": "net",
        "execType": "M" if trade.is_maker else "T", "feeCcy": trade.commission_asset,
        "fee": str(-trade.commission), "feeRate": "-0.001", "ts": str(trade.time),
        "fillTime": str(trade.time), "tradeQuoteCcy": trade.quote,
    }  # fmt: skip
