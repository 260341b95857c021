"""Alerts: what was told, the delivery log, what a text costs, price alerts."""

from typing import Annotated

from fastapi import Path, Query, Response

from engine.api.routing import Actor, Services, new_router
from engine.api.wire import answer
from engine.contracts import Event
from engine.contracts.alerts import (
    AlertFilter,
    AlertPage,
    AlertRequest,
    DeliveryFilter,
    DeliveryPage,
    DeliveryView,
    KindView,
    PreviewRequest,
    PreviewView,
    PriceAlertChanges,
    PriceAlertRequest,
    PriceAlertView,
)

router = new_router("alerts")

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


@router.post("/alerts/preview", response_model=PreviewView, summary="Segments and cost of a text")
def preview(request: PreviewRequest, services: Services) -> Response:
    """As an SMS would carry it; nothing is sent."""
    return answer(services.alerts.preview(request))


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
