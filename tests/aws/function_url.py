"""Runs the template's Lambda function like a function URL.

Loads the function's code and makes its events, which have the form of real events with invented
values. Must not repeat the function's logic.
"""

import json
import os
import threading
from contextlib import contextmanager
from pathlib import Path

import loopback

EVENTS = Path(__file__).parent / "events"


def event(name, query=""):
    """Returns the event of that name with this percent-encoded query string."""
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


@contextmanager
def serve(function, host, event_name):
    """A function URL on loopback. Every request gets the caller of the event. Yields the port."""
    lock = threading.Lock()  # all threads share the environment of the process

    class Handler(loopback.Handler):
        def do_GET(self):
            query = self.path.partition("?")[2]
            with lock:
                answer = function(event(event_name, query))
            self.respond(answer["statusCode"], answer["headers"].items(), answer["body"].encode())

    with loopback.serve(Handler, host) as port:
        yield port
