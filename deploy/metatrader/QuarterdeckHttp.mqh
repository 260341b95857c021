//+------------------------------------------------------------------+
//| Quarterdeck bridge: requests to the engine, and their JSON.      |
//| Uses the inputs of QuarterdeckBridge.mq5.                        |
//+------------------------------------------------------------------+
#define SOURCE   "metatrader-ea"
#define VERSION  1

//--- HTTP and JSON ---------------------------------------------------

bool AskEngine(const string method, const string path, const string body, string &answer)
  {
   char   data[], result[];
   string headers = "Authorization: Bearer " + InpToken + "\r\nContent-Type: application/json\r\n";
   string told;
   int    size = StringToCharArray(body, data, 0, WHOLE_ARRAY, CP_UTF8);
   if(size > 0)
      ArrayResize(data, size - 1); // without the terminating zero
   ResetLastError();
   int status = WebRequest(method, InpUrl + path, headers, InpTimeoutMs, data, result, told);
   if(status == -1)
     {
      int error = GetLastError();
      PrintFormat("Quarterdeck: no answer (%d).%s", error, error == 4014
                  ? " Allow WebRequest for the address: Tools > Options > Expert Advisors." : "");
      return false;
     }
   answer = CharArrayToString(result, 0, WHOLE_ARRAY, CP_UTF8);
   if(status < 200 || status > 299)
      PrintFormat("Quarterdeck: %s %s was answered with %d.", method, path, status);
   return status >= 200 && status <= 299;
  }

string Head()
  {
   return "{" + Text("source", SOURCE) + Number("version", VERSION, 0)
          + Text("account", IntegerToString(AccountInfoInteger(ACCOUNT_LOGIN)))
          + Text("server", AccountInfoString(ACCOUNT_SERVER)) + State() + Positions();
  }

string Text(const string name, const string value)
  {
   string safe = value;
   StringReplace(safe, "\\", "\\\\");
   StringReplace(safe, "\"", "\\\"");
   StringReplace(safe, "\n", " ");
   StringReplace(safe, "\r", " ");
   StringReplace(safe, "\t", " ");
   return "\"" + name + "\":\"" + safe + "\",";
  }

string Number(const string name, const double value, const int digits)
  {
   return "\"" + name + "\":" + (MathIsValidNumber(value) ? DoubleToString(value, digits) : "null") + ",";
  }

string Flag(const string name, const bool value)
  {
   return "\"" + name + "\":" + (value ? "true" : "false") + ",";
  }

// The last field of an object has no comma.
string Last(const string field)
  {
   return StringSubstr(field, 0, StringLen(field) - 1);
  }

string Moment(const datetime utc)
  {
   string told = TimeToString(utc, TIME_DATE | TIME_SECONDS);
   StringReplace(told, ".", "-");
   StringReplace(told, " ", "T");
   return told + "Z";
  }

// The server's clock less ours, in whole quarters of an hour.
datetime ToUtc(const datetime server)
  {
   long ahead = (long)MathRound((double)(TimeTradeServer() - TimeGMT()) / 900.0) * 900;
   return (datetime)((long)server - ahead);
  }

// The flat objects of a list in a JSON text; braces inside of strings are text.
int Objects(const string json, const string name, string &found[])
  {
   int count = 0, depth = 0, start = -1;
   bool is_text = false;
   int from = StringFind(json, "\"" + name + "\"");
   for(int i = (int)MathMax(from, 0); from >= 0 && i < StringLen(json); i++)
     {
      ushort letter = StringGetCharacter(json, i);
      if(is_text && letter == '\\')
         i++;
      else if(letter == '"')
         is_text = !is_text;
      else if(!is_text && letter == '{')
        {
         if(depth++ == 0)
            start = i;
        }
      else if(!is_text && letter == '}' && --depth == 0 && start >= 0)
        {
         ArrayResize(found, ++count);
         found[count - 1] = StringSubstr(json, start, i - start + 1);
        }
      else if(!is_text && letter == ']' && depth == 0)
         break;
     }
   return count;
  }

// A field of a flat object, as text; empty for one that is null or not there.
string Field(const string object, const string name)
  {
   string mark = "\"" + name + "\"";
   int at = StringFind(object, mark);
   if(at < 0)
      return "";
   int i = StringFind(object, ":", at + StringLen(mark)) + 1;
   while(StringGetCharacter(object, i) == ' ')
      i++;
   bool is_text = StringGetCharacter(object, i) == '"';
   string value = "";
   for(i += is_text ? 1 : 0; i < StringLen(object); i++)
     {
      ushort letter = StringGetCharacter(object, i);
      if(is_text ? letter == '"' : letter == ',' || letter == '}')
         break;
      if(is_text && letter == '\\')
         letter = StringGetCharacter(object, ++i);
      value += ShortToString(letter);
     }
   return is_text || value != "null" ? value : "";
  }
