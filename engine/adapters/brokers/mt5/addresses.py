"""Where a gateway is, and by what its certificate is known."""

from urllib.parse import urlsplit

from engine.adapters.brokers.mt5_gateway import is_loopback


def gateway_url(url: str) -> str:
    """The address without a path. Raises ValueError for one that would send the token in clear."""
    parts = urlsplit(url.strip())
    host = parts.hostname or ""
    is_plain = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    if not host or not is_plain or not is_safe:
        raise ValueError(
            f"'{url}' is no address of a gateway: https://HOST:8443 (http only on this machine)."
        )
    return f"{parts.scheme}://{parts.netloc}"


def fingerprint_of(told: str) -> str:
    """64 hexadecimal digits, colons taken out; empty for none. Raises ValueError."""
    digits = told.replace(":", "").replace(" ", "").lower()
    if digits and (len(digits) != 64 or set(digits) - set("0123456789abcdef")):
        raise ValueError(
            "A fingerprint has 64 hexadecimal digits: the gateway shows it when it starts."
        )
    return digits
