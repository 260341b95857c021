"""Where strategy code runs: worker processes without keys."""
