"""Does the quiet run of autodns with requests and then boto3, like autodns.py.

It is compared with autodns, so it must do exactly the same.
"""

import json
import os
import sys

import boto3
import requests


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        config = json.load(file)
    answer = requests.get(
        config["reflect_url"], verify=os.environ["AWS_CA_BUNDLE"], timeout=10
    )
    answer.raise_for_status()
    address = answer.json()["your_ip"]

    name = config["dns_name"]
    sets = boto3.client("route53", region_name="us-east-1").list_resource_record_sets(
        HostedZoneId=config["hosted_zone_id"],
        StartRecordName=name,
        StartRecordType="A",
        MaxItems="1",
    )["ResourceRecordSets"]
    found = [
        record["Value"]
        for set_ in sets
        if set_["Name"].rstrip(".") == name and set_["Type"] == "A"
        for record in set_["ResourceRecords"]
    ]
    if found != [address]:
        sys.exit(f"quiet_run.py: the address is {address}, the record has {found}")


main()
