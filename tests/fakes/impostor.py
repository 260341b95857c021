"""Somebody who answers in another's place: a TLS server whose certificate nobody knows."""

import contextlib
import socket
import ssl
import threading

import trustme


def start_impostor() -> str:
    """The address of a server that waits for one connection, and is gone after it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    listening = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        with listening:
            connection, _ = listening.accept()
        with connection, contextlib.suppress(OSError):  # the client turns away
            context.wrap_socket(connection, server_side=True).close()

    threading.Thread(target=answer, name="impostor", daemon=True).start()
    return f"https://127.0.0.1:{listening.getsockname()[1]}"
