"""One installation: its resources in the emulated AWS, its proxy and reflectors, and the folder
with the program's configuration, keys and lock. Sets it up and reads its state. Must not judge a
run.
"""

import json
import pathlib
import re
import sys
import time

import awsproxy
import reflectors

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "moto"))
import moto_aws  # noqa: E402

TTL = 300


class Installation:
    """The installation of worker number `index`."""

    def __init__(self, index, endpoint, keys, folder):
        self.index = index
        zone = f"home{index}.example"
        # Every other installation has two names, which go to Route 53 in one batch.
        self.names = [f"a.{zone}", f"b.{zone}"][: 1 + index % 2]
        self.resources = moto_aws.create(endpoint, moto_aws.parse([
            endpoint, "create", "--name", self.names[0], "--zone", zone, "--no-record"
        ]))  # fmt: skip
        self.route53 = moto_aws.client(endpoint, "route53", keys)
        self.sqs = moto_aws.client(endpoint, "sqs", keys)
        user = self.resources["users"]["good"]
        self.secrets = [user["secret"], reflectors.APIKEY]
        self.proxy = awsproxy.AwsProxy(int(endpoint.rpartition(":")[2]), self.secrets)
        self.reflectors = reflectors.Reflectors(2 + index // 2 % 2)
        self.folder = folder
        self._make_files(user)

    def _make_files(self, user):
        for name in ("user/.aws", "etc", "var", "tmp"):
            (self.folder / name).mkdir(parents=True)
        self.config = self.folder / "etc" / "autodns.json"
        self.lock = self.folder / "var" / "alert.lock"
        # The file of a message whose outcome is unknown.
        self.pending = self.folder / "var" / ".alert.lock.pending"
        self.config.write_text(json.dumps({
            "hosted_zone_id": self.resources["zone_id"],
            "dns_name": self.names if len(self.names) > 1 else self.names[0],
            "topic_arn": self.resources["topic_arn"],
            "alert_lock": str(self.lock),
            "reflect_url": self.reflectors.urls,
            "ttl": TTL,
        }))  # fmt: skip
        credentials = self.folder / "user" / ".aws" / "credentials"
        # Every third installation has a credential_process, which must not keep running.
        if self.index % 3 == 2:
            key = self.folder / "etc" / "key.json"
            key.write_text(json.dumps({
                "Version": 1,
                "AccessKeyId": user["key_id"],
                "SecretAccessKey": user["secret"],
            }))  # fmt: skip
            credentials.write_text(f"[default]\ncredential_process = cat {key}\n")
        else:
            credentials.write_text(
                f"[default]\naws_access_key_id = {user['key_id']}\n"
                f"aws_secret_access_key = {user['secret']}\n"
            )
        self.initial_files = self.files()

    def files(self):
        """Returns path and content of all files except the lock and the pending file."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes() if path.is_file() else None
            for path in self.folder.rglob("*")
            if path not in (self.lock, self.pending)
        }

    def strays(self):
        """Returns the files that the program has added, changed or removed, except the lock."""
        now = self.files()
        return sorted(
            path
            for path in now.keys() | self.initial_files.keys()
            if now.get(path, ...) != self.initial_files.get(path, ...)
        )

    def environment(self, scenario):
        """Returns the whole environment of the program in this scenario."""
        limit = {"AWS_MAX_ATTEMPTS": str(scenario.attempts)} if scenario.attempts else {}
        return limit | {
            "HOME": str(self.folder / "user"),
            "PATH": "/usr/bin:/bin",
            "TMPDIR": str(self.folder / "tmp"),
            "AWS_ENDPOINT_URL": self.proxy.url,
        }

    # The state, read and set

    def records(self):
        """Returns the address of each name of the installation. Adds every other record set in the
        zone under a key that is not a name."""
        found = dict.fromkeys(self.names)
        for row in moto_aws.records(self.route53, self.resources["zone_id"]):
            name, values = row["name"].rstrip("."), row.get("values", [])
            plain = row.keys() == {"name", "type", "ttl", "values"} and row["type"] == "A"
            if plain and row["ttl"] == TTL and len(values) == 1 and name in found:
                found[name] = values[0]
            else:
                found[json.dumps(row)] = "an unexpected record set"
        return found

    def set_records(self, addresses):
        """Makes the records of a new installation, one address per name. "-" makes no record."""
        for name, address in zip(self.names, addresses, strict=True):
            if address != "-":
                record = moto_aws.record(name, "A", [address], TTL)
                moto_aws.upsert(self.route53, self.resources["zone_id"], record)

    def messages(self):
        """Returns the messages published since the last call."""
        return moto_aws.messages(self.sqs, self.resources["queue_url"])

    def lock_problem(self, began, ended):
        """Returns whether the lock exists, and the error in it or None. `began` and `ended` are the
        wall clock before and after the run that made it. 0 means an earlier run."""
        return self._problem(self.lock, began, ended)

    def pending_problem(self):
        """Does the same for the pending file, which may be from an earlier run."""
        return self._problem(self.pending, 0, 0)

    def _problem(self, path, began, ended):
        if not path.is_file():
            return False, f"{path.name} is not a file" if path.exists() else None
        try:
            content = json.loads(path.read_text())
            written = re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", content["since"])
            since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began - 1))
            until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ended + 1))
        except (ValueError, KeyError, TypeError) as error:
            return True, f"{path.name} cannot be read: {error!r}"
        if content["config"] != str(self.config) or not written:
            return True, f"{path.name} says {content}"
        if began and not since <= content["since"] <= until:
            return True, f"the lock says {content['since']}, but the run was {since} to {until}"
        return True, None

    def set_lock(self):
        self._write_lock(self.lock)

    def set_pending(self):
        self._write_lock(self.pending)

    def _write_lock(self, path):
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        path.write_text(json.dumps({"config": str(self.config), "since": since}) + "\n")

    # One run

    def begin(self, scenario):
        self.proxy.begin(scenario)
        self.reflectors.begin(scenario)

    def settle(self, seconds):
        """Waits until the servers have finished. Returns the number of open connections."""
        servers = [self.proxy.server, *self.reflectors.servers]
        return sum(server.settle(seconds) for server in servers)
