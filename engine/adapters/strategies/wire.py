"""Messages between the engine and a strategy worker: a length, then that many bytes.

The engine sends pickles, which a worker may trust; a worker answers JSON, which cannot run code in
the engine whatever a strategy writes.
"""

import socket
import struct
import time

HEADER = struct.Struct("!I")
ANSWER_LIMIT = 32 * 1024 * 1024
MEMORY_EXIT = 77  # exit code of a worker that used too much memory
CHUNK = 1 << 18


class Closed(Exception):
    """The other end is gone, or sent what cannot be a message."""


def send(channel: socket.socket, message: bytes, deadline: float | None = None) -> None:
    """Send one message. Raises Closed, or TimeoutError past ``deadline`` (monotonic time)."""
    channel.settimeout(_remaining(deadline))
    try:
        channel.sendall(HEADER.pack(len(message)) + message)
    except TimeoutError:
        raise
    except OSError as error:
        raise Closed(str(error)) from error


def receive(
    channel: socket.socket, deadline: float | None = None, limit: int | None = None
) -> bytes:
    """The next message. Raises Closed, or TimeoutError past ``deadline`` (monotonic time)."""
    (size,) = HEADER.unpack(_read(channel, HEADER.size, deadline))
    if limit is not None and size > limit:
        raise Closed(f"a message of {size:,} bytes; at most {limit:,} are taken")
    return _read(channel, size, deadline)


def _read(channel: socket.socket, size: int, deadline: float | None) -> bytes:
    received = bytearray()
    while len(received) < size:
        channel.settimeout(_remaining(deadline))
        try:
            part = channel.recv(min(CHUNK, size - len(received)))
        except TimeoutError:
            raise
        except OSError as error:
            raise Closed(str(error)) from error
        if not part:
            raise Closed("end of stream")
        received += part
    return bytes(received)


def _remaining(deadline: float | None) -> float | None:
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
