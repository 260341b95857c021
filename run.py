#!/usr/bin/env python3
"""Quarterdeck's one command. Needs nothing but Python 3.11 or newer.

    python run.py              make .venv, install, start engine, panel and watcher; Ctrl-C stops
                               all
    python run.py test [...]   set up and run every check and test (the rest goes to pytest)
    python run.py lint         the static checks only: ruff, mypy, import-linter
    python run.py bench [...]  measure: tests/bench (the rest goes to pytest)
    python run.py mutants      the order desk's tests over desks that are wrong on purpose

QUARTERDECK_DATA names the data folder (./data), QUARTERDECK_API_PORT (8710) and
QUARTERDECK_PANEL_PORT (8501) the ports; QUARTERDECK_NO_BROWSER=1 opens no browser.
Exit codes: 0 stopped as asked, 1 something failed, 2 it cannot start as things are.
"""

import sys

OLDEST = (3, 11)

# Only syntax that an old Python parses too: this file must be able to say so.
if sys.version_info[:2] < OLDEST:
    sys.stderr.write(
        "Quarterdeck needs Python {}.{} or newer, but this is Python {}.{} ({}); install a newer "
        "one from https://www.python.org/downloads/ and run it with that.\n".format(
            OLDEST[0], OLDEST[1], sys.version_info[0], sys.version_info[1], sys.executable
        )
    )
    sys.exit(2)

from tooling.commands import main  # noqa: E402 - it needs a new enough Python

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], help_text=__doc__))
