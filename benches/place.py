"""The environment of a measured run: a temporary folder, the server, and a relay to each port.

The folder has certificates, a configuration and a home. Everything is removed at the end.
"""

import contextlib
import json
import pathlib
import signal
import subprocess
import sys
import tempfile

import counterpart
import relay

HERE = pathlib.Path(__file__).resolve().parent


class Place(contextlib.ExitStack):
    """Use `config`, `environment` and `take()` inside `with Place() as place:`."""

    def __init__(self):
        super().__init__()
        folder = tempfile.TemporaryDirectory(prefix="autodns-bench-")
        self.folder = pathlib.Path(self.enter_context(folder))
        subprocess.run([HERE / "certificates.sh", self.folder], check=True)
        self.counterpart = self.enter_context(counterpart.Counterpart(self.folder))
        self._relays = {
            kind: self.enter_context(relay.Relay(self.counterpart.port(kind)))
            for kind in ("reflector", "route53")
        }
        (self.folder / "home").mkdir()
        self.config = self.folder / "autodns.json"
        self.reflector = f"https://127.0.0.1:{self._relays['reflector'].port}/ip"
        settings = {
            "hosted_zone_id": counterpart.ZONE,
            "dns_name": counterpart.NAME,
            "reflect_url": self.reflector,
        }
        self.config.write_text(json.dumps(settings, indent=4) + "\n", encoding="utf-8")
        self.environment = {
            "HOME": str(self.folder / "home"),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLEEXAMPLE00",
            "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY00",
            "AWS_CA_BUNDLE": str(self.folder / "root.pem"),
            "AWS_ENDPOINT_URL": f"https://127.0.0.1:{self._relays['route53'].port}",
        }

    def set_round_trip(self, seconds):
        """Sets how far away the servers are, for connections from now on."""
        for each in self._relays.values():
            each.rtt = seconds

    def take(self, who):
        """Returns the counts of `who`, whose run has ended. Raises if it was not a quiet run."""
        seen = self.counterpart.take()
        if not seen.is_quiet_run():
            raise NotQuiet(f"{who} did not do a quiet run: {seen}")
        return seen


def exit_on_sigterm():
    """Makes SIGTERM raise an exception, so that the place is removed then too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


class NotQuiet(Exception):
    """The measured program did not do a quiet run."""
