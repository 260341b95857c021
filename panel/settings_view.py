"""The Settings page: settings, balances, the engine itself."""

import platform
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from engine.contracts import AccountView, Lateness, SettingView
from panel.commands import attempt
from panel.facade import ControlPanel, PanelError
from panel.figures import Figure, draw_figures
from panel.format import NONE, escape, escape_label, moment, quantity
from panel.layout import show_error
from panel.live import latest, show_staleness
from panel.markup import pairs_html

KEY = "setting_"
STATS_REFRESH_S = 5.0
OTHER = "Engine"
GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Paper trading", ("paper_",)),
    ("Limits and breakers", ("limit_",)),
    ("Models", ("ai_", "gemini_", "openai_")),
    ("News", ("newsapi_", "finnhub_", "alphavantage_", "news_")),
    ("Signals and the API", ("inbox_", "trusted_", "tradingview_", "api_")),
    ("Alerts", ("alert_", "twilio_", "telegram_", "deadman_", "watcher_")),
    ("Venues and candles", ("binance_", "alpaca_", "yahoo_", "candle_", "fallback_")),
    ("Backups", ("backup_",)),
    ("Books and money", ("reconcile_", "foreign_", "deposits", "base_currency", "equal_")),
)
"""Titles, and how the keys of their settings begin; all others are the engine's own."""

UNITS = {
    "bps": "basis points", "ms": "milliseconds", "s": "seconds", "min": "minutes",
    "hours": "hours", "days": "days", "mb": "MB", "gb": "GB", "usd": "US dollars",
}  # fmt: skip
"""By how a key ends."""


def draw_editable(panel: ControlPanel, settings: Sequence[SettingView]) -> None:
    """The settings that may be changed here, in a form, saved together."""
    editable = [setting for setting in settings if setting.is_editable]
    if not editable:
        st.caption("No setting can be changed while the engine runs.")
        return
    with st.form("settings_form", border=True):
        for title, members in grouped(editable):
            pending = sum(bool(one.pending) for one in members)
            waits = f" · {pending} from the next start" if pending else ""
            with st.expander(f"{title}{waits}", expanded=title == GROUPS[0][0] or bool(pending)):
                for setting in members:
                    _draw_setting(setting)
        st.form_submit_button(
            "Save settings", type="primary", on_click=_save, args=(panel, editable)
        )


def _draw_setting(setting: SettingView) -> None:
    description = f"{setting.description}. " if setting.description else ""
    st.text_input(
        escape_label(label_of(setting)), value=_wanted(setting), key=f"{KEY}{setting.key}",
        help=escape(f"{description}Default: {setting.default or 'empty'}."),
    )  # fmt: skip
    if setting.pending:
        st.caption(
            f":orange[{escape(setting.pending)} from the engine's next start;"
            f" until then {escape(setting.value)}.]"
        )


def label_of(setting: SettingView) -> str:
    """The title with the unit that the key names, where the title does not."""
    unit = UNITS.get(setting.key.rpartition("_")[2], "")
    return (
        f"{setting.title} ({unit})"
        if unit and unit.lower() not in setting.title.lower()
        else setting.title
    )


def grouped(settings: Sequence[SettingView]) -> list[tuple[str, list[SettingView]]]:
    """The settings under the titles of ``GROUPS``, in their order; empty groups are left out."""
    parts: dict[str, list[SettingView]] = {title: [] for title, _ in GROUPS}
    for setting in settings:
        title = next((title for title, begins in GROUPS if setting.key.startswith(begins)), OTHER)
        parts.setdefault(title, []).append(setting)
    return [(title, members) for title, members in parts.items() if members]


def _wanted(setting: SettingView) -> str:
    """What the person chose last: in force now, or from the next start."""
    return setting.pending or setting.value


def _save(panel: ControlPanel, editable: Sequence[SettingView]) -> None:
    """Send what was changed; a callback."""
    typed = {setting.key: str(st.session_state[f"{KEY}{setting.key}"]) for setting in editable}
    changed = {
        setting.key: typed[setting.key].strip()
        for setting in editable
        if typed[setting.key].strip() != _wanted(setting)
    }
    if changed:
        attempt(
            lambda: panel.update_settings(changed), "Saved; in force from the engine's next start."
        )


def draw_fixed(settings: Sequence[SettingView]) -> None:
    """The settings that only the environment or the .env file changes."""
    fixed = [setting for setting in settings if not setting.is_editable]
    for title, members in grouped(fixed):
        st.markdown(f"**{title}**")
        st.html(pairs_html(
            [(f"QUARTERDECK_{one.key.upper()}", one.value or NONE) for one in members]
        ))  # fmt: skip


def draw_balances(panel: ControlPanel) -> None:
    """What the venues of all accounts say now; the page goes on when they keep it waiting."""
    try:
        accounts = panel.accounts()
    except PanelError as error:
        show_error(error)
        return
    _draw_accounts(accounts)


def _draw_accounts(accounts: Sequence[AccountView]) -> None:
    """Balances by account and asset; an account that does not answer says so."""
    for account in accounts:
        if account.error:
            st.error(
                f"{escape(account.account_id)}: {escape(account.error)}", icon=":material/error:"
            )
    rows = [
        {"Account": account.account_id, "Money": account.mode.upper(), "Asset": asset,
         "Free": quantity(account.free.get(asset)), "Locked": quantity(account.locked.get(asset))}
        for account in accounts
        for asset in sorted(account.free.keys() | account.locked.keys())
        if account.free.get(asset) or account.locked.get(asset)
    ]  # fmt: skip
    if rows:
        right = {
            name: st.column_config.TextColumn(alignment="right", width=130)
            for name in ("Free", "Locked")
        }
        st.dataframe(pd.DataFrame(rows), hide_index=True, key="balances", column_config=right)
    elif not accounts:
        st.caption("No account has been used yet.")


def draw_engine(panel: ControlPanel) -> None:
    """How the engine is doing, what it is, and its stop."""
    health = panel.health()
    _live_stats(panel)
    facts = (
        ("On since", f"{moment(health.started_at)} UTC"),
        ("Address", panel.url.removeprefix("http://")),
        ("ID", health.engine_id),
        (
            "Versions",
            f"Quarterdeck {health.version}, Python {platform.python_version()},"
            f" Streamlit {st.__version__}",
        ),
    )
    st.html(pairs_html(facts))
    if st.button("Stop the engine", icon=":material/power_settings_new:", key="engine_stop"):
        _confirm_shutdown(panel)


@st.fragment(run_every=STATS_REFRESH_S)
def _live_stats(panel: ControlPanel) -> None:
    try:
        snapshot = latest("stats", panel.stats)
    except PanelError as error:
        show_error(error)
        return
    show_staleness(snapshot)
    stats = snapshot.value
    draw_figures(
        (
            Figure("Bots at work", f"{stats.live_bots:,}"),
            Figure("Checks so far", f"{stats.cycles_run:,}"),
            Figure("Candle requests", f"{stats.candle_requests:,}"),
        )
    )
    late = (
        ("A check begins late by", lateness_words(stats.jobs)),
        ("A decision follows its candle by", lateness_words(stats.cycles)),
    )
    st.html(pairs_html(late))


def lateness_words(lateness: Lateness) -> str:
    """How late the newest ones were: half of them, all but a hundredth, and the worst."""
    if not lateness.count:
        return NONE
    return f"p50 {lateness.p50_s:.2f} s, p99 {lateness.p99_s:.2f} s, worst {lateness.worst_s:.2f} s"


@st.dialog("Stop the engine?")
def _confirm_shutdown(panel: ControlPanel) -> None:
    st.markdown(
        "While it is off no bot decides and no stop or target is watched. Running bots go on by"
        " themselves at the next start; open positions stay as they are."
    )
    if st.button(
        "Stop the engine", type="primary", key="engine_stop_confirmed",
        on_click=_shut_down, args=(panel,),
    ):  # fmt: skip
        st.rerun()


def _shut_down(panel: ControlPanel) -> None:
    attempt(panel.shutdown, "The engine is stopping.")
