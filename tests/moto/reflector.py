"""A reflector on loopback that responds with a given address instead of the caller's.

    reflector.py [--port N] [--address ADDRESS] [--apikey KEY]

Prints its URL with the key as the only line, and runs until its stdin ends. Its responses are those
of the original reflect.php. A request changes them while it runs:

    POST /control   {"mode": "ok" | "broken", "address": ADDRESS}     either or both

Needs only Python. It is for tests and demonstrations. It must listen only on 127.0.0.1, because it
does not respond with the caller's address.
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

# autodns rejects addresses that are not public, including those for documentation. This one is
# public by IANA's registry, and no host uses it: its network (AS112, RFC 7534) only receives DNS
# queries that should not have left a private network.
ADDRESS = "192.175.48.7"


class State:
    """The current response of the reflector. The threads of the server share it."""

    def __init__(self, address):
        self.lock = threading.Lock()
        self.address = address
        self.mode = "ok"

    def read(self):
        with self.lock:
            return self.mode, self.address

    def change(self, order):
        """Applies an order, or raises ValueError and changes nothing."""
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
        """Logs nothing, because the caller sees the response."""


def main():
    # An interrupt ends the server without a traceback.
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
    # Does not wait for active requests, because nobody reads the responses any more.
    os._exit(0)


if __name__ == "__main__":
    main()
