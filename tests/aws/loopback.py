"""Serves HTTP on loopback from a thread while a test runs.

Owns the start and the end of a server, and silences its log. Must not know what it serves.
"""

import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """A handler that logs nothing."""

    def log_message(self, *_):
        pass

    def respond(self, status, headers, body):
        """Sends a whole response."""
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class _V6Server(ThreadingHTTPServer):
    address_family = socket.AF_INET6


@contextmanager
def serve(handler, host="127.0.0.1"):
    """Yields the port of a server on `host` until the block ends."""
    server = (_V6Server if ":" in host else ThreadingHTTPServer)((host, 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
