"""What a person has sent: test messages, and messages that failed, once more."""

from engine.domain.alert_texts import sms_text
from engine.domain.alerts import AlertKind, Channel, ChannelKind, Delivery, DeliveryState
from engine.domain.delivery_rules import AGAIN, OPEN, SETTLES_AFTER
from engine.domain.records import Level
from engine.errors import Conflict
from engine.ports import Prefix
from engine.services.books import Books, new_id
from engine.services.outbox import Outbox

TEST_TITLE = "Quarterdeck: test message"
TEST_TEXT = "This channel works. Nothing has happened; somebody pressed its test button."
AGAIN_SIGN = "~"


class HandSender:
    """Makes the rows; ``AlertSender`` sends them. Blocking; raises StoreError."""

    def __init__(self, books: Books, outbox: Outbox) -> None:
        self._books = books
        self._outbox = outbox

    def test_message(self, channel: Channel) -> Delivery:
        """On its way from the beginning."""
        now, alert_id = self._books.clock.now(), f"test-{new_id()}"
        is_sms = channel.kind is ChannelKind.SMS
        return Delivery(
            id=f"{alert_id}:{channel.id}", alert_id=alert_id, channel_id=channel.id,
            channel_name=channel.name, channel_kind=channel.kind, kind=AlertKind.MANUAL,
            level=Level.INFO, title=TEST_TITLE,
            text=sms_text(f"{TEST_TITLE}. {TEST_TEXT}", 1) if is_sms else TEST_TEXT,
            state=DeliveryState.SENDING, attempts=1, created_at=now, due_at=now + SETTLES_AFTER,
            changed_at=now, is_test=True,
        )  # fmt: skip

    def add_test(self, delivery: Delivery, actor: str) -> None:
        """Keep it before it is sent."""
        with self._books.writing() as writing:
            writing.tx.deliveries.add(delivery)
            writing.audit(actor, "channel.test", delivery.channel_id)

    def send_again(self, delivery_id: str, actor: str) -> Delivery:
        """As ``AlertSender.send_again`` says."""
        now = self._books.clock.now()
        with self._books.writing() as writing:
            tx = writing.tx
            before = tx.deliveries.get(delivery_id)
            if before.is_test:
                raise Conflict("A test message is not sent again: send another test.")
            if before.state not in AGAIN:
                raise Conflict(
                    "Only a message that failed, was dropped or is uncertain can be sent again:"
                    f" this one is {before.state}.", field="state",
                )  # fmt: skip
            channel = tx.channels.find(before.channel_id)
            if channel is None or not channel.is_enabled:
                raise Conflict(
                    f"'{before.channel_name}' is deleted or switched off: switch it on first.",
                    field="channel",
                )
            first_id = delivery_id.partition(AGAIN_SIGN)[0]
            tries = tx.deliveries.select(alert_id=before.alert_id, id=Prefix(first_id + AGAIN_SIGN))
            if any(one.state in OPEN for one in tries):
                raise Conflict("It is being sent again already: wait for what becomes of it.")
            again = before.model_copy(
                update={
                    "id": f"{first_id}{AGAIN_SIGN}{len(tries) + 1}", "state": DeliveryState.WAITING,
                    "attempts": 0, "created_at": now, "due_at": now, "changed_at": now,
                    "error": "", "answer": "", "digest_id": "", "escalated_from": "",
                    "is_escalated": True,
                }
            )  # fmt: skip
            tx.deliveries.add(again)
            writing.audit(actor, "delivery.again", delivery_id, again=again.id)
        return again
