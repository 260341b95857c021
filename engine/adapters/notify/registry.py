"""Makes the notifier of a channel from the fields of its form."""

from collections.abc import Callable, Mapping

from engine.adapters.notify.apprise_any import AppriseAny
from engine.adapters.notify.discord import Discord
from engine.adapters.notify.email_smtp import EmailSmtp
from engine.adapters.notify.smtp_session import Mailbox, Security
from engine.adapters.notify.telegram import Telegram
from engine.adapters.notify.telegram_client import TELEGRAM_URL, TelegramClient
from engine.adapters.notify.twilio_session import TWILIO_URL, TwilioAccount
from engine.adapters.notify.twilio_sms import TwilioSms
from engine.adapters.notify.wire import TIMEOUT_S
from engine.domain.alerts import ChannelKind
from engine.domain.channel_forms import FieldError, checked_fields, listed
from engine.errors import ConfigError
from engine.ports.chat import ChatClient
from engine.ports.notify import Notifier

Fields = Mapping[str, str]


class NotifierRegistry:
    """Implements ``engine.ports.notify.Notifiers`` and ``engine.ports.chat.Chats``; loads no SDK
    until one of its notifiers is used. The addresses are the settings'."""

    def __init__(
        self, *, twilio_url: str = TWILIO_URL, telegram_url: str = TELEGRAM_URL,
        timeout_s: float = TIMEOUT_S,
    ) -> None:  # fmt: skip
        self._twilio_url = twilio_url.rstrip("/")
        self._telegram_url = telegram_url.rstrip("/")
        self._timeout_s = timeout_s
        self._makers: Mapping[ChannelKind, Callable[[Fields], Notifier]] = {
            ChannelKind.SMS: self._sms,
            ChannelKind.TELEGRAM: self._telegram,
            ChannelKind.EMAIL: self._email,
            ChannelKind.DISCORD: self._discord,
            ChannelKind.APPRISE: self._apprise,
        }

    def make(self, kind: ChannelKind, settings: Fields, secrets: Fields) -> Notifier:
        """See Notifiers."""
        return self._makers[kind](_checked(kind, settings, secrets))

    def chat(self, settings: Fields, secrets: Fields) -> ChatClient:
        """See Chats."""
        return self._client(_checked(ChannelKind.TELEGRAM, settings, secrets))

    # --- within

    def _sms(self, fields: Fields) -> Notifier:
        account = TwilioAccount(
            fields["account_sid"], fields["auth_token"], self._twilio_url, self._timeout_s
        )
        return TwilioSms(account, sender=fields["sender"], to=listed(fields["to"]))

    def _telegram(self, fields: Fields) -> Notifier:
        return Telegram(self._client(fields), fields["chat"])

    def _client(self, fields: Fields) -> TelegramClient:
        return TelegramClient(
            fields["token"], base_url=self._telegram_url, timeout_s=self._timeout_s
        )

    def _email(self, fields: Fields) -> Notifier:
        box = Mailbox(
            host=fields["host"], port=int(fields["port"]), security=Security(fields["security"]),
            user=fields["user"], password=fields["password"], ca_file=fields["ca_file"],
        )  # fmt: skip
        return EmailSmtp(
            box, sender=fields["sender"], to=listed(fields["to"]), timeout_s=self._timeout_s
        )

    def _discord(self, fields: Fields) -> Notifier:
        return Discord(fields["webhook"], username=fields["username"], timeout_s=self._timeout_s)

    def _apprise(self, fields: Fields) -> Notifier:
        return AppriseAny(fields["url"], timeout_s=self._timeout_s)


def _checked(kind: ChannelKind, settings: Fields, secrets: Fields) -> dict[str, str]:
    """All fields, defaults filled in. Raises ConfigError."""
    try:
        plain, sealed = checked_fields(kind, {**settings, **secrets})
    except FieldError as error:
        raise ConfigError(str(error), field=error.field) from None
    return {**plain, **sealed}
