"""A bot's start, pause and stop, as buttons that fit what it is doing."""

import time
from collections.abc import Callable

import streamlit as st

from engine.contracts import BotView
from panel.asked import ask
from panel.commands import attempt
from panel.format import TRANSIENT, state_of
from panel.live_money import STARTING
from panel.modes import LIVE
from panel.session import control_panel

CAN_START = frozenset({"stopped", "faulted", "paused", "pausing"})
AT_REST = frozenset({"stopped", "faulted"})
CAN_PAUSE = frozenset({"running", "sleeping"})
CAN_STOP = frozenset({"starting", "running", "sleeping", "paused", "pausing"})

SETTLE_S = 0.8
"""How long a command waits for the engine to take it up, so that the next draw shows it."""

POLL_S = 0.03


def command_buttons(bot: BotView) -> None:
    """The buttons that make sense in the bot's state; a stop with a position asks about it."""
    state = state_of(bot)
    if state in CAN_START:
        label = "Resume" if state in ("paused", "pausing") else "Start"
        st.button(
            label, icon=":material/play_arrow:", key=f"start-{bot.id}", on_click=start, args=(bot,)
        )
    if state in CAN_PAUSE:
        st.button(
            "Pause", icon=":material/pause:", key=f"pause-{bot.id}", on_click=pause, args=(bot,),
            help="No new entries; stops and targets stay watched",
        )  # fmt: skip
    if state in CAN_STOP:
        _stop_button(bot)
    if state == "stopping":
        st.button("Stopping…", icon=":material/stop:", key=f"stopping-{bot.id}", disabled=True)


def _stop_button(bot: BotView) -> None:
    if bot.position is None:
        st.button(
            "Stop", icon=":material/stop:", key=f"stop-{bot.id}", on_click=stop, args=(bot, False)
        )
        return
    with st.popover("Stop", icon=":material/stop:", key=f"stop-menu-{bot.id}"):
        st.markdown(
            "This bot holds a position. A kept position is not watched until the next start."
        )
        st.button("Stop, keep the position", key=f"keep-{bot.id}", on_click=stop, args=(bot, False))
        st.button("Close it and stop", key=f"close-{bot.id}", on_click=stop, args=(bot, True))


def start(bot: BotView) -> None:
    """Ask for the bot to run, or first whether real money is meant; a callback."""
    if bot.mode == LIVE and state_of(bot) in AT_REST:
        ask(STARTING, bot.id)
        return
    _command(lambda: control_panel().start_bot(bot.id), f"{bot.config.name} is starting.")


def pause(bot: BotView) -> None:
    """Ask for no new entries; a callback."""
    _command(lambda: control_panel().pause_bot(bot.id), f"{bot.config.name} enters nothing new.")


def stop(bot: BotView, close_position: bool) -> None:
    """Ask for the bot to stop; a callback."""
    _command(
        lambda: control_panel().stop_bot(bot.id, close_position=close_position),
        f"{bot.config.name} is stopping.",
    )


def _command(command: Callable[[], BotView], done: str) -> None:
    attempt(lambda: _settle(command()), done)


def _settle(bot: BotView) -> None:
    """Wait until the bot is where it was sent, but not for long: some ways there are."""
    deadline = time.monotonic() + SETTLE_S
    while state_of(bot) in TRANSIENT and time.monotonic() < deadline:
        time.sleep(POLL_S)
        bot = control_panel().bot(bot.id)
