"""What a person must know to bring TradingView, or a program of their own, to a bot."""

from html import escape as html_escape

import streamlit as st

from engine.contracts.signals import SignalConfig
from panel.placeholders import PLACEHOLDERS

STEPS = """
1. At TradingView, switch on two-factor authentication; webhooks are part of its paid plans.
2. Open **Alert** on the chart. As the condition choose the strategy, with *Order fills only*, or
   the indicator, with *Once per bar close*: an unfinished bar may take its signal back.
3. Under **Message**, paste the message of step 3.
4. Under **Notifications**, tick **Webhook URL** and paste the address of step 2.
5. Give it the longest expiry there is: an alert that has expired is silent. *Alert me when signals
   stop coming*, in the bot's settings, notices that.
6. Start the bot. Send it a test signal from the Inbox before you wait for the first bar.
"""

REACH = """
TradingView's servers must reach this machine; your router does not let them. Three ways:

- **A tunnel** (cloudflared, Tailscale Funnel, ngrok): a program here opens a connection to its
  provider, which gives you an HTTPS address. Nothing is opened at your router.
- **A reverse proxy** (Caddy, nginx) on a server of yours, or behind a port that your router
  forwards.
- **A relay**: a small server of yours on the internet that passes signals on through a VPN or SSH.

For all of them: set `QUARTERDECK_INBOX_PORT` in `.env` and point the tunnel or proxy at **that
port only**. It takes signals and nothing else; the engine's own port must never be reachable. Set
the address you were given as `QUARTERDECK_INBOX_PUBLIC_URL`, so that it is shown in step 2. Both
are in force from the engine's next start.

TradingView itself keeps to this:

- ports 80 and 443 only, and no IPv6; use 443, as over port 80 everybody on the way reads the key;
- it comes from 52.89.214.238, 34.212.75.30, 54.218.53.128 and 52.32.178.7. To take signals from
  these alone, name the proxy's address under *Trusted proxies* in Settings, and choose *Only from
  TradingView's addresses* at the bot;
- it waits 3 seconds for an answer, then gives up. A signal is answered as soon as it is on disk,
  before anything is ordered;
- it may deliver one alert up to four times. All of them are one signal, and one order.
"""

RISKS = """
**What can go wrong.** Whoever knows the address can trade with the bot: TradingView cannot sign, so
the key in the address is all there is. Treat it as a password, keep it out of screenshots and
shared scripts, and make it anew when in doubt. Alerts may come late, twice, or not at all, and
nobody sends them again after this machine slept or the tunnel was down: give the bot stops of its
own. The bot's amount, its limits and the kill switch bound what any signal can do.
"""

PLAIN_CURL = """
curl -sS "$QD_URL" -H 'Content-Type: application/json' \\
  -d '{"action": "open", "side": "long", "id": "my-signal-1"}'
"""

HMAC_CURL = """
body='{"action": "open", "side": "long", "id": "my-signal-1"}'
signature=$(printf '%s' "$body" | openssl dgst -sha256 -hmac "$QD_SECRET" -r | cut -d' ' -f1)
curl -sS "$QD_URL" -H 'Content-Type: application/json' -H "X-Signature: $signature" -d "$body"
"""

HMAC_PYTHON = """
import hashlib
import hmac
import json
import os
from urllib.request import Request, urlopen

body = json.dumps({"action": "open", "side": "long", "id": "my-signal-1"}).encode()
signature = hmac.new(os.environ["QD_SECRET"].encode(), body, hashlib.sha256).hexdigest()
headers = {"Content-Type": "application/json", "X-Signature": signature}
with urlopen(Request(os.environ["QD_URL"], body, headers), timeout=10) as answer:
    print(answer.status, answer.read().decode())
"""

STANDARD_PYTHON = """
import json
import os
from datetime import datetime, timezone
from urllib.request import Request, urlopen
from uuid import uuid4

from standardwebhooks.webhooks import Webhook  # pip install standardwebhooks

body = json.dumps({"action": "open", "side": "long"})
identity, sent_at = str(uuid4()), datetime.now(timezone.utc)
headers = {
    "Content-Type": "application/json",
    "webhook-id": identity,
    "webhook-timestamp": str(int(sent_at.timestamp())),
    "webhook-signature": Webhook(os.environ["QD_SECRET"]).sign(identity, sent_at, body),
}
with urlopen(Request(os.environ["QD_URL"], body.encode(), headers), timeout=10) as answer:
    print(answer.status, answer.read().decode())
"""

SIGNED_HOW = {
    "none": "This bot asks for no signature. For programs of your own, switch one on in its"
    " settings: then the address alone is worth nothing to whoever finds it.",
    "hmac": "`X-Signature` is the hexadecimal HMAC-SHA256 of the body, keyed with the secret"
    " as it is shown, `whsec_` included. It does not age: give every signal an id or a time of its"
    " own.",
    "standard": "[Standard Webhooks](https://www.standardwebhooks.com) sign id, time and body"
    " together; the time may be 5 minutes off. Sending the same id again is safe: it is the same"
    " signal.",
}


def draw_help(config: SignalConfig | None) -> None:
    """Placeholders, the way here, and programs of one's own."""
    with st.expander("All placeholders", icon=":material/data_object:"):
        st.html(placeholders_html())
    with st.expander("How TradingView reaches this machine", icon=":material/router:"):
        st.markdown(REACH)
    with st.expander(
        "Programs of your own: HMAC and Standard Webhooks", icon=":material/terminal:"
    ):
        _draw_programs(config)
    st.warning(RISKS, icon=":material/warning:")


def _draw_programs(config: SignalConfig | None) -> None:
    kind = config.signature.value if config else "none"
    st.markdown(
        "Post the same messages from any program; put address and secret where it reads them:"
    )
    st.code("export QD_URL='the address'\nexport QD_SECRET='the signing secret'", language="bash")
    st.markdown(SIGNED_HOW[kind])
    if kind == "standard":
        st.code(STANDARD_PYTHON.strip(), language="python")
    elif kind == "hmac":
        st.code(HMAC_CURL.strip(), language="bash")
        st.code(HMAC_PYTHON.strip(), language="python")
    else:
        st.code(PLAIN_CURL.strip(), language="bash")
    st.markdown(
        "**200** means that it is on disk, **4xx** that it never will be (the answer says why),"
        " **429** and **503** that you should send the same again, with the same id."
    )


def placeholders_html() -> str:
    """The table of them, with a sample of each."""
    rows = "".join(
        f"<tr><td><code>{{{{{html_escape(one.name)}}}}}</code></td><td>{html_escape(one.meaning)}</td>"
        f"<td><code>{html_escape(one.sample or '2026-11-26T05:30:00Z')}</code></td>"
        f"<td>{one.where}</td></tr>"
        for one in PLACEHOLDERS
    )
    return (
        '<div class="qd-placeholders"><table><thead><tr><th>Placeholder</th><th>Becomes</th>'
        f"<th>Sample</th><th>In</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )
