"""What a new channel tells, unless a person chooses otherwise: data, by the kind of channel."""

from collections.abc import Mapping

from engine.domain.alerts import AlertKind, ChannelKind

K = AlertKind

WORTH_A_CALL = (
    K.BOT_FAULTED, K.ORDER_UNKNOWN, K.UNPROTECTED, K.DAILY_LOSS, K.DRAWDOWN, K.CONTROL, K.MISMATCH,
    K.ACCOUNT_TROUBLE, K.SIGNAL_MISSING, K.ENGINE_DOWN, K.LOGIN_FAILURES, K.BACKUP_FAILED,
    K.CHANNEL_FAILED, K.PRICE, K.MANUAL, K.SUMMARY_6H,
)  # fmt: skip
"""Errors and risk, what was asked for, and the short summary: each costs money."""

NOISE = frozenset({K.BOT_SLEEPING})
"""What happens every day and asks nothing of anybody."""

ALL_BUT_NOISE = tuple(kind for kind in AlertKind if kind not in NOISE)

DEFAULT_KINDS: Mapping[ChannelKind, tuple[AlertKind, ...]] = {
    ChannelKind.SMS: WORTH_A_CALL,
    ChannelKind.TELEGRAM: ALL_BUT_NOISE,
    ChannelKind.EMAIL: ALL_BUT_NOISE,
    ChannelKind.DISCORD: ALL_BUT_NOISE,
    ChannelKind.APPRISE: ALL_BUT_NOISE,
}
