"""Pastes the blocks of docs/aws.md and docs/fleet.md, and the command of NextStep, into bash and
zsh like a person.

Each shell runs interactively on a terminal, where for example history expansion is on. The `aws` on
PATH is a fake: its responses come from template.py, and it applies --query like the real one.
"""

import configparser
import json
import os
import pty
import re
import select
import shutil
import signal
import sys
import time

import pytest

import template

DOCS = template.PATH.parents[1] / "docs"
SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
}
KEY = {"UserAccessKey": "AKIAIOSFODNN7EXAMPLE", "UserAccessKey.SecretAccessKey": "ab/c+d=!e$f`g"}
TOPIC = "arn:aws:sns:eu-west-1:123456789012:autodns"
ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:UserAccessKeySecret-a1b2c3"

# A fake AWS CLI. Its responses are in answers.json, as {"service operation": [status, response]}.
FAKE = """#!{python}
import json, pathlib, sys
import jmespath

here = pathlib.Path({folder!r})
arguments = sys.argv[1:]
with open(here / "calls", "a") as calls:
    calls.write(json.dumps(arguments) + "\\n")
status, answer = json.loads((here / "answers.json").read_text())[" ".join(arguments[:2])]
if status:
    sys.exit("An error occurred (AccessDenied)" if status == 254 else status)
if "--query" in arguments:
    answer = jmespath.search(arguments[arguments.index("--query") + 1], answer)
    assert arguments[arguments.index("--output") + 1] == "text"
    rows = answer if isinstance(answer, list) else [answer]
    answer = "\\t".join("None" if row is None else str(row) for row in rows)
if answer is not None:
    print(answer)
"""


def block(name, page="aws.md"):
    """Returns a block of the page, by the name in the comment above the block."""
    pattern = rf"^( *)<!-- run by tests/aws/test_pasted.py: {name} -->\n *```sh\n(.*?)^ *```$"
    indent, text = re.search(pattern, (DOCS / page).read_text(), re.M | re.S).groups()
    return "".join(line.removeprefix(indent) for line in text.splitlines(keepends=True))


def stack(**given):
    return template.deploy(
        attributes=KEY | {"UserAccessKeySecret": ARN, "User": "autodns-User-1",
                          "AlertTopic": TOPIC}, **given)


def answers(**others):
    """Returns the responses of a successful AWS CLI, with `others` replacing some."""
    made = stack()
    (secret,) = made.properties("AWS::SecretsManager::Secret").values()
    usual = {
        "route53 list-hosted-zones-by-name": [0, {"HostedZones": [
            {"Id": "/hostedzone/Z0PRIVATE", "Name": "example.com.",
             "Config": {"PrivateZone": True}},
            {"Id": "/hostedzone/Z0EXAMPLE", "Name": "example.com.",
             "Config": {"PrivateZone": False}},
            {"Id": "/hostedzone/Z0OTHER", "Name": "example.net.",
             "Config": {"PrivateZone": False}},
        ]}],
        "sns create-topic": [0, {"TopicArn": TOPIC}],
        "sns subscribe": [0, None],
        "cloudformation deploy": [0, None],
        "cloudformation describe-stacks": [0, {"Stacks": [{"Outputs": [
            {"OutputKey": key, "OutputValue": value} for key, value in made.outputs.items()]}]}],
        "secretsmanager get-secret-value": [0, {"SecretString": secret["SecretString"]}],
        "secretsmanager delete-secret": [0, None],
        "iam create-access-key": [0, {"AccessKey": {
            "AccessKeyId": "AKIASECOND", "SecretAccessKey": KEY["UserAccessKey.SecretAccessKey"],
            "UserName": "autodns-User-1"}}],
    }
    for name, answer in others.items():
        usual[name] = answer
    return usual


class Terminal:
    """Folders for one test, with the fake `aws` first on PATH."""

    def __init__(self, folder, shell):
        self.folder, self.shell = folder, shell
        self.fake = folder / "fake"
        self.home = folder / "home"
        self.work = folder / "work"
        for path in (self.fake, self.home, self.work):
            path.mkdir()
        aws = self.fake / "aws"
        aws.write_text(FAKE.format(python=sys.executable, folder=str(self.fake)))
        aws.chmod(0o755)

    def paste(self, text, given):
        """Pastes the text, waits for its end, and returns what the terminal showed."""
        (self.fake / "answers.json").write_text(json.dumps(given))
        environment = {"PATH": f"{self.fake}:/usr/bin:/bin", "HOME": str(self.home),
                       "TERM": "dumb", "PS1": "$ ", "HISTFILE": str(self.home / "history")}
        child, terminal = pty.fork()
        if not child:
            os.chdir(self.work)
            os.execvpe(SHELLS[self.shell][0], SHELLS[self.shell], environment)
        try:
            return self._converse(terminal, text)
        finally:
            os.close(terminal)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)

    def _converse(self, terminal, text):
        # The first command is an earlier one, so that `!` finds a history. The last command prints
        # the mark of the end. It is typed with quotes, so that its echo does not contain the mark.
        os.write(terminal, ("echo earlier\n" + text + "\necho the''end\n").encode())
        shown, deadline = b"", time.monotonic() + 60
        while b"\nthe" + b"end" not in shown.replace(b"\r", b""):
            assert time.monotonic() < deadline, shown.decode(errors="replace")
            if select.select([terminal], [], [], 1)[0]:
                shown += os.read(terminal, 65536)
        return shown.decode(errors="replace")

    def calls(self):
        path = self.fake / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def called(self):
        return [" ".join(call[:2]) for call in self.calls()]


@pytest.fixture(params=SHELLS)
def terminal(request, tmp_path):
    assert shutil.which(request.param), f"{request.param} is missing; apt-get install it"
    return Terminal(tmp_path, request.param)


def assert_credentials(path, key_id):
    assert path.stat().st_mode & 0o777 == 0o600
    file = configparser.RawConfigParser()
    file.read_string(path.read_text())
    assert {name: dict(file[name]) for name in file.sections()} == {"default": {
        "aws_access_key_id": key_id,
        "aws_secret_access_key": KEY["UserAccessKey.SecretAccessKey"]}}


# The stack

def test_stack_block_deploys_and_saves_the_configuration(terminal):
    terminal.paste(block("stack"), answers())
    assert terminal.called() == ["route53 list-hosted-zones-by-name", "cloudformation deploy",
                                 "cloudformation describe-stacks"]
    deploy = terminal.calls()[1]
    given = dict(word.split("=", 1) for word in deploy[deploy.index("--parameter-overrides") + 1:])
    assert given == {"HostedZoneId": "Z0EXAMPLE", "DnsName": "home.example.com",
                     "Email": "you@example.com"}
    assert template.PATH.samefile(
        template.PATH.parents[1] / deploy[deploy.index("--template-file") + 1])
    stack(**given)  # the template accepts these parameters
    assert json.loads((terminal.work / "autodns.json").read_text()) == json.loads(
        stack().outputs["ConfigJson"])


@pytest.mark.parametrize("failing", ["route53 list-hosted-zones-by-name", "cloudformation deploy"])
def test_stack_block_stops_at_first_failure(terminal, failing):
    shown = terminal.paste(block("stack"), answers(**{failing: [254, None]}))
    assert terminal.called()[-1] == failing and "AccessDenied" in shown
    assert not (terminal.work / "autodns.json").exists()


# The key

def commands():
    return {"the page": block("key"), "NextStep": stack().outputs["NextStep"].split("paste: ")[1]}


@pytest.mark.parametrize("source", commands())
def test_key_is_saved_before_secret_is_deleted(terminal, source):
    terminal.paste(commands()[source], answers())
    assert_credentials(terminal.work / "credentials", "AKIAIOSFODNN7EXAMPLE")
    assert terminal.called()[-2:] == [
        "secretsmanager get-secret-value", "secretsmanager delete-secret"]
    for call in terminal.calls()[-2:]:
        assert call[call.index("--secret-id") + 1] == ARN


READ, DELETE = "secretsmanager get-secret-value", "secretsmanager delete-secret"


FAILURES = {"denied": {READ: [254, None]}, "empty": {READ: [0, {"SecretString": ""}]},
            "no text": {READ: [0, {}]}, "nothing": {READ: [0, None]}}


@pytest.mark.parametrize("source, failure", [
    *((source, failure) for source in commands() for failure in FAILURES.values()),
    # NextStep contains the ARN, so it does not describe the stack.
    ("the page", {"cloudformation describe-stacks": [254, None]}),
])
def test_failed_read_keeps_the_secret(terminal, source, failure):
    terminal.paste(commands()[source], answers(**failure))
    assert DELETE not in terminal.called()


@pytest.mark.parametrize("source", commands())
def test_unwritable_file_keeps_the_secret(terminal, source):
    (terminal.work / "credentials").mkdir()
    terminal.paste(commands()[source], answers())
    assert DELETE not in terminal.called()


def test_stack_without_secret_deletes_nothing(terminal):
    outputs = [{"OutputKey": "UserName", "OutputValue": "u"}]
    shown = terminal.paste(block("key"), answers(**{
        "cloudformation describe-stacks": [0, {"Stacks": [{"Outputs": outputs}]}],
        READ: [254, None]}))
    assert DELETE not in terminal.called() and "AccessDenied" in shown


def test_second_key_is_saved_in_a_new_folder(terminal):
    (terminal.work / "credentials").write_text("the first")
    terminal.paste(block("second-key"), answers())
    assert_credentials(terminal.work / "new" / "credentials", "AKIASECOND")
    assert (terminal.work / "credentials").read_text() == "the first"
    call = terminal.calls()[-1]
    assert call[call.index("--user-name") + 1] == "autodns-User-1"


# A fleet

def test_fleet_gets_one_topic_and_a_stack_and_key_per_pi(terminal):
    text = "\n".join(block(name, "fleet.md") for name in ("topic", "stacks", "keys"))
    terminal.paste(text, answers())
    assert terminal.called() == [
        "sns create-topic", "sns subscribe", *["cloudformation deploy"] * 3,
        *["cloudformation describe-stacks", READ, DELETE] * 3]
    subscribe, *deploys = terminal.calls()[1:5]
    assert subscribe[subscribe.index("--topic-arn") + 1] == TOPIC
    for number, deploy in enumerate(deploys, 1):
        given = deploy[deploy.index("--parameter-overrides") + 1:]
        given = dict(word.split("=", 1) for word in given)
        assert given["DnsName"] == f"pi00{number}.example.com" and given["TopicArn"] == TOPIC
        stack(**given)  # the template accepts these parameters
        assert_credentials(terminal.work / "keys" / f"pi00{number}.credentials",
                           "AKIAIOSFODNN7EXAMPLE")


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_failed_read_in_fleet_deletes_nothing_and_can_be_repeated(terminal, failure):
    terminal.paste(block("keys", "fleet.md"), answers(**failure))
    assert DELETE not in terminal.called()
    terminal.paste(block("keys", "fleet.md"), answers())
    assert terminal.called().count(DELETE) == 3
    terminal.paste(block("keys", "fleet.md"), answers())
    assert terminal.called().count(DELETE) == 3


@pytest.mark.parametrize("page", ["aws.md", "fleet.md"])
def test_blocks_have_no_history_expansion_or_comments(page):
    names = re.findall(r"run by tests/aws/test_pasted.py: ([a-z-]+) ", (DOCS / page).read_text())
    assert len(names) == 3
    for name in names:
        text = block(name, page)
        assert "!" not in text and not re.search(r"^\s*#", text, re.M)


@pytest.mark.parametrize("shell", SHELLS)
def test_terminal_expands_history(tmp_path, shell):
    """Without this, the other tests could not find a history expansion in a block."""
    terminal = Terminal(tmp_path, shell)
    shown = terminal.paste('aws one "!nothing"', answers(**{"one !nothing": [0, None]}))
    assert "event not found" in shown and terminal.called() == []
