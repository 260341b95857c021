//+------------------------------------------------------------------+
//| Quarterdeck bridge: the ids of orders that were dealt with, in a |
//| file of MQL5/Files, so that none is executed a second time.      |
//+------------------------------------------------------------------+
#define KEPT_IDS  2000

string done_ids[]; // the newest last

//--- what was done before --------------------------------------------

string DoneFile()
  {
   return StringFormat("quarterdeck_%I64d_%I64d.txt", AccountInfoInteger(ACCOUNT_LOGIN), InpMagic);
  }

bool ReadDone()
  {
   ArrayResize(done_ids, 0);
   if(!FileIsExist(DoneFile()))
      return true;
   int file = FileOpen(DoneFile(), FILE_READ | FILE_TXT | FILE_ANSI);
   if(file == INVALID_HANDLE)
     {
      PrintFormat("Quarterdeck: %s cannot be read (%d).", DoneFile(), GetLastError());
      return false;
     }
   while(!FileIsEnding(file))
      Keep(FileReadString(file));
   FileClose(file);
   return true;
  }

bool Remember(const string id)
  {
   int file = FileOpen(DoneFile(), FILE_READ | FILE_WRITE | FILE_TXT | FILE_ANSI);
   if(file == INVALID_HANDLE || !FileSeek(file, 0, SEEK_END) || FileWriteString(file, id + "\n") == 0)
     {
      PrintFormat("Quarterdeck: %s cannot be written (%d): nothing is executed.", DoneFile(), GetLastError());
      if(file != INVALID_HANDLE)
         FileClose(file);
      return false;
     }
   FileFlush(file);
   FileClose(file);
   Keep(id);
   return true;
  }

void Keep(const string id)
  {
   int count = ArraySize(done_ids);
   if(id == "")
      return;
   if(count >= KEPT_IDS)
      count -= ArrayRemove(done_ids, 0, 1) ? 1 : 0;
   ArrayResize(done_ids, count + 1, KEPT_IDS);
   done_ids[count] = id;
  }

bool IsDone(const string id)
  {
   for(int i = ArraySize(done_ids) - 1; i >= 0; i--)
      if(done_ids[i] == id)
         return true;
   return false;
  }
