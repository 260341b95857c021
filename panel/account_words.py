"""Accounts in words: state, checks, balances. Pure; all text is escaped here."""

from decimal import Decimal
from html import escape

from engine.contracts.venue_accounts import AccountCheck, Grade, VenueAccountView
from panel.format import ago, now, quantity
from panel.modes import mode_html

GRADES = {
    Grade.OK: ("fine", "green"),
    Grade.WARNING: ("look at it", "orange"),
    Grade.FAILED: ("failed", "red"),
    Grade.UNKNOWN: ("not told", "gray"),
}
MOST_BALANCES = 12


def state_words(account: VenueAccountView) -> tuple[str, str]:
    """What an account does now, and the colour of that."""
    if account.trouble:
        return "cannot be opened", "red"
    if needs_first_login(account):
        return "log in", "orange"
    if not account.is_enabled and account.inspection is None:
        return "not tested", "orange"
    if not account.is_enabled:
        return ("disabled", "gray") if account.is_usable else ("last test failed", "red")
    if account.objection:
        return "log in", "orange"
    return ("takes entries", "green") if account.is_usable else ("last test failed", "red")


def needs_first_login(account: VenueAccountView) -> bool:
    """Whether nothing can be asked of its venue yet."""
    return account.has_login and account.expires_at is None


def next_step(account: VenueAccountView) -> str:
    """What to do before it takes entries; empty when it does."""
    if account.is_enabled and account.objection is None:
        return ""
    if needs_first_login(account) or (account.has_login and account.is_enabled):
        return "Log in: it takes no entries until then."
    if account.inspection is None:
        return "Test it: it takes no entries until a test has gone well."
    if not account.is_usable:
        return "Follow the advice below, test it again, and enable it then."
    return "Disabled: it takes no entries until you enable it."


def head_html(account: VenueAccountView) -> str:
    """Name, mode, state, venue and how old the last test is."""
    words, colour = state_words(account)
    tested = f"tested {ago(account.tested_at, now())}" if account.tested_at else "never tested"
    count = len(account.bots)
    bots = "no bot" if not count else f"{count} bot{'s' if count > 1 else ''}"
    return (
        f'<div class="qd-account"><b>{escape(account.name)}</b>{mode_html(account.mode.value)}'
        f'<span class="qd-state qd-{colour}">{words}</span>'
        f'<span class="qd-quiet">{escape(account.venue_title)} · {tested} · {bots}</span></div>'
    )


def checks_html(account: VenueAccountView) -> str:
    """What the last test found, a line a check with what to do about it."""
    if account.inspection is None:
        return ""
    rows = "".join(check_html(check) for check in account.inspection.checks)
    return f'<ul class="qd-checks">{rows}</ul>' if rows else ""


def check_html(check: AccountCheck) -> str:
    """One line of a list of checks."""
    words, colour = GRADES[check.grade]
    advice = f'<div class="qd-advice">{escape(check.advice)}</div>' if check.advice else ""
    return (
        f'<li><span class="qd-state qd-{colour}">{words}</span><b>{escape(check.name)}</b>'
        f"<span>{escape(check.detail)}{advice}</span></li>"
    )


def balances_words(account: VenueAccountView) -> str:
    """What the account held at its last test, in one line."""
    if account.inspection is None:
        return ""
    held = {asset: amount for asset, amount in account.inspection.balances.items() if amount}
    if not held:
        return "It held nothing at its last test." if account.is_usable else ""
    shown = list(held.items())[:MOST_BALANCES]
    more = f" and {len(held) - MOST_BALANCES} more" if len(held) > MOST_BALANCES else ""
    return f"It held {', '.join(_amount(*one) for one in shown)}{more} at its last test."


def _amount(asset: str, amount: Decimal) -> str:
    return f"{quantity(amount)} {asset}"
