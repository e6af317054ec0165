"""Tests the schema of the configuration with the good and bad examples of tests/config.

tests/documents/config.rs tests the parser with the same examples. Schema and parser must agree on
each, except those in beyond-the-schema.json. Must not contain a key or a value of a configuration.
"""

import json
import pathlib
import re

import pytest
from jsonschema import Draft7Validator, ValidationError, validators

ROOT = pathlib.Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "schema/autodns.schema.json").read_text("utf-8"))
BEYOND = json.loads((ROOT / "tests/config/beyond-the-schema.json").read_text("utf-8"))
EXAMPLES = sorted((ROOT / "tests/config").glob("*/*.json"))


def ecma(expression):
    """The same expression for Python, where $ also matches before a final newline."""
    part = r"\\.|\[(?:\\.|[^\]\\])*\]|\$"
    return re.sub(part, lambda found: r"\Z" if found[0] == "$" else found[0], expression)


def pattern(validator, expression, instance, _schema):
    if validator.is_type(instance, "string") and not re.search(ecma(expression), instance):
        yield ValidationError(f"{instance!r} does not match the pattern {expression}")


Validator = validators.extend(Draft7Validator, {"pattern": pattern})


def constant(name):
    raise ValueError(f"{name} is not JSON")


def accepts(path):
    """Whether an editor with the schema accepts the file."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        value = json.loads(text, parse_constant=constant)
    except ValueError:
        return False
    return Validator(SCHEMA).is_valid(value)


@pytest.mark.parametrize("expression, python", [
    ("^a$", r"^a\Z"), (r"^\$[$\]a]$", r"^\$[$\]a]\Z"), ("(?=a$|b$)", r"(?=a\Z|b\Z)"),
])
def test_expression_has_the_same_meaning_in_python(expression, python):
    assert ecma(expression) == python


def test_schema_is_valid():
    Draft7Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_example_is_valid_if_its_folder_says_so(path):
    name = f"{path.parent.name}/{path.name}"
    good = path.parent.name == "good"
    assert accepts(path) == (good or name in BEYOND)


def test_there_are_many_examples_and_few_beyond_the_schema():
    assert len(EXAMPLES) > 280
    assert len(BEYOND) < 16
    for name, reason in BEYOND.items():
        assert (ROOT / "tests/config" / name).is_file(), name
        assert reason


@pytest.mark.parametrize("key, property", SCHEMA["properties"].items())
def test_defaults_and_examples_of_the_schema_are_valid(key, property):
    suggested = property.get("examples", []) + [property[word] for word in property
                                                if word == "default"]
    assert suggested
    for value in suggested:
        Validator(SCHEMA).validate(SCHEMA["examples"][0] | {key: value})


def test_complete_examples_of_the_schema_are_valid():
    Validator(SCHEMA).validate(json.loads((ROOT / "packaging/autodns.json").read_text("utf-8")))
    for example in SCHEMA["examples"]:
        Validator(SCHEMA).validate(example)
