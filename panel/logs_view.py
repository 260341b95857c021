"""Events as a log: filters, live lines, and downloads of exactly what is filtered."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from html import escape

import streamlit as st

from engine.contracts import BotView, Event, EventFilter, Level
from engine.domain.csv_export import csv_text
from panel.facade import ControlPanel, PanelError
from panel.format import NONE, moment, now
from panel.layout import show_error
from panel.live import REFRESH_S, latest, show_staleness

SHOWN = 300
MOST = 5000
"""What the engine gives at once; a download says when there may be more."""

LEVEL_COLOURS = {
    Level.DEBUG: "gray", Level.INFO: "blue", Level.WARNING: "orange", Level.ERROR: "red",
}  # fmt: skip
Names = Mapping[str, str]
"""Bots' names by id."""
