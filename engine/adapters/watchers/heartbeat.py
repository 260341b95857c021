"""Asks the engine on this machine for its heartbeat; with the standard library, to stay small."""

import http.client
import json

from engine.domain.watching import Beat

HOST = "127.0.0.1"
LONGEST_ANSWER = 10_000


class HttpHeartbeats:
    """``ports.Heartbeats`` by GET /heartbeat."""

    def __init__(self, port: int) -> None:
        self._port = port

    def ask(self, timeout_s: float) -> Beat:
        """See Heartbeats. ``timeout_s`` is for connecting and for each part of the answer."""
        connection = http.client.HTTPConnection(HOST, self._port, timeout=timeout_s)
        try:
            connection.request("GET", "/heartbeat", headers={"Connection": "close"})
            answer = connection.getresponse()
            status, body = answer.status, answer.read(LONGEST_ANSWER)
        except ConnectionRefusedError:
            return Beat(is_answer=False, reason=f"nothing listens on port {self._port}")
        except TimeoutError:
            return Beat(is_answer=False, reason=f"it hangs: no answer within {timeout_s:.0f} s")
        except (OSError, http.client.HTTPException):
            return Beat(is_answer=False, reason="it cut the connection without an answer")
        finally:
            connection.close()
        if status == http.client.OK:
            return Beat(is_answer=True)
        return Beat(is_answer=True, reason=_said(status, body, self._port))


def _said(status: int, body: bytes, port: int) -> str:
    if status == http.client.SERVICE_UNAVAILABLE:
        try:
            return f"it is not well: {json.loads(body)['reason']}"
        except (ValueError, LookupError, TypeError):
            return "it answers that it is not well"
    return f"port {port} answers {status}, as no engine does"
