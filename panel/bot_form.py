"""The form for a bot: guided sections whose input is kept, errors next to their fields."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from engine.contracts import SECONDS, ErrorDetail, MarketView, StrategyView, SymbolView
from panel.bot_draft import CUSTOM, DEFAULTS, INTERVALS, PREFIX, PRESETS, REPLAY, UNITS_S
from panel.drafts import Draft
from panel.format import escape
from panel.forms import draw_field, field_specs, initial_value
from panel.modes import mode_html

DRAFT = Draft(PREFIX, DEFAULTS)
"""What the bot form holds."""
key_of, load_draft, keep_draft = DRAFT.key, DRAFT.load, DRAFT.keep
forget_draft, read_draft = DRAFT.forget, DRAFT.read
DIRECTIONS = {"long": "Long", "short": "Short", "both": "Both"}
ENTRY_ORDERS = {"market": "Market", "limit": "Limit"}


class BotForm:
    """Draws the sections; ``slots`` has a place for the error of each field drawn."""

    def __init__(
        self,
        markets: Sequence[MarketView],
        strategies: Sequence[StrategyView],
        draft: Draft = DRAFT,
    ) -> None:
        self.draft, self.key = draft, draft.key
        self.markets = {market.id: market for market in markets}
        self.strategies = {one.id: one for one in strategies if one.error is None}
        self.slots: dict[str, DeltaGenerator] = {}

    def slot(self, *fields: str) -> None:
        """Keep a place below the widget just drawn for what is wrong with ``fields``."""
        place = st.empty()
        for field in fields:
            self.slots[field] = place

    def show_errors(self, details: Sequence[ErrorDetail]) -> list[ErrorDetail]:
        """Put each error next to its field. Returns those without a place in the form."""
        left = []
        for detail in details:
            place = self._place(detail.field)
            if place is None:
                left.append(detail)
            else:
                place.markdown(f":red[:material/error: {escape(detail.message)}]")
        return left

    def _place(self, field: str) -> DeltaGenerator | None:
        """The field's own place, or that of the part it belongs to (``roi_steps.0.profit``)."""
        parts = field.split(".")
        names = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
        return next((self.slots[name] for name in names if name in self.slots), None)

    # --- sections
    def draw_market(self) -> str:
        """Where prices come from. Returns the market's id, empty while a replay has no file."""
        options = [*self.markets, *([] if REPLAY in self.markets else [REPLAY])]
        self.draft.keep_in(options, "market")
        market = st.selectbox(
            "Market", options, key=self.key("market"), format_func=self._market_title
        )
        self.slot("market")
        view = self.markets.get(market)
        if view is not None and view.error:
            st.warning(escape(view.error), icon=":material/cloud_off:")
        elif view is not None and view.description:
            badge, words = mode_html(view.mode), html.escape(view.description)
            st.html(f'<div class="qd-statusline">{badge}<span>{words}</span></div>')
        if market != REPLAY:
            return market
        path = st.text_input(
            "Candle file", key=self.key("replay_path"), placeholder="/home/me/ETH-BTC.5m.csv",
            help="A CSV or Parquet file of candles. It is played at full speed; `?speed=60` after"
            " the path plays sixty times as fast as real time.",
        )  # fmt: skip
        return f"{REPLAY}:{path.strip()}" if path and path.strip() else ""

    def draw_symbol(self, symbols: Sequence[SymbolView]) -> SymbolView | None:
        """Pick one of the market's own symbols by typing a part of its name."""
        by_name = {view.instrument.symbol: view for view in symbols}
        self.draft.keep_in(list(by_name), "symbol")
        chosen = st.selectbox(
            "Symbol", list(by_name), key=self.key("symbol"), placeholder="Type to search",
            format_func=lambda name: _symbol_title(by_name[name]),
        )  # fmt: skip
        self.slot("symbol")
        return by_name.get(chosen)

    def draw_strategy(self) -> dict[str, Any]:
        """The strategy with what it does. Returns its parameters."""
        self.draft.keep_in(list(self.strategies), "strategy")
        chosen = st.selectbox(
            "Strategy", list(self.strategies), key=self.key("strategy"),
            format_func=lambda name: f"{self.strategies[name].title} ({name})",
        )  # fmt: skip
        self.slot("strategy")
        if chosen is None:
            st.info("There is no usable strategy in the strategies folder.")
            return {}
        strategy = self.strategies[chosen]
        st.markdown(escape(strategy.summary))
        if strategy.doc:
            with st.expander("How it works"):
                st.markdown(strategy.doc)
        return self._draw_params(strategy)

    def _draw_params(self, strategy: StrategyView) -> dict[str, Any]:
        params = {}
        given: Mapping[str, Any] = st.session_state.get(self.key("params"), {})
        with st.grid(3, min_column_width=150, gap="small"):
            for spec in field_specs(strategy.parameters):
                key = self.key(f"param_{strategy.id}_{spec.name}")
                if key not in st.session_state:
                    st.session_state[key] = initial_value(spec, given.get(spec.name))
                with st.container(gap="xxsmall"):
                    params[spec.name] = draw_field(spec, key)
                    self.slot(f"params.{spec.name}")
        self.slot("params")
        return params

    def draw_timing(self, market: str) -> None:
        """The candles' length, and how often the bot looks at them."""
        view = self.markets.get(market)
        frames = list(view.timeframes) if view and view.timeframes else list(SECONDS)
        self.draft.keep_in(frames, "timeframe")
        left, right = st.columns(2, gap="small")
        with left:
            st.selectbox("Timeframe", frames, key=self.key("timeframe"), help="Length of a candle")
            self.slot("timeframe")
        with right:
            interval = st.selectbox(
                "Check interval", [*INTERVALS, CUSTOM], key=self.key("interval"),
                format_func=lambda value: INTERVALS.get(value, "Custom"),
                help="How often the bot looks for a closed candle to decide on",
            )  # fmt: skip
            if interval == CUSTOM:
                st.number_input(
                    "Seconds between checks", min_value=1, max_value=604_800, step=1,
                    key=self.key("interval_custom"),
                )  # fmt: skip
            self.slot("interval_s")

    def draw_sizing(self, symbol: SymbolView | None) -> None:
        """How much a trade takes, and which way."""
        quote = symbol.instrument.quote if symbol else ""
        left, right = st.columns(2, gap="small")
        with left:
            st.text_input(f"Trade amount{f' ({quote})' if quote else ''}", key=self.key("amount"))
            self.slot("amount")
            st.checkbox(
                "Reinvest", key=self.key("reinvest"),
                help="The first trade uses the amount, later ones all proceeds",
            )  # fmt: skip
            self.slot("reinvest")
        with right:
            st.segmented_control(
                "Direction", list(DIRECTIONS), key=self.key("direction"), required=True,
                format_func=lambda name: DIRECTIONS[name],
            )  # fmt: skip
            self.slot("direction")
            st.number_input(
                "Entries per position", min_value=1, max_value=20, step=1,
                key=self.key("max_entries"),
                help="1 is one position at a time; more adds to a position while the signal lasts",
            )  # fmt: skip
            self.slot("max_entries")

    def draw_entry_order(self) -> None:
        """How entries are sent; what a limit order is, only while it is one."""
        kind = st.segmented_control(
            "Entry order", list(ENTRY_ORDERS), key=self.key("entry_order"), required=True,
            format_func=lambda name: ENTRY_ORDERS[name],
            help="Market enters at once, at whatever price there is. Limit waits for its price and"
            " may not be filled.",
        )  # fmt: skip
        self.slot("entry_order")
        if kind != "limit":
            return
        with st.grid(2, min_column_width=150, gap="small"):
            with st.container(gap="xxsmall"):
                st.number_input(
                    "Better than the price by (percent)", step=0.01, format="%g",
                    key=self.key("offset"),
                )  # fmt: skip
                self.slot("limit_offset_bps")
            with st.container(gap="xxsmall"):
                st.number_input(
                    "Take back after (minutes)",
                    step=1.0,
                    format="%g",
                    key=self.key("timeout"),
                )
                self.slot("entry_timeout_s")

    def draw_exits(self) -> None:
        """When a position is closed whatever the strategy says."""
        with st.grid(3, min_column_width=150, gap="small"):
            self._percent("Stop loss", "stop", "stop_loss")
            self._percent("Take profit", "target", "take_profit")
            self._percent("Trailing stop", "trailing", "trailing_stop")
        with st.expander("Time limit and ROI steps"):
            self._draw_limit()
            st.text_input(
                "ROI steps (minutes: percent)", key=self.key("roi"),
                placeholder="0: 5, 30: 2, 60: 1",
                help="Take 5 % at once, 2 % after 30 minutes, 1 % after 60",
            )  # fmt: skip
            self.slot("roi_steps")

    def _percent(self, label: str, name: str, field: str) -> None:
        with st.container(gap="xxsmall"):
            is_on = st.checkbox(label, key=self.key(f"has_{name}"))
            st.number_input(
                f"{label}, percent", step=0.1, format="%g", key=self.key(name), disabled=not is_on,
                label_visibility="collapsed", placeholder="percent",
            )  # fmt: skip
            st.caption("percent of the entry price")
            self.slot(field)

    def _draw_limit(self) -> None:
        is_on = st.checkbox("Close a position after a time", key=self.key("has_limit"))
        if is_on:
            left, right = st.columns(2, gap="small")
            left.number_input("Time limit", step=1.0, format="%g", key=self.key("limit"))
            right.selectbox("Unit", list(UNITS_S), key=self.key("limit_unit"))
        self.slot("time_limit_s")

    def _market_title(self, market: str) -> str:
        view = self.markets.get(market)
        if view is None:
            return "Replay of a candle file"
        return view.title if view.mode == "paper" else f"{view.title} · {view.mode.upper()}"

    def mode(self, market: str) -> str:
        """With whose money a bot on a market of the form trades."""
        return self.markets[market].mode if market in self.markets else "paper"


def use_preset(name: str) -> None:
    """Fill in a preset, other input kept; a callback."""
    for field, value in PRESETS[name].items():
        if field == "params":
            for param, number in value.items():
                key = key_of(f"param_{DEFAULTS['strategy']}_{param}")
                st.session_state[key] = type(number)(number)
            st.session_state[key_of("strategy")] = DEFAULTS["strategy"]
        else:
            st.session_state[key_of(field)] = value


def _symbol_title(view: SymbolView) -> str:
    instrument = view.instrument
    return f"{instrument.symbol}  {instrument.name}" if instrument.name else instrument.symbol
