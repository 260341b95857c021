"""Accounts: keys at venues, tested, encrypted, and with whose money they trade."""

import streamlit as st

from panel.account_dialogs import open_asked_dialog
from panel.account_form import draw_add_form
from panel.accounts_list import draw_accounts
from panel.facade import PanelError
from panel.figures import apply_details_style
from panel.layout import page_header, show_error
from panel.session import control_panel

panel = control_panel()
page_header("Accounts", panel)
apply_details_style()
try:
    open_asked_dialog(panel)
    draw_accounts(panel)
    with st.container(border=True, key="qd-add-account"):
        st.subheader("Add an account", anchor=False)
        draw_add_form(panel)
except PanelError as error:
    show_error(error)
