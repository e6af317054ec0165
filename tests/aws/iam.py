"""Evaluates an IAM policy, limited to what autodns's policies use.

Matches actions, resources and the three condition keys of Route 53. Follows AWS's reference and not
the program. Must not guess: an unknown part of a policy is an error.
"""

import re
import urllib.parse
import xml.etree.ElementTree
from dataclasses import dataclass, field
from itertools import product

NAMES = "route53:ChangeResourceRecordSetsNormalizedRecordNames"
TYPES = "route53:ChangeResourceRecordSetsRecordTypes"
ACTIONS = "route53:ChangeResourceRecordSetsActions"

LIST = "route53:ListResourceRecordSets"
CHANGE = "route53:ChangeResourceRecordSets"
PUBLISH = "sns:Publish"

_XMLNS = "{https://route53.amazonaws.com/doc/2013-04-01/}"


@dataclass(frozen=True)
class Request:
    """A request as IAM sees it: the action, the resource and the values of condition keys."""

    action: str
    resource: str
    context: dict = field(default_factory=dict)


def zone(zone_id, partition="aws"):
    return f"arn:{partition}:route53:::hostedzone/{zone_id}"


def normalise(name):
    """A record's name in the form of the condition key."""
    name = name.removesuffix(".").lower().replace("\\052", "*")
    return "".join(c if re.match(r"[a-z0-9._-]", c) else f"\\{ord(c):03o}" for c in name)


def change(zone_arn, *changes):
    """The request of a batch of (action, name, type)."""
    actions, names, types = zip(*changes)
    return Request(CHANGE, zone_arn, {
        ACTIONS: sorted(set(actions)),
        NAMES: sorted({normalise(name) for name in names}),
        TYPES: sorted(set(types)),
    })


def read(method, target, body, partition="aws"):
    """A signed HTTP request to Route 53 or SNS as IAM sees it."""
    path = urllib.parse.urlsplit(target).path
    if match := re.fullmatch(r"/2013-04-01/hostedzone/([A-Z0-9]+)/rrset(/?)", path):
        zone_arn = zone(match[1], partition)
        if (method, match[2]) == ("GET", ""):
            return Request(LIST, zone_arn)
        if (method, match[2]) == ("POST", "/"):
            root = xml.etree.ElementTree.fromstring(body)
            changes = [
                tuple(
                    node.findtext(_XMLNS + step)
                    for step in (
                        "Action",
                        f"ResourceRecordSet/{_XMLNS}Name",
                        f"ResourceRecordSet/{_XMLNS}Type",
                    )
                )
                for node in root.iter(_XMLNS + "Change")
            ]
            return change(zone_arn, *changes)
    if (method, path) == ("POST", "/"):
        form = dict(urllib.parse.parse_qsl(body.decode(), strict_parsing=True))
        if form["Action"] == "Publish":
            return Request(PUBLISH, form["TopicArn"])
    raise ValueError(f"an unknown request: {method} {target}")


def _list(value):
    return value if isinstance(value, list) else [value]


def _statements(policy):
    if policy.keys() != {"Version", "Statement"} or policy["Version"] != "2012-10-17":
        raise ValueError(f"not a policy of 2012-10-17: {policy}")
    for statement in _list(policy["Statement"]):
        if statement.keys() - {"Condition", "Sid"} != {"Effect", "Action", "Resource"}:
            raise ValueError(f"unknown elements: {statement}")
        if statement["Effect"] != "Allow":
            raise ValueError(f"unknown effect: {statement}")
        conditions = [
            (operator, key, frozenset(_list(values)))
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        ]
        for operator, key, _ in conditions:
            if operator != "ForAllValues:StringEquals" or key not in (NAMES, TYPES, ACTIONS):
                raise ValueError(f"unknown condition: {operator} {key}")
        actions, resources = _list(statement["Action"]), _list(statement["Resource"])
        if any("*" in text or "?" in text for text in actions + resources):
            raise ValueError(f"a wildcard, which the smallest policy does not need: {statement}")
        yield actions, resources, conditions


def allows(policy, request):
    """Whether the policy allows the request."""
    return any(
        request.action in actions
        and request.resource in resources
        # ForAllValues is also true if the request has no value.
        and all(set(request.context.get(key, [])) <= values for _, key, values in conditions)
        for actions, resources, conditions in list(_statements(policy))
    )


def meaning(policy):
    """The policy as a set of single permissions. Equivalent policies give the same set."""
    return {
        (action, resource, frozenset(conditions))
        for actions, resources, conditions in _statements(policy)
        for action, resource in product(actions, resources)
    }
