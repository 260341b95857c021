"""Ways to a person: one provider, one module. Their SDKs are imported at the first use: twilio and
python-telegram-bot take from half a second to a second, which no start of the engine waits for."""
