"""Where programs are measured: a folder with certificates, a configuration and a home, the server
that they call, and a relay on the way to each of its ports. All of it is gone afterwards."""

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
    """`with Place() as place:` and then `place.config`, `place.environment`, `place.take()`."""

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
        """How far away the servers are for the connections to come."""
        for each in self._relays.values():
            each.rtt = seconds

    def take(self, who):
        """What the server saw of `who`, whose run has ended; raises where it is no quiet run."""
        seen = self.counterpart.take()
        if not seen.is_quiet_run():
            raise NotQuiet(f"{who} did something else than a quiet run: {seen}")
        return seen


def leave_on_termination():
    """Ends this process by an exception, so that a place is taken away then, too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


class NotQuiet(Exception):
    """A program that was to be measured did not do what is measured."""
