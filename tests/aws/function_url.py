"""Runs the template's Lambda function the way a function URL does.

Owns the loading of that very code and the making of events, whose shape is that of real ones and
whose values are made up. Must not repeat any of the function's logic.
"""

import json
import os
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

EVENTS = Path(__file__).parent / "events"


def event(name, query=""):
    """The event of that name, asking with this query string (still encoded)."""
    return json.loads((EVENTS / f"{name}.json").read_text()) | {"rawQueryString": query}


class Function:
    """The function of a resolved stack: its code, its handler and its environment."""

    def __init__(self, stack):
        properties = stack.resources["ReflectorFunction"]["Properties"]
        self.environment = properties.get("Environment", {}).get("Variables", {})
        self.code = properties["Code"]["ZipFile"]
        self._module = {}
        exec(compile(self.code, "index.py", "exec"), self._module)
        module, self._handler = properties["Handler"].split(".")
        assert module == "index", "CloudFormation names the file of inline code index.py"

    def __call__(self, event_):
        assert not self.environment.keys() & os.environ.keys(), "this machine sets them itself"
        os.environ.update(self.environment)
        try:
            return self._module[self._handler](event_, None)
        finally:
            for name in self.environment:
                del os.environ[name]


class _V6Server(ThreadingHTTPServer):
    address_family = socket.AF_INET6


@contextmanager
def serve(function, host, event_name):
    """A function URL on loopback; whoever asks is taken for the caller in the event."""
    lock = threading.Lock()  # the environment belongs to the whole process

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            query = self.path.partition("?")[2]
            with lock:
                answer = function(event(event_name, query))
            self.send_response(answer["statusCode"])
            for name, value in answer["headers"].items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer["body"].encode())

        def log_message(self, *_):
            pass

    server = (_V6Server if ":" in host else ThreadingHTTPServer)((host, 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
