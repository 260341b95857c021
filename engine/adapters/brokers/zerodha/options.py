"""What an account at Zerodha is set to, and where Kite is."""

from enum import StrEnum
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from engine.links.own_machine import is_loopback

URL = "https://api.kite.trade"
LOGIN_URL = "https://kite.zerodha.com/connect/login"
AUTOMATIC = -1


class Exchange(StrEnum):
    """Where shares are traded."""

    NSE = "NSE"
    BSE = "BSE"


class Product(StrEnum):
    """What becomes of a position at the end of the day."""

    CNC = "CNC"
    MIS = "MIS"


class ZerodhaOptions(BaseModel):
    """The account's options, as the form asks for them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    exchange: Exchange = Field(
        default=Exchange.NSE, title="Exchange", description="Where its bots trade shares."
    )
    product: Product = Field(
        default=Product.CNC,
        title="Product",
        description="CNC: shares are delivered and held; nothing is sold short. MIS: intraday with"
        " margin, long or short; Zerodha closes what is open shortly before the market closes.",
    )
    market_protection: int = Field(
        default=AUTOMATIC,
        ge=AUTOMATIC,
        le=100,
        title="Market protection (%)",
        description="How far from the price a market order may trade, which Kite requires for every"
        " market and stop order: -1 lets the exchange's guidelines decide.",
    )
    address: str = Field(
        default=URL,
        title="Address",
        description="Kite Connect's own, or a stand-in's on this machine.",
    )

    @field_validator("market_protection")
    @classmethod
    def _protects(cls, percent: int) -> int:
        if percent == 0:
            raise ValueError("Kite refuses market orders without protection: -1, or 1 to 100")
        return percent

    @field_validator("address")
    @classmethod
    def _is_kite(cls, address: str) -> str:
        parts = urlsplit(address.strip())
        is_plain = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username)
        base = f"{parts.scheme}://{parts.netloc}"
        is_stand_in = parts.scheme == "http" and is_loopback(parts.hostname or "")
        if not is_plain or not (base == URL or is_stand_in):
            raise ValueError(f"must be {URL}, or an address of this machine for a stand-in")
        return base

    @property
    def is_stand_in(self) -> bool:
        """Whether it is not Kite itself that answers."""
        return self.address != URL

    @property
    def login_address(self) -> str:
        """Where a person logs in."""
        return f"{self.address}/connect/login" if self.is_stand_in else LOGIN_URL
