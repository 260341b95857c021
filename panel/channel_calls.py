"""The calls about alerts: channels, their matrix, deliveries, price alerts. Secrets go one way."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import httpx

from engine.contracts import Event
from engine.contracts.alerts import (
    AlertFilter,
    AlertPage,
    ChannelFormView,
    ChannelTest,
    ChannelView,
    DeliveryFilter,
    DeliveryPage,
    DeliveryView,
    KindView,
    PreviewView,
    PriceAlertView,
)
from panel.connection import Connection

API = "/api/v1"
PATIENT = httpx.Timeout(60.0, connect=2.0)
"""A test waits for the provider, the first one also for the vendor's library to be loaded."""


class ChannelCalls(Connection):
    """Every one raises EngineOff or EngineRefused."""

    def alerts(self, chosen: AlertFilter | None = None) -> AlertPage:
        """Alerts that match, newest first, each with the channels that it went to."""
        return self._get(AlertPage, f"{API}/alerts", _query(chosen or AlertFilter()))

    def send_alert(self, request: Mapping[str, Any]) -> Event:
        """Tell something to the channels that tell messages; the engine judges what is asked."""
        return self._post(Event, f"{API}/alerts", request)

    def alert_kinds(self) -> list[KindView]:
        """What alerts are about: the rows of the matrix."""
        return self._get(list[KindView], f"{API}/alerts/kinds")

    def set_matrix(self, cells: Sequence[Mapping[str, Any]]) -> list[ChannelView]:
        """Set cells of the matrix, all or none; all channels as they are then."""
        body = {"cells": list(cells)}
        return self._parse(list[ChannelView], self._send("PUT", f"{API}/alerts/matrix", body))

    def preview_message(self, text: str) -> PreviewView:
        """Segments and cost of a text as an SMS; nothing is sent."""
        return self._post(PreviewView, f"{API}/alerts/preview", {"text": text})

    # --- channels
    def channels(self) -> list[ChannelView]:
        """All channels, in the order in which they were added."""
        return self._get(list[ChannelView], f"{API}/channels")

    def channel_forms(self) -> list[ChannelFormView]:
        """Kinds of channels, with the fields that each needs."""
        return self._get(list[ChannelFormView], f"{API}/channels/forms")

    def add_channel(self, request: Mapping[str, Any]) -> ChannelView:
        """Keep a channel; nothing is sent. The engine judges what is asked."""
        return self._post(ChannelView, f"{API}/channels", request)

    def change_channel(self, channel_id: str, changes: Mapping[str, Any]) -> ChannelView:
        """Change what is given; an empty secret stays."""
        return self._parse(ChannelView, self._send("PUT", _channel(channel_id), changes))

    def delete_channel(self, channel_id: str) -> None:
        """Delete a channel with its secrets; what waits for it is dropped."""
        self._send("DELETE", _channel(channel_id))

    def verify_channel(self, channel_id: str) -> ChannelTest:
        """Ask its provider about the credentials, sending nothing."""
        return self._ask(_channel(channel_id, "verify"))

    def test_channel(self, channel_id: str) -> ChannelTest:
        """Send a test message now."""
        return self._ask(_channel(channel_id, "test"))

    # --- deliveries
    def deliveries(self, chosen: DeliveryFilter | None = None) -> DeliveryPage:
        """Deliveries that match, newest first, with what was spent."""
        return self._get(DeliveryPage, f"{API}/deliveries", _query(chosen or DeliveryFilter()))

    def send_again(self, delivery_id: str) -> DeliveryView:
        """Send what did not, or may not have, arrived once more."""
        return self._post(DeliveryView, f"{API}/deliveries/{quote(delivery_id, safe='')}/again")

    # --- price alerts
    def price_alerts(self) -> list[PriceAlertView]:
        """All price alerts, in the order in which they were added."""
        return self._get(list[PriceAlertView], f"{API}/price-alerts")

    def add_price_alert(self, request: Mapping[str, Any]) -> PriceAlertView:
        """Watch a price; the engine judges what is asked."""
        return self._post(PriceAlertView, f"{API}/price-alerts", request)

    def change_price_alert(self, alert_id: str, changes: Mapping[str, Any]) -> PriceAlertView:
        """Change what is given; it is armed again."""
        answer = self._send("PUT", _price_alert(alert_id), changes)
        return self._parse(PriceAlertView, answer)

    def delete_price_alert(self, alert_id: str) -> None:
        """Watch a price no more."""
        self._send("DELETE", _price_alert(alert_id))

    def _ask(self, path: str) -> ChannelTest:
        return self._parse(ChannelTest, self._send("POST", path, timeout=PATIENT))


def _channel(channel_id: str, verb: str = "") -> str:
    path = f"{API}/channels/{quote(channel_id, safe='')}"
    return f"{path}/{verb}" if verb else path


def _price_alert(alert_id: str) -> str:
    return f"{API}/price-alerts/{quote(alert_id, safe='')}"


def _query(chosen: AlertFilter | DeliveryFilter) -> dict[str, Any]:
    return dict(chosen.model_dump(mode="json"))
