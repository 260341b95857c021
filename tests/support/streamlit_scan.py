"""Streamlit's search for components among the installed packages, made once a process.

Each ``AppTest`` makes it anew, for some tenths of a second: what is installed stays the same.
"""

from functools import cache
from typing import Any

from streamlit.components.v2 import manifest_scanner


def scan_packages_once() -> None:
    """From now on; what was found the first time is what is found."""
    scanner: Any = manifest_scanner
    if not hasattr(scanner.scan_component_manifests, "cache_info"):
        scanner.scan_component_manifests = cache(scanner.scan_component_manifests)
