"""The model that is set up, and the advisor that asks it."""

from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from engine.ports.ai import Model
from engine.services.advise import ModelAdvisor
from engine.services.ask_model import ModelCaller
from engine.services.books import Books
from engine.services.lanes import Lanes
from engine.services.model_budget import ModelBudget, ModelTerms
from engine.settings import Settings

NO_KEY = (
    "No model is set up: get a key at aistudio.google.com and set QUARTERDECK_GEMINI_KEY, or set"
    " QUARTERDECK_AI_PROVIDER=openai for a model on this machine; then restart the engine."
)


def build_advisor(settings: Settings, books: Books, lanes: Lanes) -> ModelAdvisor:
    """Build it; nothing is asked, and no SDK is loaded, before the first question."""
    is_gemini = settings.ai_provider == "gemini"
    model = _gemini(settings) if is_gemini else _openai(settings)
    terms = ModelTerms(
        provider=settings.ai_provider,
        model=settings.gemini_model if is_gemini else settings.openai_model,
        budget_usd=settings.ai_budget_usd,
        calls_per_minute=settings.ai_calls_per_minute,
        calls_per_day=settings.ai_calls_per_day,
        input_usd_per_million=settings.ai_input_usd_per_million,
        output_usd_per_million=settings.ai_output_usd_per_million,
    )
    limiter = MovingWindowRateLimiter(MemoryStorage())
    budget = ModelBudget(books.store, books.clock, terms, limiter)
    objection = "" if model else NO_KEY
    caller = ModelCaller(books.clock, lanes, model, terms, budget, objection)
    return ModelAdvisor(books, lanes, caller)


def _gemini(settings: Settings) -> Model | None:
    from engine.adapters.ai.gemini import GeminiModel

    key = settings.gemini_key.get_secret_value().strip() if settings.gemini_key else ""
    return GeminiModel(key, settings.gemini_url) if key else None


def _openai(settings: Settings) -> Model:
    from engine.adapters.ai.openai_compatible import OpenAiCompatibleModel

    key = settings.openai_key.get_secret_value().strip() if settings.openai_key else ""
    return OpenAiCompatibleModel(key, settings.openai_url)
