#!/usr/bin/env python3
"""nntp_stream.py PORT implicit|starttls: what an NNTP server sends, byte for byte.

Speaks to the server on 127.0.0.1, shakes hands without verifying, says QUIT, and prints what came, one
piece a line: "line TEXT" for a line of plain text, "record TYPE" for a TLS record, "tls TEXT" for what
was inside, "other BYTES" for anything that is neither. nnrpd's stderr and stdout are this connection, so
that a byte which a library wrote would be one of the first or the last.
"""
import socket
import ssl
import sys

LIMIT_S = 30


class Stream:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S)
        self.bytes = b""

    def more(self):
        """False at the end."""
        try:
            chunk = self.socket.recv(65536)
        except ConnectionError:
            return b""
        self.bytes += chunk
        return chunk

    def line(self, out):
        while b"\n" not in self.bytes:
            if not self.more():
                return b""
        line, self.bytes = self.bytes.split(b"\n", 1)
        out.append("line " + repr(line.rstrip(b"\r"))[2:-1])
        return line


def shake_hands(stream, out):
    """Shakes hands and quits; the raw bytes stay in stream.bytes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="mail.example.test")

    def until_done(action):
        while True:
            try:
                return action()
            except ssl.SSLWantReadError:
                stream.socket.sendall(outgoing.read())
                chunk = stream.more()
                incoming.write(chunk) if chunk else incoming.write_eof()
            except ssl.SSLError as error:
                out.append(f"tls error {error.reason}")
                return None

    if until_done(lambda: tls.do_handshake() or True) is None:
        while stream.more():
            pass
        return
    greeting_comes = not any(text.startswith("line") for text in out)
    if greeting_comes:
        out.append("tls " + repr(until_done(lambda: tls.read(1000)))[2:-1])
    tls.write(b"QUIT\r\n")
    stream.socket.sendall(outgoing.read())
    out.append("tls " + repr(until_done(lambda: tls.read(1000)))[2:-1])
    while stream.more():
        pass


def split(raw, out):
    """Takes raw apart into TLS records; the same type is printed once."""
    last = None
    while raw:
        if raw[0] in (20, 21, 22, 23) and raw[1:2] == b"\x03" and len(raw) >= 5:
            size = 5 + int.from_bytes(raw[3:5], "big")
            text, raw = f"record {raw[0]}", raw[size:]
        elif b"\n" in raw:
            line, raw = raw.split(b"\n", 1)
            text = "line " + repr(line.rstrip(b"\r"))[2:-1]
        else:
            text, raw = "other " + repr(raw)[2:-1], b""
        if text != last:
            out.append(text)
        last = text


def main():
    stream = Stream(int(sys.argv[1]))
    out = []
    ready = True
    if sys.argv[2] == "starttls":
        stream.line(out)
        stream.socket.sendall(b"STARTTLS\r\n")
        ready = stream.line(out).startswith(b"382")
    if ready:
        shake_hands(stream, out)
    else:
        stream.socket.sendall(b"QUIT\r\n")
        while stream.more():
            pass
    split(stream.bytes, out)
    print("\n".join(out))


if __name__ == "__main__":
    main()
