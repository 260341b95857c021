"""Rules: strategies that are put together on the screen instead of being written."""

from typing import Annotated

from fastapi import Path, Query, Response

from engine.api.routing import Actor, Services, new_router
from engine.api.wire import answer
from engine.contracts.rules import (
    RuleCatalogue,
    RuleSet,
    RulesRow,
    RulesView,
    RuleTrial,
    RuleTrialRequest,
)

router = new_router("rules")

RulesId = Annotated[str, Path(max_length=64, description="the name of a rule set")]


@router.get("/rules", response_model=list[RulesRow], summary="All rule sets")
def list_rules(services: Services) -> Response:
    """Broken files are listed with their error."""
    return answer(services.rules.rows())


@router.get("/rules/catalogue", response_model=RuleCatalogue, summary="What rules are made of")
def catalogue(services: Services) -> Response:
    """Prices, indicators with their numbers, comparisons."""
    return answer(services.rules.catalogue())


@router.post("/rules/preview", response_model=RuleTrial, summary="Rules on past candles")
def preview(request: RuleTrialRequest, services: Services) -> Response:
    """Checks everything, keeps nothing."""
    return answer(services.rules.try_out(request))


@router.get("/rules/{rules_id}", response_model=RulesView, summary="One rule set")
def get_rules(rules_id: RulesId, services: Services) -> Response:
    """By name."""
    return answer(services.rules.get(rules_id))


@router.put("/rules/{rules_id}", response_model=RulesView, summary="Save a rule set")
def save_rules(
    rules_id: RulesId,
    rules: RuleSet,
    services: Services,
    actor: Actor,
    is_new: Annotated[bool, Query(description="refuse a name that is taken")] = False,
) -> Response:
    """It is a strategy from the next moment on."""
    return answer(services.rules.save(rules_id, rules, actor, is_new=is_new))


@router.delete("/rules/{rules_id}", status_code=204, summary="Delete a rule set")
def delete_rules(rules_id: RulesId, services: Services, actor: Actor) -> Response:
    """Refused while a bot uses it."""
    services.rules.delete(rules_id, actor)
    return Response(status_code=204)
