"""The engine's sockets: what services need of the outside world, as Protocols.

Adapters plug in here; bootstrap chooses them; one contract suite per port runs over each.
All calls block; services run the slow ones on the worker of their account or market.
"""

from engine.ports.adapters import (
    AccountAccess,
    DailyLogin,
    SecretField,
    SessionToken,
    VenueAdapter,
    VenueConnection,
)
from engine.ports.ai import Advisor, Model, Question, Reply
from engine.ports.backtests import (
    CandleFileContent,
    CandleFiles,
    KeptResult,
    ResultFiles,
    Simulation,
    SimulationLeg,
    SimulationOutcome,
    SimulationTask,
    Simulator,
    StageListener,
)
from engine.ports.backups import BackupShelf, DatabaseCopies
from engine.ports.brokers import (
    Balance,
    Broker,
    BrokerCapabilities,
    OrderListener,
    PaperBook,
    PaperOrder,
    StreamingBroker,
)
from engine.ports.calendars import Calendars
from engine.ports.candles import (
    CandleLibrary,
    CandlePage,
    CandleReader,
    CandleSource,
    ReadTable,
    SourceSymbol,
)
from engine.ports.compute import Compute, Crew, Outcome
from engine.ports.machine import Machine, Room
from engine.ports.market_data import (
    BulkMarket,
    Clock,
    DepthMarket,
    MarketData,
    SeparateMarket,
    SparseMarket,
    SteppedMarket,
    StreamingMarket,
    has_steps,
)
from engine.ports.news import NewsSource
from engine.ports.notify import Message, Notifier, Notifiers, Receipt
from engine.ports.rules import RuleBook
from engine.ports.search import Search, Searches, SearchPlan
from engine.ports.secrets import Vault
from engine.ports.series import SeriesSink
from engine.ports.store import NotAfter, Prefix, Repository, Store, StoreFacts, Transaction
from engine.ports.strategies import PlotSeries, StrategyHost, StrategyInfo
from engine.ports.terminals import Mailbox, PushedMarkets, Terminals
from engine.ports.venues import Venues
from engine.ports.watchers import DeadMan, ServiceManager

__all__ = [
    "AccountAccess",
    "Advisor",
    "BackupShelf",
    "Balance",
    "Broker",
    "BrokerCapabilities",
    "BulkMarket",
    "Calendars",
    "CandleFileContent",
    "CandleFiles",
    "CandleLibrary",
    "CandlePage",
    "CandleReader",
    "CandleSource",
    "Clock",
    "Compute",
    "Crew",
    "DailyLogin",
    "DatabaseCopies",
    "DeadMan",
    "DepthMarket",
    "KeptResult",
    "Machine",
    "Mailbox",
    "MarketData",
    "Message",
    "Model",
    "NewsSource",
    "NotAfter",
    "Notifier",
    "Notifiers",
    "OrderListener",
    "Outcome",
    "PaperBook",
    "PaperOrder",
    "PlotSeries",
    "Prefix",
    "PushedMarkets",
    "Question",
    "ReadTable",
    "Receipt",
    "Reply",
    "Repository",
    "ResultFiles",
    "Room",
    "RuleBook",
    "Search",
    "SearchPlan",
    "Searches",
    "SecretField",
    "SeparateMarket",
    "SeriesSink",
    "ServiceManager",
    "SessionToken",
    "Simulation",
    "SimulationLeg",
    "SimulationOutcome",
    "SimulationTask",
    "Simulator",
    "SourceSymbol",
    "SparseMarket",
    "StageListener",
    "SteppedMarket",
    "Store",
    "StoreFacts",
    "StrategyHost",
    "StrategyInfo",
    "StreamingBroker",
    "StreamingMarket",
    "Terminals",
    "Transaction",
    "Vault",
    "VenueAdapter",
    "VenueConnection",
    "Venues",
    "has_steps",
]
