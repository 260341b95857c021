"""A dead-man service that is asked over HTTP: healthchecks.io, Uptime Kuma, Better Stack, ..."""

import httpx

from engine.errors import ChannelBusy, ChannelRefused

TIMEOUT_S = 10.0


class HttpDeadMan:
    """``ports.DeadMan``. The address is a secret: whoever has it can keep the service quiet, so it
    is in no error and in no log."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __repr__(self) -> str:
        return "HttpDeadMan(…)"

    def ping(self) -> None:
        """One GET. Raises ChannelRefused for an address that is not known there, ChannelBusy for
        everything that may pass."""
        try:
            answer = httpx.get(
                self._url, timeout=TIMEOUT_S, follow_redirects=False,
                headers={"User-Agent": "Quarterdeck"},
            )  # fmt: skip
        except httpx.HTTPError as error:  # its text may hold the address
            words = "it took too long" if isinstance(error, httpx.TimeoutException) else "no answer"
            raise ChannelBusy(f"The dead-man service cannot be reached ({words}).") from None
        if answer.is_success:
            return
        status = f"{answer.status_code} {answer.reason_phrase}"
        if answer.is_client_error and answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
            raise ChannelRefused(
                f"The dead-man service answers {status}: QUARTERDECK_DEADMAN_URL is not an address "
                "that it knows."
            )
        raise ChannelBusy(f"The dead-man service answers {status}.")
