"""Runs cfn-lint on the template for every region of CloudFormation."""

import json
import subprocess
import sys
from pathlib import Path

from cfnlint.helpers import REGIONS

import template

# autodns does not support the isolated partitions.
SERVED = [region for region in REGIONS if "-iso" not in region]


def lint(*regions):
    """Returns the findings of cfn-lint, including hints, as (rule, message)."""
    run = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), "--format", "json", "--include-checks", "I",
         "--regions", *regions, "--template", template.PATH],
        capture_output=True, text=True, timeout=600)
    assert run.stderr == ""
    return [(found["Rule"]["Id"], found["Message"]) for found in json.loads(run.stdout)]


def test_template_has_only_findings_about_function_url_regions():
    rule, = template.load()["Rules"]["ReflectorNeedsFunctionUrls"]["Assertions"]
    without, _ = rule["Assert"]["Fn::Not"][0]["Fn::Contains"]
    assert len(SERVED) > 30 and "us-gov-west-1" in without
    assert lint(*SERVED) == [
        ("E3006", f"Resource type 'AWS::Lambda::Url' does not exist in {region!r}")
        for region in sorted(without)
    ]


def test_template_lines_have_at_most_100_columns():
    assert [line for line in template.PATH.read_text().splitlines() if len(line) > 100] == []
