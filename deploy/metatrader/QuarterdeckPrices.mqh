//+------------------------------------------------------------------+
//| Quarterdeck bridge: what it tells of prices, of the account and  |
//| of its positions. Uses the inputs of QuarterdeckBridge.mq5.      |
//+------------------------------------------------------------------+
#define MOST_BARS  1000

//--- prices ----------------------------------------------------------

void SendPrices(Watched &one)
  {
   MqlTick  tick;
   MqlRates bars[];
   // Bars before the one that is being made, the oldest first: the last closed one, and as many
   // before it as the engine has asked for.
   int count = (int)MathMax(1, MathMin(one.wanted, MOST_BARS));
   if(!SymbolInfoTick(one.name, tick) || CopyRates(one.name, InpTimeframe, 1, count, bars) < 1)
      return;
   int last = ArraySize(bars) - 1;
   int digits = (int)SymbolInfoInteger(one.name, SYMBOL_DIGITS);
   string indicators = "{" + Indicator("rsi_14", one.rsi, 0, 4) + Indicator("sma_20", one.sma20, 0, digits)
                       + Indicator("sma_50", one.sma50, 0, digits) + Indicator("ema_20", one.ema20, 0, digits)
                       + Indicator("ema_50", one.ema50, 0, digits) + Indicator("bb_middle", one.bands, 0, digits)
                       + Indicator("bb_upper", one.bands, 1, digits) + Indicator("bb_lower", one.bands, 2, digits)
                       + Last(Indicator("atr_14", one.atr, 0, digits)) + "}";
   string earlier = "";
   for(int i = 0; i < last; i++)
      earlier += (i == 0 ? "" : ",") + Row(bars[i], digits);
   string body = Head() + Text("type", "market_data") + Text("symbol", one.name)
                 + Text("timeframe", StringSubstr(EnumToString(InpTimeframe), 7)) + Text("time", Moment(TimeGMT()))
                 + Text("bar_time", Moment(ToUtc(bars[last].time))) + Number("bid", tick.bid, digits)
                 + Number("ask", tick.ask, digits) + Number("spread", tick.ask - tick.bid, digits)
                 + Number("open", bars[last].open, digits) + Number("high", bars[last].high, digits)
                 + Number("low", bars[last].low, digits) + Number("close", bars[last].close, digits)
                 + Number("volume", (double)bars[last].tick_volume, 0) + "\"indicators\":" + indicators
                 + ",\"instrument\":" + Facts(one.name) + ",\"bars\":[" + earlier + "]}";
   string answer;
   if(AskEngine("POST", "/api/signals", body, answer))
      one.wanted = (int)StringToInteger(Field(answer, "wants_bars"));
  }

// A value that is not there yet is null, never zero.
string Indicator(const string name, const int handle, const int buffer, const int digits)
  {
   double values[];
   if(CopyBuffer(handle, buffer, 1, 1, values) != 1 || values[0] == EMPTY_VALUE || !MathIsValidNumber(values[0]))
      return "\"" + name + "\":null,";
   return Number(name, values[0], digits);
  }

string Row(const MqlRates &bar, const int digits)
  {
   return "[" + IntegerToString((long)ToUtc(bar.time)) + "," + DoubleToString(bar.open, digits) + ","
          + DoubleToString(bar.high, digits) + "," + DoubleToString(bar.low, digits) + ","
          + DoubleToString(bar.close, digits) + "," + IntegerToString(bar.tick_volume) + "]";
  }

// The rules of a symbol.
string Facts(const string name)
  {
   return "{" + Number("digits", (double)SymbolInfoInteger(name, SYMBOL_DIGITS), 0)
          + Number("point", SymbolInfoDouble(name, SYMBOL_POINT), 10)
          + Number("tick_size", SymbolInfoDouble(name, SYMBOL_TRADE_TICK_SIZE), 10)
          + Number("contract_size", SymbolInfoDouble(name, SYMBOL_TRADE_CONTRACT_SIZE), 8)
          + Number("lot_min", SymbolInfoDouble(name, SYMBOL_VOLUME_MIN), 8)
          + Number("lot_step", SymbolInfoDouble(name, SYMBOL_VOLUME_STEP), 8)
          + Number("lot_max", SymbolInfoDouble(name, SYMBOL_VOLUME_MAX), 8)
          + Text("base", SymbolInfoString(name, SYMBOL_CURRENCY_BASE))
          + Text("profit", SymbolInfoString(name, SYMBOL_CURRENCY_PROFIT))
          + Text("trade_mode", TradeMode(SymbolInfoInteger(name, SYMBOL_TRADE_MODE)))
          + Last(Text("path", SymbolInfoString(name, SYMBOL_PATH))) + "}";
  }

string TradeMode(const long mode)
  {
   if(mode == SYMBOL_TRADE_MODE_FULL)
      return "full";
   if(mode == SYMBOL_TRADE_MODE_LONGONLY)
      return "long_only";
   if(mode == SYMBOL_TRADE_MODE_SHORTONLY)
      return "short_only";
   return mode == SYMBOL_TRADE_MODE_CLOSEONLY ? "close_only" : "disabled";
  }

//--- the account -----------------------------------------------------

bool MayTrade()
  {
   return TerminalInfoInteger(TERMINAL_TRADE_ALLOWED) != 0 && MQLInfoInteger(MQL_TRADE_ALLOWED) != 0
          && AccountInfoInteger(ACCOUNT_TRADE_ALLOWED) != 0 && AccountInfoInteger(ACCOUNT_TRADE_EXPERT) != 0;
  }

string State()
  {
   return "\"terminal\":{" + Text("currency", AccountInfoString(ACCOUNT_CURRENCY))
          + Number("balance", AccountInfoDouble(ACCOUNT_BALANCE), 8)
          + Number("equity", AccountInfoDouble(ACCOUNT_EQUITY), 8)
          + Number("margin", AccountInfoDouble(ACCOUNT_MARGIN), 8)
          + Number("margin_free", AccountInfoDouble(ACCOUNT_MARGIN_FREE), 8)
          + Flag("is_demo", AccountInfoInteger(ACCOUNT_TRADE_MODE) != ACCOUNT_TRADE_MODE_REAL)
          + Flag("is_hedging", AccountInfoInteger(ACCOUNT_MARGIN_MODE) == ACCOUNT_MARGIN_MODE_RETAIL_HEDGING)
          + Last(Flag("may_trade", InpExecute && MayTrade())) + "},";
  }

string Positions()
  {
   string found = "";
   for(int i = 0; i < PositionsTotal(); i++)
     {
      ulong ticket = PositionGetTicket(i); // selects it, too
      if(ticket == 0)
         continue;
      bool is_long = PositionGetInteger(POSITION_TYPE) == POSITION_TYPE_BUY;
      datetime when = (datetime)PositionGetInteger(POSITION_TIME);
      found += (found == "" ? "{" : ",{") + Text("ticket", IntegerToString(ticket))
               + Text("symbol", PositionGetString(POSITION_SYMBOL)) + Text("side", is_long ? "buy" : "sell")
               + Number("lots", PositionGetDouble(POSITION_VOLUME), 8)
               + Number("price", PositionGetDouble(POSITION_PRICE_OPEN), 8)
               + Text("magic", IntegerToString(PositionGetInteger(POSITION_MAGIC)))
               + Last(Text("time", Moment(ToUtc(when)))) + "}";
     }
   return "\"positions\":[" + found + "],";
  }
