"""Commands from Telegram: what reads them, over the services that carry them out."""

from engine.api.chat_desk import ChatDesk
from engine.api.control_desk import ControlDesk
from engine.api.views import Views
from engine.bootstrap_alerts import Alerting
from engine.bootstrap_core import Core
from engine.services.bots import BotService
from engine.services.telegram_commands import TelegramCommands

COMPARE_EVERY_S = 5


def build_telegram(
    core: Core, alerting: Alerting, views: Views, bots: BotService
) -> TelegramCommands:
    """Build it; nothing is read before its job has run. No token is asked for here: the channels
    have them."""
    controls = ControlDesk(core.books, core.venues, core.controls, core.gateway)
    desk = ChatDesk(core.books, views, bots, controls, core.venues, core.pulse)
    return TelegramCommands(core.books, core.lanes, alerting.links, alerting.chats, desk)
