#!/usr/bin/env python3
"""A TLS client that verifies chain and name, for the tests of real servers.

  tls_client.py loop --ca FILE --name NAME --out FILE TARGET...
      Shakes hands with every TARGET again and again, each in a thread of its own, until SIGTERM; several
      TARGETs joined by + take turns in one thread. One
      line in FILE for each: LABEL BEGIN END ok|failed WHAT, with times in ns since 1970.
  tls_client.py hold --ca FILE --name NAME TARGET
      Shakes hands, prints "ready", waits for a line on stdin, asks the server something harmless and
      prints its answer's first line, or "closed".

TARGET is LABEL:PORT:PROTOCOL:TYPES. PROTOCOL is https, smtp, imap, pop3 or nntp (STARTTLS), or the same
with s behind it (TLS from the first byte); TYPES is rsa, ec or rsa,ec: what the server serves.
"""
import argparse
import signal
import socket
import ssl
import sys
import threading
import time

HANDSHAKE_LIMIT_S = 30
# Between two handshakes of a thread, so that the machine is not only busy with clients.
PAUSE_S = 0.03
CIPHERS = {"rsa": "ECDHE-RSA-AES128-GCM-SHA256", "ec": "ECDHE-ECDSA-AES128-GCM-SHA256"}
STARTTLS = {
    "smtp": ([b"EHLO client.example.test"], b"STARTTLS", b"220"),
    "imap": ([], b"a STARTTLS", b"a OK"),
    "pop3": ([], b"STLS", b"+OK"),
    "nntp": ([], b"STARTTLS", b"382"),
}
HARMLESS = {
    "https": b"GET / HTTP/1.0\r\nHost: mail.example.test\r\n\r\n",
    "smtps": b"NOOP\r\n",
    "imaps": b"b NOOP\r\n",
    "pop3s": b"CAPA\r\n",
    "nntps": b"DATE\r\n",
}


class Target:
    def __init__(self, text):
        self.label, port, self.protocol, types = text.split(":")
        self.port = int(port)
        self.types = types.split(",")


def contexts(target, ca):
    """One for each type with TLS 1.2, where the cipher suite says which key signs, and TLS 1.3."""
    made = []
    for what in [*target.types, "tls1.3"]:
        context = ssl.create_default_context(cafile=ca)
        context.options |= ssl.OP_NO_TICKET
        if what in CIPHERS:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers(CIPHERS[what])
        else:
            context.minimum_version = ssl.TLSVersion.TLSv1_3
        made.append((what, context))
    return made


def read_reply(file):
    """The last line of a reply: SMTP's go on while a '-' follows the number."""
    while True:
        line = file.readline(1000)
        if not line:
            raise ConnectionError("closed in plain text")
        if line[3:4] != b"-":
            return line


def start_tls(connection, protocol):
    if protocol not in STARTTLS:
        return
    greetings, command, wanted = STARTTLS[protocol]
    with connection.makefile("rb", buffering=0) as file:
        read_reply(file)
        for line in greetings:
            connection.sendall(line + b"\r\n")
            read_reply(file)
        connection.sendall(command + b"\r\n")
        reply = read_reply(file)
    if not reply.startswith(wanted):
        raise ConnectionError(f"no STARTTLS: {reply!r}")


def shake_hands(target, context, name):
    connection = socket.create_connection(("127.0.0.1", target.port), timeout=HANDSHAKE_LIMIT_S)
    try:
        start_tls(connection, target.protocol)
        return context.wrap_socket(connection, server_hostname=name)
    except BaseException:
        connection.close()
        raise


def loop_one(targets, arguments, out, stop):
    made = [(target, contexts(target, arguments.ca)) for target in targets]
    turn = 0
    while not stop.is_set():
        target, its_contexts = made[turn % len(made)]
        what, context = its_contexts[turn // len(made) % len(its_contexts)]
        turn += 1
        begin = time.time_ns()
        try:
            shake_hands(target, context, arguments.name).close()
            outcome = "ok"
        except OSError as error:
            outcome = "failed"
            what += " " + " ".join(str(error).split())
        out.write(f"{target.label} {begin} {time.time_ns()} {outcome} {what}\n")
        stop.wait(PAUSE_S)


def loop(arguments):
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with open(arguments.out, "a", buffering=1, encoding="utf-8") as out:
        threads = [
            threading.Thread(
                target=loop_one,
                args=([Target(one) for one in text.split("+")], arguments, out, stop))
            for text in arguments.targets
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def hold(arguments):
    target = Target(arguments.targets[0])
    connection = shake_hands(target, contexts(target, arguments.ca)[-1][1], arguments.name)
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        # The mail and news servers greet only now, when TLS is there from the first byte.
        if target.protocol in ("smtps", "imaps", "pop3s", "nntps"):
            connection.recv(4096)
        connection.sendall(HARMLESS[target.protocol.rstrip("s") + "s"])
        answer = connection.recv(4096)
    except OSError:
        answer = b""
    print(answer.split(b"\r\n")[0].decode(errors="replace") or "closed", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=["loop", "hold"])
    parser.add_argument("--ca", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--out")
    parser.add_argument("targets", nargs="+")
    arguments = parser.parse_args()
    {"loop": loop, "hold": hold}[arguments.verb](arguments)


if __name__ == "__main__":
    main()
