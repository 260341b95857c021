"""Makes the notifier of a channel from the fields of its form."""

from collections.abc import Callable, Mapping

from engine.adapters.notify.twilio_sms import TWILIO_URL, TwilioSms
from engine.adapters.notify.wire import TIMEOUT_S
from engine.domain.alerts import ChannelKind
from engine.domain.channel_forms import FieldError, checked_fields, listed
from engine.errors import ConfigError
from engine.ports.notify import Notifier

Fields = Mapping[str, str]


class NotifierRegistry:
    """Implements ``engine.ports.notify.Notifiers``. The addresses are the settings'."""

    def __init__(
        self, *, twilio_url: str = TWILIO_URL, telegram_url: str = "https://api.telegram.org",
        timeout_s: float = TIMEOUT_S,
    ) -> None:  # fmt: skip
        self._twilio_url = twilio_url.rstrip("/")
        self._telegram_url = telegram_url.rstrip("/")
        self._timeout_s = timeout_s
        self._makers: Mapping[ChannelKind, Callable[[Fields], Notifier]] = {
            ChannelKind.SMS: self._sms,
        }

    def make(self, kind: ChannelKind, settings: Fields, secrets: Fields) -> Notifier:
        """See Notifiers; loads no SDK yet."""
        try:
            plain, sealed = checked_fields(kind, {**settings, **secrets})
        except FieldError as error:
            raise ConfigError(str(error), field=error.field) from None
        return self._makers[kind]({**plain, **sealed})

    def _sms(self, fields: Fields) -> Notifier:
        return TwilioSms(
            account_sid=fields["account_sid"], auth_token=fields["auth_token"],
            sender=fields["sender"], to=listed(fields["to"]), base_url=self._twilio_url,
            timeout_s=self._timeout_s,
        )  # fmt: skip
