#!/usr/bin/env bash
# Does the quiet run of autodns with curl and jq, one request after the other. It is compared with
# autodns, so it must do exactly the same.
set -euo pipefail

config=$1
{
    read -r url
    read -r zone
    read -r name
} < <(jq -r '.reflect_url, .hosted_zone_id, .dns_name' "$config")

# get URL [OPTION…]
get() { curl --silent --show-error --fail --max-time 10 --cacert "$AWS_CA_BUNDLE" "$@"; }

address=$(get "$url" | jq -r .your_ip)
listed=$(get "$AWS_ENDPOINT_URL/2013-04-01/hostedzone/$zone/rrset?maxitems=1&name=$name&type=A" \
    --aws-sigv4 aws:amz:us-east-1:route53 \
    --config <(printf 'user = "%s:%s"\n' "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY"))

right="<Name>$name.</Name><Type>A</Type>.*<Value>$address</Value>"
if [[ ! $listed =~ $right ]]; then
    echo "quiet-run.sh: the address is $address, but the record has another" >&2
    exit 1
fi
