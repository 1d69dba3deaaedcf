#!/usr/bin/python3
"""Stands in for Mailpit: takes mails at port 1025, keeps them in memory, and shows them at port 8025.

Of Mailpit's API it has what the tests ask: /readyz, /api/v1/messages and /api/v1/message/ID.
`/mailpit readyz` asks whether it runs.
"""

import email
import email.policy
import html
import http.server
import json
import sys
import urllib.request

from aiosmtpd.controller import Controller

MESSAGES = []


class Catcher:
    """What is told of each mail by SMTP."""

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        part = lambda kind: (body := message.get_body((kind,))) and body.get_content() or ""
        MESSAGES.insert(0, {
            "ID": str(len(MESSAGES) + 1),
            "From": {"Address": envelope.mail_from},
            "To": [{"Address": address} for address in envelope.rcpt_tos],
            "Subject": message["Subject"],
            "Text": part("plain"),
            "HTML": part("html"),
        })
        return "250 OK"


class Pages(http.server.BaseHTTPRequestHandler):
    """The page for people, and the API."""

    def do_GET(self):
        kind = "application/json"
        if self.path == "/readyz":
            kind, body = "text/plain", "ok"
        elif self.path == "/":
            kind = "text/html; charset=utf-8"
            body = "".join(
                f"<h2>{html.escape(mail['Subject'])}</h2><pre>{html.escape(mail['Text'])}</pre>"
                for mail in MESSAGES
            ) or "No mail yet."
        elif self.path == "/api/v1/messages":
            listed = [{**mail, "Text": None, "HTML": None} for mail in MESSAGES]
            body = json.dumps({"total": len(MESSAGES), "messages": listed})
        else:
            found = [mail for mail in MESSAGES if self.path == f"/api/v1/message/{mail['ID']}"]
            if not found:
                return self.send_error(404)
            body = json.dumps(found[0])
        content = body.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        """Says nothing: the health check would be every other line."""


if sys.argv[1:] == ["readyz"]:
    urllib.request.urlopen("http://127.0.0.1:8025/readyz", timeout=2)
else:
    Controller(Catcher(), hostname="0.0.0.0", port=1025).start()
    http.server.ThreadingHTTPServer(("0.0.0.0", 8025), Pages).serve_forever()
