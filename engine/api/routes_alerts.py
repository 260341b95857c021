"""Alerts: what was told, the channels and their matrix, the delivery log, price alerts."""

from typing import Annotated

from fastapi import Path, Query, Response

from engine.api.routing import Actor, Services, new_router
from engine.api.wire import answer
from engine.contracts import Event
from engine.contracts.alerts import (
    AlertFilter,
    AlertPage,
    AlertRequest,
    ChannelChanges,
    ChannelFormView,
    ChannelRequest,
    ChannelTest,
    ChannelView,
    DeliveryFilter,
    DeliveryPage,
    DeliveryView,
    KindView,
    MatrixUpdate,
    PreviewRequest,
    PreviewView,
    PriceAlertChanges,
    PriceAlertRequest,
    PriceAlertView,
)

router = new_router("alerts")

ChannelKey = Annotated[str, Path(max_length=64, description="a channel's id or name")]
DeliveryId = Annotated[str, Path(max_length=200, description="a delivery's id")]
PriceAlertId = Annotated[str, Path(max_length=64, description="a price alert's id")]


@router.get("/alerts", response_model=AlertPage, summary="Alerts, newest first")
def alerts(services: Services, chosen: Annotated[AlertFilter, Query()]) -> Response:
    """A page of them, each with the channels that it went to."""
    return answer(services.alerts.list(chosen))


@router.post("/alerts", response_model=Event, status_code=201, summary="Send an alert")
def send_alert(request: AlertRequest, services: Services, actor: Actor) -> Response:
    """To the channels that tell messages; written down with who has sent it."""
    return answer(services.thin.send_alert(request, actor), 201)


@router.get("/alerts/kinds", response_model=list[KindView], summary="What alerts are about")
def kinds(services: Services) -> Response:
    """The rows of the matrix."""
    return answer(services.alerts.kinds())


@router.put("/alerts/matrix", response_model=list[ChannelView], summary="What channels tell")
def set_matrix(request: MatrixUpdate, services: Services, actor: Actor) -> Response:
    """Several cells at once, all or none; all channels as they are then."""
    return answer(services.alerts.set_matrix(request, actor))


@router.post("/alerts/preview", response_model=PreviewView, summary="Segments and cost of a text")
def preview(request: PreviewRequest, services: Services) -> Response:
    """As an SMS would carry it; nothing is sent."""
    return answer(services.alerts.preview(request))


# --- channels -------------------------------------------------------------------------------------


@router.get("/channels", response_model=list[ChannelView], summary="All channels")
def channels(services: Services) -> Response:
    """In the order in which they were added, without their secrets."""
    return answer(services.alerts.channels())


@router.get("/channels/forms", response_model=list[ChannelFormView], summary="Kinds of channels")
def forms(services: Services) -> Response:
    """With the fields that each needs."""
    return answer(services.alerts.forms())


@router.post("/channels", response_model=ChannelView, status_code=201, summary="Add a channel")
def add_channel(request: ChannelRequest, services: Services, actor: Actor) -> Response:
    """Nothing is sent; see ``verify`` and ``test``."""
    return answer(services.alerts.add_channel(request, actor), 201)


@router.get("/channels/{key}", response_model=ChannelView, summary="One channel")
def channel(key: ChannelKey, services: Services) -> Response:
    """By id or name."""
    return answer(services.alerts.channel(key))


@router.put("/channels/{key}", response_model=ChannelView, summary="Change a channel")
def change_channel(
    key: ChannelKey, changes: ChannelChanges, services: Services, actor: Actor
) -> Response:
    """What is not given stays; so does a secret that is given empty."""
    return answer(services.alerts.change_channel(key, changes, actor))


@router.delete("/channels/{key}", status_code=204, summary="Delete a channel")
def delete_channel(key: ChannelKey, services: Services, actor: Actor) -> Response:
    """With its secrets. What waits for it is dropped; 409 while another escalates to it."""
    services.alerts.delete_channel(key, actor)
    return Response(status_code=204)


@router.post("/channels/{key}/verify", response_model=ChannelTest, summary="Check credentials")
def verify_channel(key: ChannelKey, services: Services, actor: Actor) -> Response:
    """Asks the provider, sending nothing. A refusal is an answer, not a failed request."""
    return answer(services.alerts.verify(key, actor))


@router.post("/channels/{key}/test", response_model=ChannelTest, summary="Send a test message")
def test_channel(key: ChannelKey, services: Services, actor: Actor) -> Response:
    """Sent at once; the answer has the provider's own. A refusal is an answer, too."""
    return answer(services.alerts.test(key, actor))


# --- deliveries -----------------------------------------------------------------------------------


@router.get("/deliveries", response_model=DeliveryPage, summary="The delivery log")
def deliveries(services: Services, chosen: Annotated[DeliveryFilter, Query()]) -> Response:
    """Newest first, with segments and costs."""
    return answer(services.alerts.deliveries(chosen))


@router.post("/deliveries/{delivery_id}/again", response_model=DeliveryView,
             summary="Send once more")  # fmt: skip
def send_again(delivery_id: DeliveryId, services: Services, actor: Actor) -> Response:
    """409 for one that has arrived, or is still on its way."""
    return answer(services.alerts.send_again(delivery_id, actor))


# --- price alerts ---------------------------------------------------------------------------------


@router.get("/price-alerts", response_model=list[PriceAlertView], summary="All price alerts")
def price_alerts(services: Services) -> Response:
    """In the order in which they were added."""
    return answer(services.alerts.price_alerts())


@router.post("/price-alerts", response_model=PriceAlertView, status_code=201,
             summary="Add a price alert")  # fmt: skip
def add_price_alert(request: PriceAlertRequest, services: Services, actor: Actor) -> Response:
    """Armed at once; 404 for a symbol that its market does not have."""
    return answer(services.alerts.add_price_alert(request, actor), 201)


@router.put("/price-alerts/{alert_id}", response_model=PriceAlertView,
            summary="Change a price alert")  # fmt: skip
def change_price_alert(
    alert_id: PriceAlertId, changes: PriceAlertChanges, services: Services, actor: Actor
) -> Response:
    """What is not given stays; it is armed again."""
    return answer(services.alerts.change_price_alert(alert_id, changes, actor))


@router.delete("/price-alerts/{alert_id}", status_code=204, summary="Delete a price alert")
def delete_price_alert(alert_id: PriceAlertId, services: Services, actor: Actor) -> Response:
    """It tells nothing any more."""
    services.alerts.delete_price_alert(alert_id, actor)
    return Response(status_code=204)
