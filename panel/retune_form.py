"""How a bot is tuned again by itself: off until a person wants it."""

import streamlit as st

from engine.contracts import BotView
from engine.contracts.studies import OBJECTIVES, Retune
from panel.commands import attempt
from panel.facade import ControlPanel
from panel.format import escape, moment
from panel.session import control_panel
from panel.tuning_form import METHODS

FIELDS = ("is_on", "every_days", "hour", "lookback_bars", "objective", "method", "trials",
          "holdout", "min_trades", "margin")  # fmt: skip


def draw_retune(panel: ControlPanel) -> None:
    """Choose a bot, see where its re-tuning stands, change it."""
    bots = panel.bots()
    if not bots:
        st.info("There is no bot to tune again yet.")
        st.page_link("pages/create.py", label="Create a bot", icon=":material/add_circle:")
        return
    names = {bot.id: f"{bot.config.name} ({bot.config.strategy}, {bot.config.symbol})"
             for bot in bots}  # fmt: skip
    chosen = st.selectbox("Bot", list(names), format_func=names.__getitem__, key="retune_bot")
    retune = panel.retune(chosen)
    draw_standing(retune)
    bot = next(one for one in bots if one.id == chosen)
    draw_form(bot, retune)


def draw_standing(retune: Retune) -> None:
    """What was and what will be."""
    if retune.settings.is_on:
        st.markdown(f":green-badge[on] Next on {moment(retune.next_at)} UTC.")
    else:
        st.markdown(":gray-badge[off] This bot keeps its parameters.")
    if retune.study_id:
        st.page_link("pages/tuning.py", label="The study under way", icon=":material/tune:",
                     query_params={"study": retune.study_id})  # fmt: skip
    if retune.outcome:
        st.info(escape(retune.outcome), icon=":material/history:")


def draw_form(bot: BotView, retune: Retune) -> None:
    """All settings, sent together."""
    held, titles = retune.settings, {key.value: one.title for key, one in OBJECTIVES.items()}

    def key(name: str) -> str:
        return f"retune_{bot.id}_{name}"

    with st.form(f"retune_{bot.id}", border=True):
        st.toggle("Tune this bot again by itself", held.is_on, key=key("is_on"))
        with st.grid(3, min_column_width=150, gap="small"):
            st.number_input("Every (days)", 1, 365, held.every_days, key=key("every_days"))
            st.number_input("At (hour, UTC)", 0, 23, held.hour, key=key("hour"))
            st.number_input("Candles looked back on", 200, 200_000, held.lookback_bars, 100,
                            key=key("lookback_bars"))  # fmt: skip
            st.selectbox("Objective", list(titles), list(titles).index(held.objective.value),
                         format_func=titles.__getitem__, key=key("objective"))  # fmt: skip
            st.selectbox("Method", list(METHODS), list(METHODS).index(held.method.value),
                         format_func=METHODS.__getitem__, key=key("method"))  # fmt: skip
            st.number_input("Trials", 1, 5000, held.trials, 10, key=key("trials"))
            st.number_input("Held out, % of the candles", 5.0, 80.0, round(100 * held.holdout, 4),
                            5.0, format="%g", key=key("holdout"))  # fmt: skip
            st.number_input("Least trades", 1, 100_000, held.min_trades, key=key("min_trades"))
            st.number_input("Margin", 0.0, 1000.0, held.margin, 0.05, key=key("margin"),
                            help="By how much the new parameters must win out of sample, in the"
                            " objective's own unit")  # fmt: skip
        st.caption("New parameters are applied only when they win out of sample by the margin, and"
                   " only while the bot holds nothing and no order of it works.")  # fmt: skip
        st.form_submit_button("Save", type="primary", on_click=save, args=(bot.id, retune))


def save(bot_id: str, retune: Retune) -> None:
    """Send what the form holds; a callback."""
    given = {name: st.session_state[f"retune_{bot_id}_{name}"] for name in FIELDS}
    given["holdout"] = round(given["holdout"] / 100, 6)
    settings = {**retune.settings.model_dump(mode="json"), **given}
    attempt(lambda: control_panel().set_retune(bot_id, settings), "The re-tuning is saved.")
