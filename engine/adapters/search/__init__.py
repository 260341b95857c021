"""Where searches get their ideas, and where these are written down."""
