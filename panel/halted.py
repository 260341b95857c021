"""The banner over what an account that takes no entries touches, with the way to Reconcile."""

from collections.abc import Iterable

import streamlit as st

from engine.contracts import BotView
from panel.format import escape

ACCOUNTS_PAGE = "Accounts page"


def objections(bots: Iterable[BotView]) -> dict[str, str]:
    """Why accounts of these bots take no entries, by account."""
    return {bot.account_id: bot.account_objection for bot in bots if bot.account_objection}


def halted_banner(bots: Iterable[BotView]) -> None:
    """Say which accounts take no entries, and why."""
    bots = list(bots)
    names = {bot.account_id: bot.account_name for bot in bots}
    for account_id, why in objections(bots).items():
        with st.container(
            key=f"qd-halted-{account_id}", horizontal=True, vertical_alignment="center"
        ):
            st.markdown(
                f":material/block: **No entries on {escape(names[account_id] or account_id)}**:"
                f" {escape(why.rstrip('.'))}. Exits and stops go on.",
                width="stretch",
            )
            if ACCOUNTS_PAGE in why:
                st.page_link("pages/accounts.py", label="Accounts", icon=":material/key:")
            else:
                st.page_link("pages/reconcile.py", label="Reconcile", icon=":material/balance:")
