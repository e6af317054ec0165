"""Tests that GitHub accepts the issue forms and that they ask for the output of `autodns check`."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
KINDS = {"markdown", "textarea", "input", "dropdown", "checkboxes"}


def forms():
    return [path for path in FORMS if path.name != "config.yml"]


@pytest.mark.parametrize("path", forms(), ids=lambda path: path.stem)
def test_form_is_complete_and_asks_for_check(path):
    form = yaml.safe_load(path.read_text())
    assert form.keys() == {"name", "description", "body"}
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert {field["type"] for field in form["body"]} <= KINDS
    names = [field["id"] for field in fields]
    assert len(set(names)) == len(names)
    for field in fields:
        assert field["attributes"]["label"]
        if field["type"] == "dropdown":
            assert len(field["attributes"]["options"]) > 1
    (check,) = [field for field in fields if field["id"] == "check"]
    assert "autodns check" in check["attributes"]["label"]
    assert check["attributes"]["render"] == "text"


def test_bug_form_requires_check_with_the_documented_commands():
    form = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / "bug.yml").read_text())
    (check,) = [field for field in form["body"] if field.get("id") == "check"]
    assert check["validations"] == {"required": True}
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    commands = re.findall(r"`([^`]*autodns check [^`]*)`", check["attributes"]["description"])
    assert len(commands) == 2
    for command in commands:
        assert re.search(rf"^ *{re.escape(command)}$", page, re.M), command


def test_issues_without_a_form_are_disabled():
    config = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / "config.yml").read_text())
    assert config == {"blank_issues_enabled": False}
    assert len(forms()) == 2
