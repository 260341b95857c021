"""The pages' calls about studies and the re-tuning of bots."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from engine.contracts import BotView
from engine.contracts.studies import (
    Retune,
    Study,
    StudyFilter,
    StudyPage,
    StudyPreviewView,
    TrialFilter,
    TrialPage,
)
from panel.connection import Connection

API = "/api/v1/studies"
Body = Mapping[str, Any]


class StudyCalls(Connection):
    """Studies; every call raises EngineOff or EngineRefused."""

    def preview_study(self, body: Body) -> StudyPreviewView:
        """What a study would do; nothing is saved."""
        return self._post(StudyPreviewView, f"{API}/preview", body)

    def create_study(self, body: Body) -> Study:
        """Queue a study."""
        return self._post(Study, API, body)

    def studies(self, chosen: StudyFilter | None = None) -> StudyPage:
        """A page of the studies that match, newest first."""
        return self._get(StudyPage, API, (chosen or StudyFilter()).model_dump(mode="json"))

    def study(self, study_id: str) -> Study:
        """One study as it stands."""
        return self._get(Study, _study(study_id))

    def trials(self, study_id: str, chosen: TrialFilter | None = None) -> TrialPage:
        """A page of its trials so far."""
        query = (chosen or TrialFilter()).model_dump(mode="json")
        return self._get(TrialPage, _study(study_id, "trials"), query)

    def cancel_study(self, study_id: str) -> Study:
        """End it; what was tried is kept."""
        return self._post(Study, _study(study_id, "cancel"))

    def resume_study(self, study_id: str) -> Study:
        """Let it go on where it was."""
        return self._post(Study, _study(study_id, "resume"))

    def delete_study(self, study_id: str) -> None:
        """Remove it with its trials."""
        self._send("DELETE", _study(study_id))

    def bot_of_study(self, study_id: str, body: Body) -> BotView:
        """A stopped paper bot with the best parameters."""
        return self._post(BotView, _study(study_id, "bot"), body)

    def retune(self, bot_id: str) -> Retune:
        """How a bot is tuned again."""
        return self._get(Retune, _retune(bot_id))

    def set_retune(self, bot_id: str, settings: Body) -> Retune:
        """Tune it again by itself, or not any more."""
        return self._parse(Retune, self._send("PUT", _retune(bot_id), settings))


def _study(study_id: str, verb: str = "") -> str:
    path = f"{API}/{quote(study_id, safe='')}"
    return f"{path}/{verb}" if verb else path


def _retune(bot_id: str) -> str:
    return f"/api/v1/bots/{quote(bot_id, safe='')}/retune"
