"""The form for a study: candles and costs as of a backtest, and where to search."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from engine.contracts import ErrorDetail, MarketView, StrategyView, SymbolView
from engine.contracts.studies import OBJECTIVES, Method, Pruner
from panel.backtest_draft import FILES
from panel.backtest_form import BacktestForm, place_of
from panel.drafts import Draft
from panel.format import escape, escape_label
from panel.forms import FieldSpec, draw_field, field_specs, initial_value
from panel.tuning_draft import DEFAULTS, EXIT_SPECS, HOLDOUT, PREFIX, WALK, study_body

DRAFT = Draft(PREFIX, DEFAULTS)
"""What the tuning form holds."""

METHODS = {Method.TPE.value: "TPE (learns)", Method.RANDOM.value: "Random",
           Method.GRID.value: "Grid (all)"}  # fmt: skip
PRUNERS = {Pruner.NONE.value: "never", Pruner.MEDIAN.value: "below the median",
           Pruner.HALVING.value: "half at a time"}  # fmt: skip
SPLITS = {HOLDOUT: "Hold out the newest", WALK: "Walk forward"}


class TuningForm(BacktestForm):
    """Draws the sections of a study; errors go next to their fields."""

    def __init__(self, markets: Sequence[MarketView], strategies: Sequence[StrategyView]) -> None:
        super().__init__(markets, strategies, DRAFT)
        self.specs: list[FieldSpec] = []

    def show_errors(self, details: Sequence[ErrorDetail]) -> list[ErrorDetail]:
        """Put each error next to its field. Returns those without a place in the form."""
        return super().show_errors(
            [one.model_copy(update={"field": place_of(one.field.removeprefix("backtest."))})
             for one in details]
        )  # fmt: skip

    def body(self) -> dict[str, Any]:
        """The request of what the form holds now."""
        state, strategy = st.session_state, st.session_state.get(self.key("strategy"))
        searched = {}
        for spec in (*self.specs, *EXIT_SPECS):
            mark = f"{strategy}_{spec.name}"
            if not state.get(self.key(f"search_{mark}")):
                continue
            if spec.kind in ("choice", "boolean", "text"):
                searched[spec.name] = {"choices": state.get(self.key(f"choices_{mark}"), [])}
            else:
                searched[spec.name] = {
                    part: state.get(self.key(f"{part}_{mark}")) for part in ("low", "high", "step")
                }
        return study_body(DRAFT.read(), self.specs, searched)

    def _draw_files(self) -> None:
        """One file: a study is on one symbol."""
        if not self.files:
            st.info(
                "There is no candle file yet. Put one, named like BTC-USD.1h.csv, into the folder"
                " candles of your data folder, or choose a market."
            )
        self.draft.keep_in(self.files, "file")
        chosen = st.selectbox("Candle file", self.files, key=self.key("file"), index=None)
        st.session_state[self.key("files")] = [chosen] if chosen else []
        self.slot("source.files", "source")

    def draw_one_symbol(self, symbols: Sequence[SymbolView]) -> None:
        """Pick the market's symbol."""
        names = {view.instrument.symbol: view.instrument.name for view in symbols}
        self.draft.keep_in(list(names), "symbol")
        st.selectbox(
            "Symbol", list(names), key=self.key("symbol"),
            format_func=lambda name: f"{name}  {names.get(name, '')}".strip(),
        )  # fmt: skip
        self.slot("source.symbols")

    def draw_candles(self, symbols: Sequence[SymbolView], source: str, today: datetime) -> None:
        """What follows from the choice of the source."""
        if source != FILES:
            self.draw_one_symbol(symbols)
        self.draw_period(source, today.astimezone(UTC))

    def draw_space(self) -> None:
        """The strategy, and of each parameter whether and where it is searched."""
        self.draft.keep_in(list(self.strategies), "strategy")
        chosen = st.selectbox(
            "Strategy", list(self.strategies), key=self.key("strategy"),
            format_func=lambda name: f"{self.strategies[name].title} ({name})",
        )  # fmt: skip
        self.slot("strategy")
        if chosen is None:
            st.info("There is no usable strategy in the strategies folder.")
            return
        strategy = self.strategies[chosen]
        st.markdown(escape(strategy.summary))
        self.specs = field_specs(strategy.parameters)
        if not self.specs:
            st.caption("This strategy has no parameters; its exits can be searched below.")
        for spec in self.specs:
            self._draw_parameter(strategy.id, spec, is_searched=spec.kind in ("integer", "number"))
        self.slot("ranges", "params")
        with st.expander("Search exits too"):
            for spec in EXIT_SPECS:
                self._draw_parameter(strategy.id, spec, is_searched=False)
            st.caption("Exits that are not searched are those of the section Exits.")

    def _draw_parameter(self, strategy_id: str, spec: FieldSpec, *, is_searched: bool) -> None:
        mark = f"{strategy_id}_{spec.name}"
        key = self.key(f"search_{mark}")
        st.session_state.setdefault(key, is_searched and spec.minimum is not None)
        st.toggle(escape_label(spec.title), key=key, help=escape(spec.help) or None)
        if not st.session_state[key]:
            if not spec.name.startswith("exits."):
                fixed = self.key(f"param_{mark}")
                st.session_state.setdefault(fixed, initial_value(spec, None))
                with st.container(width=190):
                    draw_field(spec, fixed)
        elif spec.kind in ("choice", "boolean", "text"):
            self._draw_choices(mark, spec)
        else:
            with st.grid(3, min_column_width=96, gap="small"):
                self._draw_range(mark, spec)
        self.slot(f"ranges.{spec.name}", f"params.{spec.name}")

    def _draw_choices(self, mark: str, spec: FieldSpec) -> None:
        options = [True, False] if spec.kind == "boolean" else list(spec.choices)
        key = self.key(f"choices_{mark}")
        st.session_state.setdefault(key, options)
        st.multiselect("Values", options, key=key, accept_new_options=spec.kind == "text")

    def _draw_range(self, mark: str, spec: FieldSpec) -> None:
        is_whole = spec.kind == "integer"
        starts = {"low": spec.minimum, "high": spec.maximum, "step": None}
        if spec.name.startswith("exits."):
            starts = {"low": 1.0, "high": 8.0, "step": None}
        for part, label in (("low", "From"), ("high", "To"), ("step", "Step")):
            key, start = self.key(f"{part}_{mark}"), starts[part]
            if start is not None:
                st.session_state.setdefault(key, int(start) if is_whole else float(start))
            st.number_input(
                label, key=key, format="%d" if is_whole else "%g",
                step=1 if is_whole else 0.1, value=None if start is None else "min",
                placeholder="any" if part == "step" else "",
            )  # fmt: skip

    def draw_search(self) -> None:
        """What is wanted, how it is searched, and how much."""
        with st.grid(3, min_column_width=150, gap="small"):
            with st.container(gap="xxsmall"):
                titles = {key.value: one.title for key, one in OBJECTIVES.items()}
                st.selectbox("Objective", list(titles), key=self.key("objective"),
                             format_func=titles.__getitem__)  # fmt: skip
                self.slot("objective")
            with st.container(gap="xxsmall"):
                st.selectbox("Method", list(METHODS), key=self.key("method"),
                             format_func=METHODS.__getitem__)  # fmt: skip
                self.slot("method")
            with st.container(gap="xxsmall"):
                st.number_input("Trials, of each fold", min_value=1, max_value=5000, step=10,
                                key=self.key("trials"))  # fmt: skip
                self.slot("trials")
            with st.container(gap="xxsmall"):
                st.number_input("Least trades", min_value=1, step=1, key=self.key("min_trades"),
                                help="In sample; with fewer a trial cannot win")  # fmt: skip
                self.slot("min_trades")
            with st.container(gap="xxsmall"):
                st.selectbox("Give up early", list(PRUNERS), key=self.key("pruner"),
                             format_func=PRUNERS.__getitem__,
                             help="Bad trials end after a part of the training")  # fmt: skip
                self.slot("pruner")
            with st.container(gap="xxsmall"):
                st.number_input("Seed", min_value=0, step=1, key=self.key("seed"),
                                help="The same seed gives the same result")  # fmt: skip
                self.slot("seed")

    def draw_split(self) -> None:
        """What is kept apart to judge by."""
        split = st.segmented_control(
            "Out of sample", list(SPLITS), key=self.key("split"), required=True,
            format_func=SPLITS.__getitem__,
        )  # fmt: skip
        if split == WALK:
            st.number_input("Folds", min_value=1, max_value=100, step=1, key=self.key("folds"),
                            width=160)  # fmt: skip
            st.checkbox("Anchored: every training begins with the first candle",
                        key=self.key("is_anchored"))  # fmt: skip
            self.slot("walk_forward")
            return
        st.slider("Held out, % of the candles", 5, 80, key=self.key("held_out"))
        self.slot("holdout")
