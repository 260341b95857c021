"""Where this copy keeps its data and listens, and whether it can."""

import errno
import os
import re
import socket
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
WINDOWS_ADDRESS_IN_USE = 10048


class StartError(Exception):
    """One sentence for the person at the keyboard: what is wrong and what to do.

    ``exit_code`` is what run.py ends with: 2 when it cannot start as things are.
    """

    def __init__(self, sentence: str, exit_code: int = 2) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code


class Place(NamedTuple):
    """The data folder and the two ports of one copy."""

    data: Path
    api_port: int
    panel_port: int

    @property
    def logs(self) -> Path:
        """Where the processes write what they print."""
        return self.data / "logs"

    @property
    def address(self) -> str:
        """What the browser opens."""
        return f"http://{HOST}:{self.panel_port}"


def say(text: str) -> None:
    """Print at once, also when nobody watches a terminal."""
    print(text, flush=True)


def read_place(root: Path = ROOT) -> Place:
    """Data folder and ports from the environment, then ``.env``, then the defaults.

    A folder given in the environment is relative to the working folder, one in ``.env`` to the
    project. Raises StartError.
    """
    dotenv = read_dotenv(root / ".env")

    def read(name: str, default: str) -> str:
        return os.environ.get(name) or dotenv.get(name) or default

    def read_port(name: str, default: str) -> int:
        text = read(name, default)
        if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
            raise StartError(f"{name} must be a port from 1 to 65535, not '{text}'.")
        return int(text)

    base = Path.cwd() if os.environ.get("QUARTERDECK_DATA") else root
    place = Place(
        data=(base / Path(read("QUARTERDECK_DATA", "data")).expanduser()).resolve(),
        api_port=read_port("QUARTERDECK_API_PORT", "8710"),
        panel_port=read_port("QUARTERDECK_PANEL_PORT", "8501"),
    )
    if place.api_port == place.panel_port:
        raise StartError(
            f"The engine and the panel cannot share port {place.api_port}; give "
            "QUARTERDECK_API_PORT and QUARTERDECK_PANEL_PORT different numbers."
        )
    return place


def read_dotenv(path: Path) -> dict[str, str]:
    """The ``NAME=value`` lines of ``.env``, which the engine reads as well; {} without a file.

    Raises StartError when it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeError) as error:
        raise StartError(f"The file {path} cannot be read: {error}.") from error
    found = re.findall(r"^\s*(?:export\s+)?(\w+)\s*=[ \t]*(.*?)\s*$", text, re.MULTILINE)
    return {name.upper(): re.split(r"\s#", value)[0].strip("'\" \t") for name, value in found}


def check_data_folder(place: Place) -> None:
    """Make the folder and really write into it. Raises StartError."""
    try:
        place.logs.mkdir(parents=True, exist_ok=True)
        for folder in (place.data, place.logs):
            with tempfile.TemporaryFile(dir=folder):
                pass
    except OSError as error:
        raise StartError(
            f"The data folder {place.data} cannot be written to ({error.strerror}); make it "
            "writable, or name another one with QUARTERDECK_DATA."
        ) from error


def check_port(port: int, variable: str, user: str) -> None:
    """Really bind and listen, as the server will. Raises StartError."""
    problem = _problem_with_port(port)
    if problem is not None:
        raise StartError(
            f"Port {port}, which {user} needs, {problem}; free it, or set {variable} to another "
            "port, and start again."
        )


def _problem_with_port(port: int) -> str | None:
    used = "is used by another program"
    try:
        # macOS lets a port be bound beside a listener on all interfaces: ask first.
        socket.create_connection((HOST, port), timeout=0.5).close()
        return used
    except OSError:
        pass  # nobody answers, as it should be
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if sys.platform == "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            # As the servers do: a port that was just closed is free, one that listens is not.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE or (
                getattr(error, "winerror", 0) == WINDOWS_ADDRESS_IN_USE
            ):
                return used
            return f"cannot be opened ({error.strerror})"
    return None
