"""Zerodha through Kite Connect v3: shares of NSE and BSE, a login every day, no sandbox."""
