"""Accounts whose orders an Expert Advisor fetches and executes."""
