"""What tests that speak to a server of this machine share."""

import ssl

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For httpx's ``verify``: without it every client, and every call that makes one, reads the
machine's list of authorities, which takes many times as long as the call."""
