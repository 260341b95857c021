"""The panel's entry point: page set-up and navigation. Started by ``streamlit run app.py``."""

import streamlit as st

from panel.navigation import navigate

st.set_page_config(page_title="Quarterdeck", page_icon="panel/frontend/icon.svg", layout="wide")
page = navigate()
st.sidebar.caption("LIVE is real money. PAPER and TEST are not.")
page.run()
