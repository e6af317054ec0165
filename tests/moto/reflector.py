"""A reflector on loopback: tells whoever asks an address that it was given, as if it were theirs.

    reflector.py [--port N] [--address ADDRESS] [--apikey KEY]

Prints the address to ask, with the key, as its only line, and runs until its stdin ends. It answers
what the original reflect.php answers, and can be told to change while it runs:

    POST /control   {"mode": "ok" | "broken", "address": ADDRESS}     either or both

Needs nothing but Python. It is for tests and for trying things out: it listens on 127.0.0.1 and
must not be put anywhere else, since a real reflector tells the address that the caller came from.
"""

import argparse
import http.server
import json
import os
import signal
import sys
import threading
import urllib.parse

PATH = "/reflect/v1"

# autodns refuses addresses that are not public, those set aside for documentation among them. This
# one is public by IANA's registry of special addresses and yet no one's: its block (AS112, RFC
# 7534) only takes in DNS queries that should never have left someone's own network.
ADDRESS = "192.175.48.7"


class State:
    """What the reflector answers just now; the server's threads share it."""

    def __init__(self, address):
        self.lock = threading.Lock()
        self.address = address
        self.mode = "ok"

    def read(self):
        with self.lock:
            return self.mode, self.address

    def change(self, order):
        """Takes an order whole or not at all: what is wrong with it is the ValueError's text."""
        if not isinstance(order, dict) or not order:
            raise ValueError('expected {"mode": …, "address": …}, either or both')
        unknown = sorted(set(order) - {"mode", "address"})
        if unknown:
            raise ValueError(f"unknown key: {unknown[0]}")
        if order.get("mode", "ok") not in ("ok", "broken"):
            raise ValueError("mode is ok or broken")
        if not isinstance(order.get("address", ""), str):
            raise ValueError("address is a text")
        with self.lock:
            self.mode = order.get("mode", self.mode)
            self.address = order.get("address", self.address)


class Reflector(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        asked = urllib.parse.urlsplit(self.path)
        mode, address = self.server.state.read()
        if asked.path != PATH:
            self.reply(404, "no such page")
        elif urllib.parse.parse_qs(asked.query).get("apikey", [""]) != [self.server.apikey]:
            self.reply(403, "wrong apikey")
        elif mode == "broken":
            self.reply(503, "out of order")
        else:
            self.reply(200, "", address)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path != "/control":
            self.reply(404, "no such page")
            return
        try:
            self.server.state.change(json.loads(body))
        except ValueError as error:
            self.reply(400, str(error))
        else:
            self.send_response(204)
            self.end_headers()

    def reply(self, status, error, address=""):
        answer = {"error": error, "forwarded": 0, "forwarded_for": "", "your_ip": address}
        body = json.dumps(answer, separators=(",", ":")).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Stays quiet: the caller sees the answer."""


def main():
    # An interrupt ends the server without a trace of Python's own.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    summary, usage = __doc__.split("\n\n")[:2]
    parser = argparse.ArgumentParser(usage=usage.strip(), description=summary)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--address", default=ADDRESS)
    parser.add_argument("--apikey", default="verysecret")
    wanted = parser.parse_args()

    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", wanted.port), Reflector)
    except OSError as error:
        sys.exit(f"reflector.py: cannot listen on 127.0.0.1:{wanted.port}: {error}")
    server.state = State(wanted.address)
    server.apikey = wanted.apikey
    threading.Thread(target=server.serve_forever, daemon=True).start()

    query = urllib.parse.urlencode({"apikey": wanted.apikey})
    print(f"http://127.0.0.1:{server.server_port}{PATH}?{query}", flush=True)
    sys.stdin.buffer.read()
    # Requests under way are not waited for: nobody is left to hear the answers.
    os._exit(0)


if __name__ == "__main__":
    main()
