"""The form's part about routing: which other markets may take a bot's entries."""

from collections.abc import Sequence

import streamlit as st

from engine.contracts import Instrument, MarketView, SymbolView
from panel.bot_draft import REPLAY
from panel.bot_form import BotForm
from panel.facade import ControlPanel, PanelError
from panel.format import escape
from panel.symbols import symbols_of


def draw_routing(
    form: BotForm, panel: ControlPanel, market: str, symbol: SymbolView | None
) -> None:
    """Offered only where another market's account moves the same kind of money; its listing is
    asked for once a person wants it."""
    others = other_markets(form.markets, market)
    if not others or symbol is None:
        return
    is_on = st.checkbox(
        "Choose the account of each entry", key=form.key("has_routing"),
        help="Each entry of a flat bot goes to the account that takes it best, by price, fee and"
        " latency. The position and its exits stay there.",
    )  # fmt: skip
    form.slot("routing")
    if not is_on:
        return
    listing, silent = _listing(panel, others, symbol.instrument)
    options = [one.id for one in (*listing, *silent)]
    if silent:
        names = ", ".join(one.title for one in silent)
        st.caption(f":orange[{escape(names)}: the listing is not known, it does not answer now.]")
    if not options:
        st.info(f"No other market lists {escape(symbol.instrument.base)} in"
                f" {escape(symbol.instrument.quote)}.")  # fmt: skip
        return
    _draw_choice(form, options)


def _draw_choice(form: BotForm, options: Sequence[str]) -> None:
    key = form.key("routing_markets")
    kept = st.session_state.get(key, [])
    st.session_state[key] = [one for one in kept if one in options]
    st.multiselect(
        "Beside the bot's own market", options, key=key, placeholder="Choose markets",
        format_func=lambda market: form.markets[market].title,
    )  # fmt: skip
    form.slot("routing.markets")
    with st.grid(3, min_column_width=150, gap="small"):
        for label, name, field in (
            ("Extra fee at most (bps)", "routing_fee", "max_extra_fee_bps"),
            ("Price at most old (seconds)", "routing_age", "max_age_s"),
            ("A second of latency costs (bps)", "routing_latency", "latency_bps_per_s"),
        ):
            with st.container(gap="xxsmall"):
                st.number_input(label, step=1.0, format="%g", key=form.key(name))
                form.slot(f"routing.{field}")


def other_markets(markets: dict[str, MarketView], market: str) -> list[MarketView]:
    """Markets beside ``market`` whose accounts move the same kind of money; replays have none."""
    home = markets.get(market)
    if home is None or _is_replay(market):
        return []
    return [
        one for one in markets.values()
        if one.id != market and one.mode == home.mode and not _is_replay(one.id)
    ]  # fmt: skip


def _is_replay(market: str) -> bool:
    return market.partition(":")[0] == REPLAY


def _listing(
    panel: ControlPanel, markets: Sequence[MarketView], wanted: Instrument
) -> tuple[list[MarketView], list[MarketView]]:
    """Markets that list the instrument, and those that do not answer."""
    listing, silent = [], []
    for market in markets:
        try:
            found = [view.instrument for view in symbols_of(panel, market.id)]
        except PanelError:
            silent.append(market)
            continue
        if any(_is_same(one, wanted) for one in found):
            listing.append(market)
    return listing, silent


def _is_same(one: Instrument, other: Instrument) -> bool:
    return (one.base, one.quote, one.kind) == (other.base, other.quote, other.kind)
