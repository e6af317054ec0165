"""Evaluates cloudformation/autodns.yaml like CloudFormation.

Supports only the intrinsic functions that the template uses; add new ones here. Must not use the
network. A value that AWS assigns is written <LogicalId.Attr>.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

PATH = Path(__file__).parents[2] / "cloudformation" / "autodns.yaml"


class _Loader(yaml.SafeLoader):
    """Reads YAML and replaces CloudFormation's short tags by their long forms."""


def _tag(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt":
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _tag)


def load():
    """Returns a new copy of the template with every short tag in its long form."""
    return yaml.load(PATH.read_text(), _Loader)


class Refused(Exception):
    """CloudFormation rejects these parameters. The text is the message to the user."""


@dataclass
class Stack:
    """The resources and outputs of a stack."""

    resources: dict
    outputs: dict

    def properties(self, type_):
        """Returns the properties of each resource of this type, by logical id."""
        return {
            name: resource.get("Properties", {})
            for name, resource in self.resources.items()
            if resource["Type"] == type_
        }


_NOTHING = object()  # AWS::NoValue


class _Resolver:
    def __init__(self, template, parameters, region, partition, attributes):
        self.template = template
        self.attributes = attributes
        self.values = {
            "AWS::Region": region, "AWS::Partition": partition, "AWS::NoValue": _NOTHING,
        } | parameters

    def condition(self, name):
        return self.value(self.template["Conditions"][name])

    def attribute(self, name):
        """Returns a value that AWS assigns: Ref of a resource, or one of its attributes."""
        logical_id = name.split(".")[0]
        resource = self.template["Resources"][logical_id]
        if "Condition" in resource and not self.condition(resource["Condition"]):
            raise KeyError(f"{name} is used, but the stack does not make its resource")
        return self.attributes.get(name, f"<{name}>")

    def name(self, name):
        return self.values[name] if name in self.values else self.attribute(name)

    def value(self, node):
        if isinstance(node, list):
            return [v for v in map(self.value, node) if v is not _NOTHING]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (function, argument), = node.items()
            if function == "Ref":
                return self.name(argument)
            if function == "Condition" and isinstance(argument, str):
                return self.condition(argument)
            if function.startswith("Fn::"):
                return getattr(self, "fn_" + function[4:].lower())(argument)
        resolved = {key: self.value(value) for key, value in node.items()}
        return {key: value for key, value in resolved.items() if value is not _NOTHING}

    def fn_getatt(self, argument):
        return self.attribute(".".join(argument))

    def fn_sub(self, argument):
        text, given = argument if isinstance(argument, list) else (argument, {})
        given = {key: self.value(value) for key, value in given.items()}
        return re.sub(
            r"\$\{([^}]+)\}",
            lambda m: given[m[1]] if m[1] in given else self.name(m[1]),
            text,
        )

    def fn_join(self, argument):
        separator, parts = argument
        return separator.join(self.value(parts))

    def fn_split(self, argument):
        separator, text = argument
        return self.value(text).split(separator)

    def fn_select(self, argument):
        index, parts = argument
        return self.value(parts)[index]

    def fn_if(self, argument):
        condition, yes, no = argument
        return self.value(yes if self.condition(condition) else no)

    def fn_equals(self, argument):
        left, right = self.value(argument)
        return left == right

    def fn_not(self, argument):
        return not self.value(argument[0])

    def fn_and(self, argument):
        return all(map(self.value, argument))

    def fn_contains(self, argument):
        strings, string = self.value(argument)
        return string in strings


def _parameters(declared, given):
    unknown = given.keys() - declared.keys()
    if unknown:
        raise Refused(f"no such parameter: {sorted(unknown)}")
    values = {}
    for name, rules in declared.items():
        value = given.get(name, rules.get("Default"))
        if value is None:
            raise Refused(f"{name} must be given")
        wrong = (
            ("AllowedValues" in rules and value not in rules["AllowedValues"])
            or ("AllowedPattern" in rules and not re.fullmatch(rules["AllowedPattern"], value))
            or len(value) > rules.get("MaxLength", len(value))
        )
        if wrong:
            raise Refused(f"{name} {rules.get('ConstraintDescription', 'is invalid')}")
        values[name] = value
    return values


def deploy(region="eu-west-1", partition="aws", attributes=None, template=None, **given):
    """Returns the stack that these parameters make. Raises Refused where CloudFormation fails.

    `attributes` are the values that AWS assigns, by "LogicalId" (Ref) or "LogicalId.Attr"."""
    template = template or load()
    given = {"HostedZoneId": "Z0EXAMPLE", "DnsName": "home.example.com"} | given
    parameters = _parameters(template["Parameters"], given)
    resolver = _Resolver(template, parameters, region, partition, attributes or {})
    for rule in template["Rules"].values():
        if resolver.value(rule["RuleCondition"]):
            for assertion in rule["Assertions"]:
                if not resolver.value(assertion["Assert"]):
                    raise Refused(assertion["AssertDescription"])

    def made(part):
        return "Condition" not in part or resolver.condition(part["Condition"])

    return Stack(
        {
            name: resource | {"Properties": resolver.value(resource.get("Properties", {}))}
            for name, resource in template["Resources"].items() if made(resource)
        },
        {
            name: resolver.value(output["Value"])
            for name, output in template["Outputs"].items() if made(output)
        },
    )
