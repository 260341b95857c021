"""What Twilio's error codes mean for a user: sentences that say what to do.

Source: twilio.com/docs/api/errors.
"""

from collections.abc import Mapping

CONSOLE = "on console.twilio.com"

ACCOUNT: Mapping[int, str] = {
    20003: f"Twilio refuses the account SID or the auth token: copy both again {CONSOLE}.",
    20005: f"The Twilio account is not active: look {CONSOLE} whether it is suspended or has no"
    " balance left.",
    20008: "These are Twilio's test credentials, which can only send to and from its magic"
    f" numbers: use the live ones {CONSOLE}.",
    20404: f"Twilio knows no such account: copy the account SID again {CONSOLE}.",
    30002: f"The Twilio account is suspended: look {CONSOLE} why.",
    90010: f"The Twilio account is not active: look {CONSOLE} why.",
    21212: "Twilio refuses the 'From' number: choose one of the account's own.",
    21266: "'To' and 'From' are the same number: write to another one.",
    21267: "A trial account cannot write from a name: choose a number of the account.",
    21603: "The 'From' number is missing: choose one of the account's own.",
    21606: "The 'From' number cannot send SMS: choose one of the account's that can.",
    21659: "The 'From' number is not one of Twilio's: choose one of the account's own.",
    21660: "The 'From' number belongs to another account: choose one of this account's own.",
    21661: "The 'From' number cannot send SMS: choose one of the account's that can.",
    21703: f"The messaging service has no sender: add a number to it {CONSOLE}.",
    21705: f"Twilio knows no such messaging service: copy its SID again {CONSOLE}.",
}
"""Of the whole channel: no number of it can be written to."""

NUMBER: Mapping[int, str] = {
    21211: "is no valid number: write it with its country's code, as +4915112345678.",
    21265: "is a short code, which cannot be written to.",
    21408: "is in a country that the account may not write to: allow it under Messaging, Settings,"
    f" Geo permissions {CONSOLE}.",
    21604: "is missing: write a number with its country's code.",
    21608: "is not verified, and a trial account writes to verified numbers only: verify it"
    f" {CONSOLE} under Phone Numbers, Verified Caller IDs, or upgrade the account.",
    21610: "has unsubscribed: its owner must text START to the 'From' number.",
    21612: "cannot be reached from this 'From' number: choose another one.",
    21614: "is no mobile number: SMS need one.",
    21635: "is a landline, which gets no SMS.",
    30003: "could not be reached: the phone is off or its number is no longer in use.",
    30004: "blocks messages from this 'From' number.",
    30005: "is unknown to its carrier: is it still in use?",
    30006: "is a landline or its carrier cannot be reached.",
    30007: "did not get it: the carrier filtered the message as spam.",
    30008: "did not get it, for a reason that the carrier does not tell.",
    30034: "did not get it: the 'From' number is not registered (A2P 10DLC) for the United States.",
}
"""Of one of the numbers: said after it."""

PAUSES: Mapping[int, float] = {
    14107: 60.0,
    20429: 0.0,
    21611: 60.0,
    30001: 60.0,
    30022: 60.0,
    63038: 3_600.0,
}
"""Of a limit, with the pause in seconds when Twilio tells none."""

TOO_LONG = 21617


def more(code: int) -> str:
    """Where a code that is not known here is explained."""
    return f"It is explained at twilio.com/docs/api/errors/{code}."
