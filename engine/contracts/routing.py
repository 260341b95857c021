"""Routing as the panel sees it: the domain's own words."""

from engine.domain.routes import RouteCandidate, RoutePlan, RoutingConfig

__all__ = ["RouteCandidate", "RoutePlan", "RoutingConfig"]
