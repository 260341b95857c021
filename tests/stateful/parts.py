"""Which machines are run, in parts that each begin anew."""

from tests.stateful.account_machine import AccountMachine
from tests.stateful.counting import CountingMachine
from tests.stateful.desk_machine import DeskMachine, PairingDeskMachine, RestingDeskMachine
from tests.stateful.ledger_machine import LedgerMachine

MACHINES: tuple[type[CountingMachine], ...] = (
    LedgerMachine, LedgerMachine, DeskMachine, DeskMachine, RestingDeskMachine, RestingDeskMachine,
    PairingDeskMachine, PairingDeskMachine, AccountMachine, AccountMachine,
)  # fmt: skip
PARTS = [(machine, number) for number, machine in enumerate(MACHINES)]


def name_of(value: object) -> str:
    """How a part is called among the tests."""
    return value.__name__ if isinstance(value, type) else str(value)
