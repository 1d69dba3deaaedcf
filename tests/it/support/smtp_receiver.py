"""A mail server for tests: aiosmtpd, which keeps what it is sent and fails where it is told to.

Usage: smtp_receiver.py FOLDER '{"tls": [CERT, KEY], "implicit": true, "required": true, "user": [NAME, PASSWORD]}'

It writes its port to FOLDER/port, each message it has taken to FOLDER/messages/NUMBER.json, and each
step of each dialogue as a line to FOLDER/steps. A file FOLDER/faults/STEP (connect, ehlo, auth, mail,
rcpt, data, taken) says what goes wrong there, to whomever comes: `hang` (for as long as the file is
there), `drop`, or an answer.
"""

import asyncio
import json
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

folder, options = sys.argv[1], json.loads(sys.argv[2])
messages = 0


def note(step):
    with open(os.path.join(folder, "steps"), "a") as steps:
        steps.write(step + "\n")


def told(step):
    try:
        with open(os.path.join(folder, "faults", step)) as file:
            return file.read()
    except FileNotFoundError:
        return None


async def fault(server, step):
    """The answer that is to be given at a step, if it is not the usual one."""
    note(step)
    while (what := told(step)) == "hang":
        await asyncio.sleep(0.02)
    if what == "drop":
        server.transport.abort()
        # The dialogue ends here: nothing that comes after may count as done.
        raise asyncio.CancelledError
    return what


class Handler:
    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        answer = await fault(server, "ehlo")
        session.host_name = hostname
        return [answer] if answer else responses

    async def handle_MAIL(self, server, session, envelope, address, mail_options):
        answer = await fault(server, "mail")
        envelope.mail_from = address
        return answer or "250 2.1.0 OK"

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        answer = await fault(server, "rcpt")
        if answer:
            # As real servers do.
            return answer.replace("RECIPIENT", address)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        answer = await fault(server, "data")
        if answer:
            return answer
        self.keep(session, envelope)
        return await fault(server, "taken") or "250 2.0.0 OK"

    def keep(self, session, envelope):
        global messages
        messages += 1
        path = os.path.join(folder, "messages", f"{messages:04}.json")
        message = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "data": envelope.original_content.decode("ascii"),
            "tls": session.ssl is not None or bool(options.get("implicit")),
            "authenticated": bool(session.authenticated),
            "helo": session.host_name,
        }
        with open(path + ".new", "w") as file:
            json.dump(message, file)
        os.rename(path + ".new", path)


class Server(SMTP):
    async def push(self, status):
        if status.startswith("220 ") and not getattr(self, "greeted", False):
            self.greeted = True
            answer = await fault(self, "connect")
            if answer:
                await super().push(answer)
                self.transport.close()
                return
        await super().push(status)


def authenticator(server, session, envelope, mechanism, data):
    wanted = tuple(text.encode() for text in options["user"])
    note("auth")
    # Not handled: the answer is still to be given.
    return AuthResult(success=(data.login, data.password) == wanted, handled=False)


def server():
    arguments = {"hostname": "receiver.test", "enable_SMTPUTF8": False}
    if options.get("user"):
        arguments.update(authenticator=authenticator, auth_required=True)
        # On this machine, where the tests want it without TLS as well.
        arguments.update(auth_require_tls=False)
    if context and not options.get("implicit"):
        arguments.update(tls_context=context, require_starttls=bool(options.get("required")))
    return Server(Handler(), **arguments)


context = None
if options.get("tls"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*options["tls"])


async def main():
    loop = asyncio.get_running_loop()
    tls = context if options.get("implicit") else None
    port = int(options.get("port", 0))
    listening = await loop.create_server(server, "127.0.0.1", port, ssl=tls)
    with open(os.path.join(folder, "port.new"), "w") as file:
        file.write(str(listening.sockets[0].getsockname()[1]))
    os.rename(os.path.join(folder, "port.new"), os.path.join(folder, "port"))
    await listening.serve_forever()


os.makedirs(os.path.join(folder, "messages"), exist_ok=True)
os.makedirs(os.path.join(folder, "faults"), exist_ok=True)
asyncio.run(main())
