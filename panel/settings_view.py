"""The Settings page: settings, paper balances, the engine itself."""

import platform
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from engine.contracts import AccountView, SettingView
from panel.commands import attempt
from panel.facade import ControlPanel
from panel.format import escape, moment, quantity

KEY = "setting_"


def draw_editable(panel: ControlPanel, settings: Sequence[SettingView]) -> None:
    """The settings that may be changed here, in a form, saved together."""
    editable = [setting for setting in settings if setting.is_editable]
    if not editable:
        st.caption("No setting can be changed while the engine runs.")
        return
    with st.form("settings_form", border=True):
        for setting in editable:
            default = f" Default: {setting.default}." if setting.default != setting.value else ""
            st.text_input(
                escape(setting.title), value=setting.value, key=f"{KEY}{setting.key}",
                help=escape(f"{setting.description}.{default}"),
            )  # fmt: skip
        st.form_submit_button(
            "Save settings", type="primary", on_click=_save, args=(panel, editable)
        )


def _save(panel: ControlPanel, editable: Sequence[SettingView]) -> None:
    """Send what was changed; a callback."""
    typed = {setting.key: str(st.session_state[f"{KEY}{setting.key}"]) for setting in editable}
    changed = {
        setting.key: typed[setting.key].strip()
        for setting in editable
        if typed[setting.key].strip() != setting.value
    }
    if changed:
        attempt(lambda: panel.update_settings(changed), "The settings are saved.")


def draw_fixed(settings: Sequence[SettingView]) -> None:
    """The settings that are read when the engine starts."""
    rows = [
        {"Setting": setting.title, "Value": setting.value, "Default": setting.default,
         "Environment variable": f"QUARTERDECK_{setting.key.upper()}",
         "Meaning": setting.description}
        for setting in settings
        if not setting.is_editable
    ]  # fmt: skip
    if rows:
        st.dataframe(pd.DataFrame(rows), hide_index=True, key="fixed_settings")


def draw_accounts(accounts: Sequence[AccountView]) -> None:
    """Balances by account and asset; an account that does not answer says so."""
    for account in accounts:
        if account.error:
            st.error(
                f"{escape(account.account_id)}: {escape(account.error)}", icon=":material/error:"
            )
    rows = [
        {"Account": account.account_id, "Mode": account.mode, "Asset": asset,
         "Free": quantity(account.free.get(asset)), "Locked": quantity(account.locked.get(asset))}
        for account in accounts
        for asset in sorted(account.free.keys() | account.locked.keys())
    ]  # fmt: skip
    if rows:
        right = {
            name: st.column_config.TextColumn(alignment="right") for name in ("Free", "Locked")
        }
        st.dataframe(pd.DataFrame(rows), hide_index=True, key="balances", column_config=right)
    elif not accounts:
        st.caption("No account has been used yet.")


def draw_engine(panel: ControlPanel) -> None:
    """Versions, where the engine is, and its stop."""
    health = panel.health()
    facts = (
        ("Quarterdeck", health.version),
        ("Engine", f"{health.engine_id}, on since {moment(health.started_at)} UTC"),
        ("Address", panel.url.removeprefix("http://")),
        ("Streamlit", st.__version__),
        ("Python", platform.python_version()),
    )
    st.markdown("\n".join(f"- {name}: {escape(value)}" for name, value in facts))
    if st.button("Stop the engine", icon=":material/power_settings_new:", key="engine_stop"):
        _confirm_shutdown(panel)


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
