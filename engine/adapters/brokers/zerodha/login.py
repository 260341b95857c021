"""The login of the day: Kite's keys hold until six in the morning in India."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from engine.adapters.brokers.zerodha import reading as read
from engine.adapters.brokers.zerodha.client import NAME, KiteClient
from engine.adapters.brokers.zerodha.options import ZerodhaOptions
from engine.errors import AccessDenied, BrokerUnavailable, ConfigError
from engine.ports import AccountAccess, SessionToken

API_KEY, API_SECRET, ACCESS_TOKEN = "api_key", "api_secret", "access_token"
ENDS_AT_HOUR = 6
TOKEN = re.compile(r"[A-Za-z0-9]{8,64}")
AGAIN = "open the login page again and give the address that it ends on"


def session_end(moment: datetime) -> datetime:
    """When a session that is valid at ``moment`` ends: at the next six o'clock in India."""
    local = moment.astimezone(read.IST)
    end = local.replace(hour=ENDS_AT_HOUR, minute=0, second=0, microsecond=0)
    return (end if local < end else end + timedelta(days=1)).astimezone(UTC)


def request_token(answer: str) -> str:
    """The token in the address that the browser was sent back to, or the token itself.

    Raises ConfigError for anything else, and for a login that was not completed.
    """
    told = answer.strip()
    if TOKEN.fullmatch(told):
        return told
    asked = {name: values[-1] for name, values in parse_qs(urlsplit(told).query).items()}
    if asked.get("status", "success") != "success":
        raise ConfigError(f"The login at Zerodha was not completed: {AGAIN}.", field="answer")
    token = asked.get("request_token", "")
    if not TOKEN.fullmatch(token):
        raise ConfigError(
            f"There is no request_token in this: {AGAIN}, as it stands in the browser.",
            field="answer",
        )
    return token


class ZerodhaLogin:
    """Implements ``DailyLogin``."""

    def url(self, access: AccountAccess) -> str:
        """Kite's login page, for the account's key."""
        options = options_of(access)
        return self._client(access).login_url(options.login_address)

    def complete(self, access: AccountAccess, answer: str) -> SessionToken:
        """Exchange the answer for the day's access token. Raises ConfigError, AccessDenied,
        BrokerUnavailable."""
        token, key = request_token(answer), access.secrets[API_KEY]
        client = self._client(access)
        try:
            told = client.log_in(token, access.secrets[API_SECRET])
        except AccessDenied as error:
            raise AccessDenied(
                f"{NAME} does not accept this login: {AGAIN}; it holds for a few minutes and only"
                " once. If it goes on, compare API key and secret with developers.kite.trade."
            ) from error
        finally:
            client.close()
        try:
            session = read.row(told)
            kept, now = read.words(session, ACCESS_TOKEN), access.clock.now()
            since = read.moment(session, "login_time") if session.get("login_time") else now
            if read.words(session, API_KEY) != key:
                raise read.Unreadable("the session is of another key")
        except read.Unreadable as error:
            raise BrokerUnavailable(f"{NAME}: the login's answer cannot be read.") from error
        return SessionToken({ACCESS_TOKEN: kept}, session_end(since))

    @staticmethod
    def _client(access: AccountAccess) -> KiteClient:
        address = options_of(access).address
        return KiteClient(access.secrets[API_KEY], "", address, access.clock)


def options_of(access: AccountAccess) -> ZerodhaOptions:
    """The account's options. Raises TypeError for another venue's, which is a mistake of ours."""
    if not isinstance(access.options, ZerodhaOptions):
        raise TypeError("these are no options of Zerodha's")
    return access.options
