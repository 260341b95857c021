//+------------------------------------------------------------------+
//| Quarterdeck bridge: prices out, orders in, over HTTP.            |
//| The JSON is described in docs/metatrader.md of Quarterdeck.      |
//+------------------------------------------------------------------+
#property copyright "Quarterdeck"
#property version   "1.00"
#property description "Sends prices and indicators to Quarterdeck, and executes its orders."
#property description "Tools > Options > Expert Advisors: allow WebRequest for the engine's address."

input string          InpUrl         = "";          // Address of the engine, as https://HOST
input string          InpToken       = "";          // Token of the bridge
input string          InpSymbols     = "";          // Symbols, with commas; empty: the chart's
input ENUM_TIMEFRAMES InpTimeframe   = PERIOD_M15;  // Bars of the indicators
input int             InpSeconds     = 5;           // Every so many seconds
input long            InpMagic       = 5130626;     // Magic number of its orders
input int             InpDeviation   = 20;          // Deviation of market orders, in points
input bool            InpExecute     = false;       // Execute orders (otherwise prices only)
input int             InpTimeoutMs   = 3000;        // Patience with the engine

#include "QuarterdeckHttp.mqh"
#include "QuarterdeckPrices.mqh"
#include "QuarterdeckDone.mqh"

#define LONGEST_NOTE  27

struct Watched
  {
   string            name;
   int               rsi;
   int               sma20;
   int               sma50;
   int               ema20;
   int               ema50;
   int               bands;
   int               atr;
   int               wanted;     // bars that the engine asked for, the last closed one included
  };

struct Asked
  {
   string            id;
   string            note;       // the comment that its orders get
   string            symbol;
   string            side;       // buy, sell
   string            type;       // market, limit, stop, stop_limit, cancel
   double            lots;
   double            price;
   double            stop_price;
   double            stop_loss;
   double            take_profit;
   long              position;   // ticket that a hedging account closes; 0: none
   bool              reduces;    // never more than there is to be closed
   long              valid_until; // epoch in seconds, UTC; 0: always
  };

Watched watched[];
bool    is_ready = false;

//--- life ------------------------------------------------------------

int OnInit()
  {
   bool is_safe = StringFind(InpUrl, "https://") == 0 || StringFind(InpUrl, "http://127.0.0.1") == 0;
   if(!is_safe || StringLen(InpToken) < 16)
     {
      Print("Quarterdeck: set the engine's address (https, or http on this machine) and the token.");
      return INIT_PARAMETERS_INCORRECT;
     }
   if(!ReadDone())
      return INIT_FAILED;
   string names[];
   int count = StringSplit(InpSymbols == "" ? _Symbol : InpSymbols, StringGetCharacter(",", 0), names);
   ArrayResize(watched, count);
   for(int i = 0; i < count; i++)
     {
      StringTrimLeft(names[i]);
      StringTrimRight(names[i]);
      if(!SymbolSelect(names[i], true) || !Watch(watched[i], names[i]))
        {
         PrintFormat("Quarterdeck: the symbol %s is not there.", names[i]);
         return INIT_PARAMETERS_INCORRECT;
        }
     }
   is_ready = EventSetTimer((int)MathMax(InpSeconds, 1));
   return is_ready ? INIT_SUCCEEDED : INIT_FAILED;
  }

void OnDeinit(const int reason)
  {
   EventKillTimer();
   for(int i = 0; i < ArraySize(watched); i++)
     {
      IndicatorRelease(watched[i].rsi);
      IndicatorRelease(watched[i].sma20);
      IndicatorRelease(watched[i].sma50);
      IndicatorRelease(watched[i].ema20);
      IndicatorRelease(watched[i].ema50);
      IndicatorRelease(watched[i].bands);
      IndicatorRelease(watched[i].atr);
     }
  }

void OnTimer()
  {
   if(!is_ready)
      return;
   for(int i = 0; i < ArraySize(watched); i++)
      SendPrices(watched[i]);
   if(InpExecute)
      TakeOrders();
  }

bool Watch(Watched &one, const string name)
  {
   one.name   = name;
   one.wanted = 0;
   one.rsi   = iRSI(name, InpTimeframe, 14, PRICE_CLOSE);
   one.sma20 = iMA(name, InpTimeframe, 20, 0, MODE_SMA, PRICE_CLOSE);
   one.sma50 = iMA(name, InpTimeframe, 50, 0, MODE_SMA, PRICE_CLOSE);
   one.ema20 = iMA(name, InpTimeframe, 20, 0, MODE_EMA, PRICE_CLOSE);
   one.ema50 = iMA(name, InpTimeframe, 50, 0, MODE_EMA, PRICE_CLOSE);
   one.bands = iBands(name, InpTimeframe, 20, 0, 2.0, PRICE_CLOSE);
   one.atr   = iATR(name, InpTimeframe, 14);
   return one.rsi != INVALID_HANDLE && one.sma20 != INVALID_HANDLE && one.sma50 != INVALID_HANDLE
          && one.ema20 != INVALID_HANDLE && one.ema50 != INVALID_HANDLE
          && one.bands != INVALID_HANDLE && one.atr != INVALID_HANDLE;
  }

//--- orders ----------------------------------------------------------

void TakeOrders()
  {
   string answer;
   string query = "/api/mt5/orders?account=" + IntegerToString(AccountInfoInteger(ACCOUNT_LOGIN))
                  + "&magic=" + IntegerToString(InpMagic);
   if(!AskEngine("GET", query, "", answer))
      return;
   string objects[];
   int count = Objects(answer, "orders", objects);
   for(int i = 0; i < count; i++)
     {
      Asked asked;
      asked.id          = Field(objects[i], "id");
      asked.note        = Field(objects[i], "comment");
      asked.symbol      = Field(objects[i], "symbol");
      asked.side        = Field(objects[i], "side");
      asked.type        = Field(objects[i], "type");
      asked.lots        = StringToDouble(Field(objects[i], "lots"));
      asked.price       = StringToDouble(Field(objects[i], "price"));
      asked.stop_price  = StringToDouble(Field(objects[i], "stop_price"));
      asked.stop_loss   = StringToDouble(Field(objects[i], "stop_loss"));
      asked.take_profit = StringToDouble(Field(objects[i], "take_profit"));
      asked.position    = StringToInteger(Field(objects[i], "position"));
      asked.reduces     = Field(objects[i], "reduces") == "1";
      asked.valid_until = StringToInteger(Field(objects[i], "valid_until"));
      Execute(asked);
     }
  }

// Each id is written to the file before anything is sent, and is never sent again: one that comes
// again is answered with what became of it.
void Execute(const Asked &asked)
  {
   if(asked.id == "" || asked.note == "" || StringLen(asked.note) > LONGEST_NOTE)
      return;
   if(IsDone(asked.id))
     {
      Report(asked, 0, "seen before");
      return;
     }
   if(asked.type == "cancel")
     {
      Cancel(asked);
      return;
     }
   MqlTradeRequest request;
   uint   code = TRADE_RETCODE_INVALID;
   string objection = Objection(asked, request, code);
   if(!Remember(asked.id))
      return; // what cannot be written down is not sent; it is offered again
   if(objection != "")
     {
      Report(asked, code, objection);
      return;
     }
   MqlTradeResult result;
   ZeroMemory(result);
   bool is_sent = OrderSend(request, result);
   Report(asked, result.retcode, is_sent ? result.comment : "error " + IntegerToString(GetLastError()));
  }

// Fills the request; says why it is not sent, if it is not, and by which return code.
string Objection(const Asked &asked, MqlTradeRequest &request, uint &code)
  {
   ZeroMemory(request);
   if(asked.valid_until > 0 && (long)TimeGMT() > asked.valid_until)
      return "too late";
   if(asked.side != "buy" && asked.side != "sell")
      return "neither to buy nor to sell";
   if(!SymbolSelect(asked.symbol, true))
      return "no such symbol";
   if(!MayTrade())
     {
      code = TRADE_RETCODE_CLIENT_DISABLES_AT;
      return "algorithmic trading is off";
     }
   bool   is_buy = asked.side == "buy";
   double lots = asked.reduces ? MathMin(asked.lots, Reducible(asked, is_buy)) : asked.lots;
   if(lots <= 0)
     {
      code = TRADE_RETCODE_POSITION_CLOSED;
      return "nothing is left to reduce";
     }
   lots = Normalised(asked.symbol, lots);
   if(lots <= 0)
     {
      code = TRADE_RETCODE_INVALID_VOLUME;
      return "the volume is not one that this symbol trades";
     }
   MqlTick tick;
   if(!SymbolInfoTick(asked.symbol, tick))
      return "no price";
   int digits = (int)SymbolInfoInteger(asked.symbol, SYMBOL_DIGITS);
   request.symbol  = asked.symbol;
   request.volume  = lots;
   request.magic   = InpMagic;
   request.comment = asked.note;
   request.sl      = NormalizeDouble(asked.stop_loss, digits);
   request.tp      = NormalizeDouble(asked.take_profit, digits);
   if(asked.type == "market")
     {
      request.action       = TRADE_ACTION_DEAL;
      request.type         = is_buy ? ORDER_TYPE_BUY : ORDER_TYPE_SELL;
      request.price        = is_buy ? tick.ask : tick.bid;
      request.deviation    = InpDeviation;
      request.type_filling = Filling(asked.symbol);
      request.position     = asked.position;
      return "";
     }
   request.action       = TRADE_ACTION_PENDING;
   request.type_filling = ORDER_FILLING_RETURN;
   request.type_time    = ORDER_TIME_GTC;
   if(asked.type == "limit")
      request.type = is_buy ? ORDER_TYPE_BUY_LIMIT : ORDER_TYPE_SELL_LIMIT;
   else if(asked.type == "stop")
      request.type = is_buy ? ORDER_TYPE_BUY_STOP : ORDER_TYPE_SELL_STOP;
   else if(asked.type == "stop_limit")
      request.type = is_buy ? ORDER_TYPE_BUY_STOP_LIMIT : ORDER_TYPE_SELL_STOP_LIMIT;
   else
      return "a type of order that is not known";
   request.price = NormalizeDouble(asked.type == "limit" ? asked.price : asked.stop_price, digits);
   if(asked.type == "stop_limit")
      request.stoplimit = NormalizeDouble(asked.price, digits);
   return "";
  }

// What is there at this moment that an order of a side would close.
double Reducible(const Asked &asked, const bool is_buy)
  {
   bool is_there = asked.position > 0 ? PositionSelectByTicket(asked.position) : PositionSelect(asked.symbol);
   if(!is_there)
      return 0;
   bool is_long = PositionGetInteger(POSITION_TYPE) == POSITION_TYPE_BUY;
   return is_long != is_buy ? PositionGetDouble(POSITION_VOLUME) : 0;
  }

void Cancel(const Asked &asked)
  {
   for(int i = OrdersTotal() - 1; i >= 0; i--)
     {
      ulong ticket = OrderGetTicket(i);
      if(ticket == 0 || OrderGetInteger(ORDER_MAGIC) != InpMagic || OrderGetString(ORDER_COMMENT) != asked.note)
         continue;
      MqlTradeRequest request;
      MqlTradeResult  result;
      ZeroMemory(request);
      ZeroMemory(result);
      request.action = TRADE_ACTION_REMOVE;
      request.order  = ticket;
      if(!OrderSend(request, result))
         PrintFormat("Quarterdeck: %s was not cancelled (%d).", asked.id, result.retcode);
     }
   Report(asked, 0, "cancel");
  }

// Rounded down to the step; 0 for what the symbol does not trade.
double Normalised(const string symbol, const double lots)
  {
   double step = SymbolInfoDouble(symbol, SYMBOL_VOLUME_STEP);
   if(step <= 0 || lots <= 0)
      return 0;
   double whole = NormalizeDouble(MathFloor(lots / step + 0.0000001) * step, 8);
   bool is_traded = whole >= SymbolInfoDouble(symbol, SYMBOL_VOLUME_MIN)
                    && whole <= SymbolInfoDouble(symbol, SYMBOL_VOLUME_MAX);
   return is_traded ? whole : 0;
  }

ENUM_ORDER_TYPE_FILLING Filling(const string symbol)
  {
   long mode = SymbolInfoInteger(symbol, SYMBOL_TRADE_EXEMODE);
   long allowed = SymbolInfoInteger(symbol, SYMBOL_FILLING_MODE);
   if(mode == SYMBOL_TRADE_EXECUTION_REQUEST || mode == SYMBOL_TRADE_EXECUTION_INSTANT)
      return ORDER_FILLING_FOK;
   if((allowed & SYMBOL_FILLING_IOC) != 0)
      return ORDER_FILLING_IOC;
   return (allowed & SYMBOL_FILLING_FOK) != 0 ? ORDER_FILLING_FOK : ORDER_FILLING_RETURN;
  }

//--- what became of an order -----------------------------------------

void Report(const Asked &asked, const uint retcode, const string reason)
  {
   ulong  order = 0, deal = 0;
   double lots = 0, value = 0, commission = 0;
   string status = Status(asked.note, retcode, order), deals = "";
   if(order != 0 && HistorySelect(0, TimeCurrent() + 86400))
      for(int i = HistoryDealsTotal() - 1; i >= 0; i--)
        {
         ulong ticket = HistoryDealGetTicket(i);
         if((ulong)HistoryDealGetInteger(ticket, DEAL_ORDER) != order)
            continue;
         double volume = HistoryDealGetDouble(ticket, DEAL_VOLUME);
         double price  = HistoryDealGetDouble(ticket, DEAL_PRICE);
         double fee    = HistoryDealGetDouble(ticket, DEAL_COMMISSION) + HistoryDealGetDouble(ticket, DEAL_FEE);
         datetime when = (datetime)HistoryDealGetInteger(ticket, DEAL_TIME);
         deal        = ticket;
         lots       += volume;
         value      += volume * price;
         commission += fee;
         deals      += (deals == "" ? "{" : ",{") + Text("ticket", IntegerToString(ticket)) + Number("lots", volume, 8)
                       + Number("price", price, 8) + Number("commission", fee, 8)
                       + Last(Text("time", Moment(ToUtc(when)))) + "}";
        }
   if(MathAbs(lots - Executed(order)) > 0.0000001)
      return; // not all of its deals are listed yet: it is offered again
   string body = Head() + Text("type", "execution") + Text("id", asked.id) + Text("symbol", asked.symbol)
                 + Text("side", asked.side) + Text("status", status) + Number("retcode", retcode, 0)
                 + Text("reason", reason) + Text("order", IntegerToString(order))
                 + Text("deal", IntegerToString(deal)) + Number("lots", lots, 8)
                 + Number("price", lots > 0 ? value / lots : 0, 8) + Number("commission", commission, 8)
                 + "\"deals\":[" + deals + "]," + Last(Text("time", Moment(TimeGMT()))) + "}";
   string answer;
   AskEngine("POST", "/api/trade-execution", body, answer);
  }

// What the order itself says was executed of it.
double Executed(const ulong order)
  {
   if(order == 0)
      return 0;
   if(OrderSelect(order))
      return OrderGetDouble(ORDER_VOLUME_INITIAL) - OrderGetDouble(ORDER_VOLUME_CURRENT);
   return HistoryOrderGetDouble(order, ORDER_VOLUME_INITIAL) - HistoryOrderGetDouble(order, ORDER_VOLUME_CURRENT);
  }

// By the terminal's own lists; only where they have nothing does the return code speak.
string Status(const string note, const uint retcode, ulong &order)
  {
   for(int i = OrdersTotal() - 1; i >= 0; i--)
     {
      ulong ticket = OrderGetTicket(i);
      if(ticket != 0 && OrderGetInteger(ORDER_MAGIC) == InpMagic && OrderGetString(ORDER_COMMENT) == note)
        {
         order = ticket;
         return OrderGetInteger(ORDER_STATE) == ORDER_STATE_PARTIAL ? "partly_filled" : "placed";
        }
     }
   if(!HistorySelect(0, TimeCurrent() + 86400))
      return "unknown";
   for(int i = HistoryOrdersTotal() - 1; i >= 0; i--)
     {
      ulong ticket = HistoryOrderGetTicket(i);
      if(HistoryOrderGetInteger(ticket, ORDER_MAGIC) != InpMagic || HistoryOrderGetString(ticket, ORDER_COMMENT) != note)
         continue;
      order = ticket;
      long state = HistoryOrderGetInteger(ticket, ORDER_STATE);
      if(state == ORDER_STATE_FILLED)
         return "filled";
      if(state == ORDER_STATE_REJECTED)
         return "rejected";
      return state == ORDER_STATE_EXPIRED ? "expired" : "cancelled";
     }
   return IsRefusal(retcode) ? "rejected" : "unknown";
  }

bool IsRefusal(const uint code)
  {
   return code == TRADE_RETCODE_REQUOTE || code == TRADE_RETCODE_REJECT || code == TRADE_RETCODE_PRICE_CHANGED
          || code == TRADE_RETCODE_PRICE_OFF || code == TRADE_RETCODE_CLIENT_DISABLES_AT
          || code == TRADE_RETCODE_SERVER_DISABLES_AT || code == TRADE_RETCODE_INVALID_FILL
          || code == TRADE_RETCODE_INVALID_EXPIRATION || code == TRADE_RETCODE_TOO_MANY_REQUESTS
          || code == TRADE_RETCODE_FROZEN || code == TRADE_RETCODE_ONLY_REAL
          || (code >= TRADE_RETCODE_LIMIT_ORDERS && code <= TRADE_RETCODE_POSITION_CLOSED)
          || (code >= TRADE_RETCODE_INVALID_CLOSE_VOLUME && code <= TRADE_RETCODE_LIMIT_POSITIONS)
          || (code >= TRADE_RETCODE_LONG_ONLY && code <= TRADE_RETCODE_FIFO_CLOSE)
          || (code >= TRADE_RETCODE_INVALID && code <= TRADE_RETCODE_NO_MONEY);
  }
