"""The commands of run.py: run, test, lint, bench, mutants."""

import os
import signal
import sys
import webbrowser
from collections.abc import Sequence

from tooling.checks import bench, lint, mutants, test
from tooling.deck import Deck, is_engine_up, is_own_engine
from tooling.environment import RUNTIME, Environment
from tooling.place import Place, StartError, check_data_folder, check_port, read_place, say

COMMANDS = ("run", "test", "lint", "bench", "mutants")
FOR_PYTEST = {"test": test, "bench": bench}
"""Commands whose arguments go to pytest; the others take none."""


def main(arguments: Sequence[str], help_text: str) -> int:
    """Run one command; the exit code."""
    command, *rest = arguments or ["run"]
    if command in ("-h", "--help", "help"):
        say(help_text.strip())
        return 0
    # A polite kill while packages install or tests run ends like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if command not in COMMANDS:
            raise StartError(f"There is no command '{command}'; known are {', '.join(COMMANDS)}.")
        if command in FOR_PYTEST:
            return FOR_PYTEST[command](rest)
        if rest:
            raise StartError(f"'{command}' takes no arguments, but got '{' '.join(rest)}'.")
        return {"run": run, "lint": lint, "mutants": mutants}[command]()
    except StartError as error:
        print(error, file=sys.stderr, flush=True)
        return error.exit_code
    except KeyboardInterrupt:
        say("Stopped.")
        return 130


def run() -> int:
    """Start the engine, the panel and the watcher and stay with them. Raises StartError."""
    place = read_place()
    check_data_folder(place)
    check_not_running(place)
    check_port(place.api_port, "QUARTERDECK_API_PORT", "the engine")
    check_port(place.panel_port, "QUARTERDECK_PANEL_PORT", "the panel")
    environment = Environment()
    environment.install(RUNTIME)
    deck = Deck(place, environment.python)
    stop_on_signals(deck)
    say("Starting the engine and the panel ...")
    try:
        deck.start()
        if not deck.is_asked_to_stop.is_set():
            say(f"Quarterdeck is running: {place.address}  (Ctrl-C stops it)")
            open_browser(place.address)
        return deck.watch()
    finally:
        say("Stopping ...")
        deck.close()
        say("Stopped.")


def stop_on_signals(deck: Deck) -> None:
    """Ctrl-C, a polite kill and a closed terminal stop the deck; ``nohup`` keeps its meaning."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is None or (name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN):
            continue
        signal.signal(number, deck.on_signal)


def check_not_running(place: Place) -> None:
    """Refuse to start a second copy. Raises StartError."""
    if not is_engine_up(place):
        return
    if is_own_engine(place):
        raise StartError(
            f"An engine already runs on the data folder {place.data} (port {place.api_port}); use "
            f"its panel at {place.address}, or stop it first and start again."
        )
    raise StartError(
        f"Port {place.api_port}, which the engine needs, is used by a Quarterdeck engine with "
        "another data folder; set QUARTERDECK_API_PORT and QUARTERDECK_PANEL_PORT to free ports "
        "to run two copies."
    )


def open_browser(address: str) -> None:
    """Open the panel, unless there is no screen or it is not wanted."""
    is_headless = sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
    if not (is_headless or os.environ.get("CI") or os.environ.get("QUARTERDECK_NO_BROWSER")):
        webbrowser.open(address)
