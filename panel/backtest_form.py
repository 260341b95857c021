"""The form for a backtest: the bot form's sections, with candles, a period and costs."""

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from engine.contracts import SECONDS, ErrorDetail, MarketView, StrategyView, SymbolView, timeframe_s
from panel.backtest_draft import (
    DEFAULTS,
    FILES,
    PREFIX,
    REPLAY,
    SAME,
    file_names,
    first_day,
)
from panel.bot_form import DIRECTIONS, BotForm
from panel.drafts import Draft
from panel.format import escape

DRAFT = Draft(PREFIX, DEFAULTS)
"""What the backtest form holds."""

PLACES = (
    ("source.files.files", "source.files"), ("source.market.symbols", "source.symbols"),
    ("source.market.market", "source.market"),
    ("source.market.fine_timeframe", "source.fine_timeframe"), ("terms.exits.", ""),
    ("terms.", ""),
)  # fmt: skip
"""How the engine's names of fields begin, and how the form's do."""


class BacktestForm(BotForm):
    """Draws the sections of a backtest; errors go next to their fields as in the bot form."""

    def __init__(
        self,
        markets: Sequence[MarketView],
        strategies: Sequence[StrategyView],
        draft: Draft = DRAFT,
    ) -> None:
        super().__init__(
            [market for market in markets if not market.id.startswith(REPLAY)], strategies, draft
        )
        self.replays = {market.id: market for market in markets if market.id.startswith(REPLAY)}
        self.files = file_names(list(self.replays))

    def show_errors(self, details: Sequence[ErrorDetail]) -> list[ErrorDetail]:
        """Put each error next to its field. Returns those without a place in the form."""
        return super().show_errors(
            [one.model_copy(update={"field": place_of(one.field)}) for one in details]
        )

    def draw_source(self, today: datetime) -> str:
        """Where the candles come from: files, or a market's own history. Returns which."""
        options = [*self.markets, FILES]
        self.draft.keep_in(options, "market")
        chosen: str = st.selectbox(
            "Candles from", options, key=self.key("market"), format_func=self._source_title,
            on_change=forget_period, args=(today,),
        )  # fmt: skip
        self.slot("source.market", "source")
        if chosen == FILES:
            self._draw_files()
        elif (view := self.markets.get(chosen)) is not None and view.error:
            st.warning(escape(view.error), icon=":material/cloud_off:")
        return chosen

    def _draw_files(self) -> None:
        if not self.files:
            st.info(
                "There is no candle file yet. Put one, named like BTC-USD.1h.csv, into the folder"
                " candles of your data folder, or choose a market."
            )
        kept = st.session_state.get(self.key("files"), [])
        gone = [name for name in kept if name not in self.files]
        st.multiselect(
            "Candle files", [*self.files, *gone], key=self.key("files"), max_selections=10,
            placeholder="Choose one or several",
            help="Each is one symbol; several are traded on one account",
        )  # fmt: skip
        self.slot("source.files")

    def draw_symbols(self, symbols: Sequence[SymbolView]) -> None:
        """Pick symbols of the market."""
        names = {view.instrument.symbol: view.instrument.name for view in symbols}
        kept = st.session_state.get(self.key("symbols"), [])
        gone = [name for name in kept if name not in names]
        st.multiselect(
            "Symbols", [*names, *gone], key=self.key("symbols"), max_selections=10,
            placeholder="Type to search",
            format_func=lambda name: f"{name}  {names.get(name, '')}".strip(),
            help="Several are traded on one account",
        )  # fmt: skip
        self.slot("source.symbols")

    def draw_period(self, source: str, today: datetime) -> None:
        """Length of the candles, and from which day to which."""
        frames = self._timeframes(source)
        self.draft.keep_in(frames, "timeframe")
        with st.grid(3, min_column_width=130, gap="small"):
            with st.container(gap="xxsmall"):
                frame = st.selectbox(
                    "Timeframe", frames, key=self.key("timeframe"), help="Length of a candle"
                )
                self.slot("timeframe")
            with st.container(gap="xxsmall"):
                self._day("From (UTC)", "since", today)
                self.slot("since")
            with st.container(gap="xxsmall"):
                self._day("To (UTC), included", "until", today)
                self.slot("until")
        if source == FILES:
            st.caption("Without days the whole file is used. Finer candles are joined, and used for"
                       " what happens inside a candle.")  # fmt: skip
            return
        finer = [SAME, *(one for one in frames if _is_inside(one, frame))]
        self.draft.keep_in(finer, "fine")
        st.selectbox(
            "Candles inside a candle", finer, key=self.key("fine"),
            help="Stops and targets are followed on these: closer to the truth, and slower",
        )  # fmt: skip
        self.slot("source.fine_timeframe")

    def draw_account(self) -> None:
        """What the account is given, how much a trade takes, and which way."""
        left, right = st.columns(2, gap="small")
        with left:
            st.text_input("Cash", key=self.key("cash"), help="The account at the start")
            self.slot("cash")
            st.text_input(
                "Trade amount", key=self.key("amount"), placeholder="all of the cash",
                help="Of the first entry; empty: the cash, in equal parts for every entry",
            )  # fmt: skip
            self.slot("amount")
            st.checkbox("Reinvest", key=self.key("reinvest"),
                        help="Later entries use the proceeds of earlier ones")  # fmt: skip
            self.slot("reinvest")
        with right:
            st.segmented_control(
                "Direction", list(DIRECTIONS), key=self.key("direction"), required=True,
                format_func=lambda name: DIRECTIONS[name],
            )  # fmt: skip
            self.slot("direction")
            st.number_input("Entries per position", min_value=1, max_value=20, step=1,
                            key=self.key("max_entries"))  # fmt: skip
            self.slot("max_entries")

    def draw_costs(self) -> None:
        """What trading costs."""
        with st.grid(4, min_column_width=110, gap="small"):
            for label, name, field in (
                ("Fee, %", "fee", "fee_bps"), ("Slippage, %", "slippage", "slippage_bps"),
                ("Spread, %", "spread", "spread_bps"), ("Volume cap, %", "volume", "volume_cap"),
            ):  # fmt: skip
                with st.container(gap="xxsmall"):
                    st.number_input(label, step=0.01, format="%g", key=self.key(name),
                                    placeholder="none")  # fmt: skip
                    self.slot(field)
        st.checkbox(
            "Round as the market does", key=self.key("has_rules"),
            help="Prices to the symbol's tick, quantities to its step, no order below its minimum",
        )  # fmt: skip
        self.slot("has_market_rules")

    def _day(self, label: str, name: str, today: datetime) -> None:
        st.date_input(label, key=self.key(name), format="YYYY-MM-DD", value=None,
                      min_value=datetime(1970, 1, 1, tzinfo=today.tzinfo).date(),
                      max_value=datetime(2100, 1, 1, tzinfo=today.tzinfo).date())  # fmt: skip

    def _timeframes(self, source: str) -> list[str]:
        view = self.markets.get(source)
        if source == FILES:
            chosen = st.session_state.get(self.key("files"), [])
            views = [one for id_, one in self.replays.items() if file_names([id_])[0] in chosen]
            offered = [set(one.timeframes) for one in views if one.timeframes]
            common = set.intersection(*offered) if offered else set(SECONDS)
            return [frame for frame in SECONDS if frame in common] or list(SECONDS)
        return list(view.timeframes) if view and view.timeframes else list(SECONDS)

    def _source_title(self, source: str) -> str:
        return "Candle files" if source == FILES else self.markets[source].title


def forget_period(today: datetime) -> None:
    """A file is used whole, a market for half a year, until days are chosen; a callback."""
    is_file = st.session_state[DRAFT.key("market")] == FILES
    st.session_state[DRAFT.key("since")] = None if is_file else first_day(today.date())
    st.session_state[DRAFT.key("until")] = None


def place_of(field: str) -> str:
    """The form's name of one of the engine's fields: ``terms.exits.stop_loss`` is
    ``stop_loss``."""
    for beginning, place in PLACES:
        if field.startswith(beginning):
            return f"{place}{field.removeprefix(beginning)}"
    return field


def _is_inside(fine: str, coarse: str) -> bool:
    return fine != coarse and timeframe_s(coarse) % timeframe_s(fine) == 0
