"""A proxy between autodns and moto that records every request.

Copies each request and its response. Also copies the Host header, because the signature covers it.
Must not change, add or check anything.
"""

import http.client
from contextlib import contextmanager

import loopback

NOT_COPIED = ("server", "date", "connection", "content-length", "transfer-encoding")


@contextmanager
def record(upstream):
    """Yields (url, requests). Each request adds (method, target, body) to requests."""
    requests = []

    class Handler(loopback.Handler):
        def forward(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            requests.append((self.command, self.path, body))
            connection = http.client.HTTPConnection(*upstream, timeout=60)
            connection.putrequest(self.command, self.path, skip_host=True,
                                  skip_accept_encoding=True)
            for name, value in self.headers.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            content = response.read()
            headers = [(name, value) for name, value in response.getheaders()
                       if name.lower() not in NOT_COPIED]
            self.respond(
                response.status, [*headers, ("Content-Length", str(len(content)))], content)
            connection.close()

        do_GET = do_POST = forward

    with loopback.serve(Handler) as port:
        yield f"http://127.0.0.1:{port}", requests
