"""Addresses of this machine: the only ones that may be spoken to without TLS."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether a host's name or number is this machine's own."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
