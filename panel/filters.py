"""Filters above a list, kept in the address, and which page of the list is shown."""

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import TypeVar

import streamlit as st
from pydantic import BaseModel

F = TypeVar("F", bound=BaseModel)
"""A filter with ``limit`` and ``offset``."""

PAGE = "page"
"""The session key, and the address's name, of the page shown."""

MOST_TYPED = 40
"""The longest name of a bot or a symbol."""

MOST_STRATEGY, MOST_MARKET = 64, 500


def first_page() -> None:
    """Show the newest again; a callback of everything that changes what is asked for."""
    st.session_state[PAGE] = 1


def clear(keys: Sequence[str]) -> None:
    """Back to all; a callback."""
    for key in keys:
        st.session_state[key] = None
    first_page()


def pick(
    label: str, key: str, options: Sequence[str], *, is_open: bool = True, most: int = MOST_TYPED
) -> str | None:
    """One of ``options`` or, where it ``is_open``, what is typed, cut to ``most`` letters: the
    engine refuses longer ones. None: all."""
    chosen: str | None = st.selectbox(
        label,
        options,
        index=None,
        key=key,
        placeholder="All",
        accept_new_options=is_open,
        on_change=first_page,
        width=150,
        bind="query-params",
    )
    return chosen if chosen is None or chosen in options else chosen[:most]


def day(label: str, key: str) -> date | None:
    """A day, or None."""
    return st.date_input(
        label, value=None, key=key, format="YYYY-MM-DD", on_change=first_page, width=140,
        bind="query-params",
    )  # fmt: skip


def text(label: str, key: str, placeholder: str) -> str:
    """A part of a text, or empty."""
    typed = st.text_input(
        label, key=key, placeholder=placeholder, max_chars=200, type="search", width=220,
        on_change=first_page, bind="query-params",
    )  # fmt: skip
    return (typed or "").strip()


def are_days_in_order(first: date | None, last: date | None) -> bool:
    """Whether a period is one; draws why not."""
    if first and last and first > last:
        st.error("The first day lies after the last one.", icon=":material/error:")
        return False
    return True


def midnight(at: date) -> datetime:
    """When a day begins, in UTC."""
    return datetime.combine(at, time(), UTC)


def choose_page(count: int, size: int) -> int:
    """Which page to show, from 1, kept in the address; drawn only when there are several."""
    pages = math.ceil(count / size)
    if pages < 2:
        return 1
    return st.pagination(pages, width=340, key=PAGE, bind="query-params")


def is_narrowed(chosen: BaseModel, *besides: str) -> bool:
    """Whether a filter leaves anything out; its page and the fields ``besides`` leave out none."""
    return bool(chosen.model_dump(exclude={"limit", "offset", *besides}, exclude_defaults=True))


def clear_button(keys: Sequence[str], key: str) -> None:
    """What empties the widgets of ``keys``."""
    st.button("Clear filters", key=key, on_click=clear, args=(keys,))


def choose_filter_page(chosen: F, count: int, size: int, keys: Sequence[str], clear_key: str) -> F:
    """The filter with the page that is shown; beside it what clears its widgets, of ``keys``."""
    if is_narrowed(chosen):
        clear_button(keys, clear_key)
    page = choose_page(count, size)
    return chosen.model_copy(update={"limit": size, "offset": (page - 1) * size})
