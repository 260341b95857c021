"""Messages to a chat of Telegram, from a bot."""

from engine.adapters.notify.telegram_client import TelegramClient
from engine.ports.notify import Message, Receipt


class Telegram:
    """One chat. The title is bold by a mark apart from the text, so that no letter of it can be
    taken for formatting."""

    can_find = False
    """A bot cannot read what it wrote."""

    def __init__(self, client: TelegramClient, chat: str) -> None:
        self._client = client
        self._chat = chat

    def send(self, message: Message) -> Receipt:
        """See Notifier."""
        title = message.title.strip()
        bold = title if message.plain.startswith(title) else ""
        number = self._client.say(self._chat, message.plain, bold=bold)
        return Receipt(number, f"Telegram: message {number} in chat {self._chat}")

    def find(self, message: Message) -> Receipt | None:
        """See Notifier."""
        raise NotImplementedError("A bot of Telegram cannot read what it wrote.")

    def verify(self) -> str:
        """See Notifier."""
        me = self._client.me()
        return (
            f"Telegram knows the bot as {me}; it writes to '{self._client.chat_name(self._chat)}'."
        )
