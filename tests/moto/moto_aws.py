"""Starts the emulated AWS for the tests (moto), creates resources in it, and reads them.

    moto_aws.py serve [--port N] [--log FILE]
    moto_aws.py ENDPOINT create [--name NAME] [--zone ZONE] [--address ADDRESS | --no-record] ...
    moto_aws.py ENDPOINT records ZONE_ID
    moto_aws.py ENDPOINT messages QUEUE_URL
    moto_aws.py ENDPOINT upsert ZONE_ID NAME TYPE VALUE... [--ttl SECONDS]
    moto_aws.py ENDPOINT upsert-json ZONE_ID RECORD_SET
    moto_aws.py ENDPOINT delete ZONE_ID NAME [TYPE]

Run it with the Python of the environment that setup.sh makes. Prints results as JSON on stdout. A
failure is one line on stderr and exit code 1.

After the server has printed its address, it always checks signatures and policies. This tool works
as a separate user with all permissions, so it never turns the checks off. So tests can share a
server and run in parallel, each with its own resources. This file must not know anything about
autodns except the policy of its user, and must not connect beyond loopback.
"""

import argparse
import hashlib
import json
import logging
import os
import secrets
import signal
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

# An interrupt ends the tool without a message. This is set before the imports below, because they
# take most of the time.
signal.signal(signal.SIGINT, signal.SIG_DFL)

# Before the import of boto3: it must not use a profile, key, proxy, endpoint or certificate of the
# user, and must not look for credentials on the network.
for variable in list(os.environ):
    if variable.startswith("AWS_") or variable.lower().endswith("_proxy"):
        del os.environ[variable]
os.environ.update(
    AWS_CONFIG_FILE=os.devnull,
    AWS_SHARED_CREDENTIALS_FILE=os.devnull,
    AWS_EC2_METADATA_DISABLED="true",
    BOTO_CONFIG=os.devnull,
)

import boto3  # noqa: E402
import botocore.exceptions  # noqa: E402

ADMIN = "test-admin"

# The actions that each user may do. moto does not check Resource and Condition, so the policies
# have the actions of the real policy on all resources.
USERS = {
    "good": ["route53:ListResourceRecordSets", "route53:ChangeResourceRecordSets", "sns:Publish"],
    "no_change": ["route53:ListResourceRecordSets", "sns:Publish"],
    "no_publish": ["route53:ListResourceRecordSets", "route53:ChangeResourceRecordSets"],
    "no_list": ["route53:ChangeResourceRecordSets", "sns:Publish"],
}


class Failure(Exception):
    """The tool prints this error and exits with 1."""


# Clients of the server


def moto_api(endpoint, path, body=None):
    """Calls moto's control interface, which is not part of AWS and needs no signature."""
    request = urllib.request.Request(
        f"{endpoint}/moto-api/{path}", data=body, headers={"Content-Type": "text/plain"}
    )
    for left in reversed(range(5)):
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            # moto iterates over its models without a lock. It fails if another test then adds one.
            if error.code != 500 or not left:
                raise Failure(f"{endpoint} is not a moto server: {error}") from error
            time.sleep(0.1)
        except OSError as error:
            reason = getattr(error, "reason", error)
            raise Failure(f"{endpoint} does not answer: {reason}") from error


def admin_keys(endpoint):
    """Returns the keys of this tool's user from moto's data, or None if there is no such user."""
    held = moto_api(endpoint, "data.json").get("iam", {}).get("AccessKey", [])
    for key in held:
        if key["user_name"] == ADMIN:
            return key["access_key_id"], key["secret_access_key"]
    return None


def client(endpoint, service, keys, region="us-east-1"):
    made = boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=keys[0],
        aws_secret_access_key=keys[1],
    )
    made.meta.events.register("before-sign", sign_empty_body)
    return made


def sign_empty_body(request, **_):
    """Adds a header without which moto rejects a correctly signed GET.

    To check a signature, moto signs the request again. If there is no body, it signs the query
    instead of the body, except if this header has the hash of the body.
    """
    if request.method == "GET":
        request.headers["X-Amz-Content-SHA256"] = hashlib.sha256(b"").hexdigest()


def enforce(endpoint):
    """Makes the admin if there is none yet, and turns the checks on."""
    keys = admin_keys(endpoint)
    if keys is None:
        iam = client(endpoint, "iam", ("unchecked", "unchecked"))
        try:
            iam.create_user(UserName=ADMIN)
        except iam.exceptions.ClientError as error:
            raise Failure(
                f"{endpoint} checks signatures but has no user of this tool to sign with"
                f" ({error}); start it with `moto_aws.py serve`"
            ) from error
        keys = make_user(iam, ADMIN, ["*"])
    moto_api(endpoint, "reset-auth", b"0")
    return keys


def make_user(iam, name, actions):
    """Gives the user a policy and a pair of keys."""
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    iam.put_user_policy(UserName=name, PolicyName="may", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


# The server


def serve(port, log):
    """Runs moto until stdin ends, so that it ends with the process that started it."""
    # Imported only here, because that takes long and the other commands do not need it.
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    admin_id = None

    class Handler(MotoRequestHandler):
        def log_request(self, code="-", size="-"):
            """Logs the requests of users, but not those of this tool."""
            credential = self.headers.get("Authorization", "").partition("Credential=")[2]
            key_id = credential.partition("/")[0] or "-"
            mine = self.path.startswith("/moto-api/") or admin_id in (None, key_id)
            if log is not None and not mine:
                log.write(f"{self.command} {self.path} {int(code)} {key_id}\n")

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    application = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", port, application, threaded=True, request_handler=Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"

    # The address is printed only after the server has responded and its checks are on.
    admin_id = enforce(endpoint)[0]
    print(endpoint, flush=True)
    # moto sometimes prints, but nobody reads stdout any more.
    os.dup2(2, 1)
    sys.stdin.buffer.read()
    # Does not wait for the threads of the server: their work is not needed.
    os._exit(0)


# The commands


def create(endpoint, wanted):
    keys = enforce(endpoint)
    suffix = secrets.token_hex(4)

    route53 = client(endpoint, "route53", keys)
    zone = wanted.zone or parent(wanted.name)
    made = route53.create_hosted_zone(Name=zone, CallerReference=suffix)
    zone_id = made["HostedZone"]["Id"].rpartition("/")[2]
    if not wanted.no_record:
        upsert(route53, zone_id, record(wanted.name, "A", [wanted.address], wanted.ttl))
    if wanted.aaaa:
        upsert(route53, zone_id, record(wanted.name, "AAAA", [wanted.aaaa], wanted.ttl))

    sns = client(endpoint, "sns", keys, wanted.region)
    # The queue is always in the same region, so that `messages` needs only its URL.
    sqs = client(endpoint, "sqs", keys)
    topic_arn = sns.create_topic(Name=f"dyndns-status-{suffix}")["TopicArn"]
    queue_url = sqs.create_queue(QueueName=f"subscriber-{suffix}")["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    queue_arn = queue["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn)

    iam = client(endpoint, "iam", keys)
    users = {}
    for name, actions in USERS.items():
        iam.create_user(UserName=f"{name}-{suffix}")
        key_id, secret = make_user(iam, f"{name}-{suffix}", actions)
        users[name] = {"key_id": key_id, "secret": secret}

    return {
        "zone_id": zone_id,
        "name": wanted.name,
        "topic_arn": topic_arn,
        "queue_url": queue_url,
        "users": users,
    }


def parent(name):
    """Returns the zone of a name: the part after its first label, or the name if that is a TLD."""
    above = name.rstrip(".").partition(".")[2]
    return above if "." in above else name


def record(name, kind, values, ttl):
    return {
        "Name": name,
        "Type": kind,
        "TTL": ttl,
        "ResourceRecords": [{"Value": value} for value in values],
    }


def upsert(route53, zone_id, record_set):
    change(route53, zone_id, [{"Action": "UPSERT", "ResourceRecordSet": record_set}])


def change(route53, zone_id, changes):
    route53.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": changes})


def rows(route53, zone_id):
    pages = route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone_id)
    return [row for page in pages for row in page["ResourceRecordSets"]]


def delete(route53, zone_id, name, kind):
    doomed = [
        row
        for row in rows(route53, zone_id)
        if row["Name"].rstrip(".") == name.rstrip(".") and kind in (None, row["Type"])
    ]
    if not doomed:
        raise Failure(f"zone {zone_id} has no record {name} {kind or 'of any type'} to delete")
    deletions = [{"Action": "DELETE", "ResourceRecordSet": row} for row in doomed]
    change(route53, zone_id, deletions)


def records(route53, zone_id):
    """Returns the record sets without SOA and NS. Unusual members keep the names of AWS."""
    shown = []
    for row in rows(route53, zone_id):
        kind = row.pop("Type")
        if kind in ("SOA", "NS"):
            continue
        plain = {"name": row.pop("Name"), "type": kind}
        if "TTL" in row:
            plain["ttl"] = row.pop("TTL")
        if "ResourceRecords" in row:
            plain["values"] = [value["Value"] for value in row.pop("ResourceRecords")]
        shown.append(plain | row)
    shown.sort(key=lambda row: (row["name"], row["type"], row.get("SetIdentifier", "")))
    return shown


def messages(sqs, queue_url):
    """Returns and removes the messages that the topic's subscriber got, oldest first."""
    received = []
    while True:
        batch = sqs.receive_message(
            QueueUrl=queue_url, MaxNumberOfMessages=10, AttributeNames=["SentTimestamp"]
        ).get("Messages", [])
        if not batch:
            break
        for message in batch:
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        received += batch
    received.sort(key=lambda message: int(message["Attributes"]["SentTimestamp"]))
    bodies = [json.loads(message["Body"]) for message in received]
    return [{"subject": body.get("Subject"), "message": body["Message"]} for body in bodies]


# The command line


def parse(arguments):
    summary, usage = __doc__.split("\n\n")[:2]
    parser = argparse.ArgumentParser(usage=usage.strip(), description=summary)
    if arguments[:1] == ["serve"]:
        parser.add_argument("command")
        parser.add_argument("--port", type=int, default=0)
        parser.add_argument("--log", type=argparse.FileType("a", bufsize=1))
        return parser.parse_args(arguments)

    parser.add_argument("endpoint", type=endpoint_on_loopback)
    commands = parser.add_subparsers(dest="command", required=True, prog="moto_aws.py ENDPOINT")

    command = commands.add_parser("create")
    command.add_argument("--name", default="home.example.com")
    command.add_argument("--zone")
    command.add_argument("--address", default="192.0.2.1")
    command.add_argument("--no-record", action="store_true")
    command.add_argument("--aaaa")
    command.add_argument("--ttl", type=int, default=300)
    command.add_argument("--region", default="eu-west-1")

    command = commands.add_parser("records")
    command.add_argument("zone_id")

    command = commands.add_parser("messages")
    command.add_argument("queue_url")

    command = commands.add_parser("upsert")
    command.add_argument("zone_id")
    command.add_argument("name")
    command.add_argument("type")
    command.add_argument("values", nargs="+")
    command.add_argument("--ttl", type=int, default=300)

    command = commands.add_parser("upsert-json")
    command.add_argument("zone_id")
    command.add_argument("record_set", type=json_object)

    command = commands.add_parser("delete")
    command.add_argument("zone_id")
    command.add_argument("name")
    command.add_argument("type", nargs="?")
    return parser.parse_args(arguments)


def endpoint_on_loopback(text):
    url = urllib.parse.urlsplit(text)
    if url.scheme != "http" or url.hostname not in ("127.0.0.1", "localhost"):
        raise argparse.ArgumentTypeError(f"{text!r} is not http://127.0.0.1:PORT")
    return text.rstrip("/")


def json_object(text):
    try:
        read = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from error
    if not isinstance(read, dict):
        raise argparse.ArgumentTypeError("not a JSON object")
    return read


def answer(wanted):
    """Runs one command. Returns what to print, or None."""
    endpoint = wanted.endpoint
    if wanted.command == "create":
        return create(endpoint, wanted)

    keys = admin_keys(endpoint)
    if keys is None:
        raise Failure(
            f"{endpoint} has no resources yet; make them with `moto_aws.py {endpoint} create`"
        )
    if wanted.command == "messages":
        return messages(client(endpoint, "sqs", keys), wanted.queue_url)

    route53 = client(endpoint, "route53", keys)
    if wanted.command == "records":
        return records(route53, wanted.zone_id)
    if wanted.command == "upsert":
        upsert(route53, wanted.zone_id, record(wanted.name, wanted.type, wanted.values, wanted.ttl))
    elif wanted.command == "upsert-json":
        upsert(route53, wanted.zone_id, wanted.record_set)
    elif wanted.command == "delete":
        delete(route53, wanted.zone_id, wanted.name, wanted.type)
    return None


def main():
    wanted = parse(sys.argv[1:])
    try:
        if wanted.command == "serve":
            serve(wanted.port, wanted.log)
        shown = answer(wanted)
    except (
        Failure,
        OSError,
        botocore.exceptions.BotoCoreError,
        botocore.exceptions.ClientError,
    ) as error:
        sys.exit(f"moto_aws.py: {error}")
    if shown is not None:
        print(json.dumps(shown, ensure_ascii=False))


if __name__ == "__main__":
    main()
