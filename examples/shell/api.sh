#!/usr/bin/env bash
# Asks vmacd for a virtual MAC over its HTTP API with curl, and waits for the outcome.
#
#   apt install curl jq
#   export VMAC_URL=http://127.0.0.1:8080  VMACD_API_TOKEN=...   (no token where the service asks for none)
#   ./api.sh 1042 10.0.48.6 "order 7781"
#
# Shows: the idempotency key, the 202 with its Location, the problem details of a refusal (RFC 9457), and polling.
# Prints the MAC. Exit code 0: bound. 1: refused, with the reason. 2: no answer. Running it again with the same
# VMAC_MESSAGE_ID is harmless.
set -euo pipefail
server_id=$1 ip_address=$2 reference=${3:-}
url=${VMAC_URL:-http://127.0.0.1:8080}
timeout_s=${VMAC_TIMEOUT_S:-60}
message_id=${VMAC_MESSAGE_ID:-example-$(date +%s%N)-$$}

answer=$(mktemp)
trap 'rm -f "$answer"' EXIT
# The token is read from a file descriptor: on the command line every user of the machine would see it.
api() {
  curl -sS --max-time 20 -K <(if [[ -n ${VMACD_API_TOKEN:-} ]]; then echo "header = \"Authorization: Bearer $VMACD_API_TOKEN\""; fi) "$@"
}
no_answer() { echo "no answer: $1" >&2; exit 2; }

body=$(jq -cn --argjson server_id "$server_id" --arg ip_address "$ip_address" --arg reference "$reference" \
  '{$server_id, $ip_address, $reference, requested_by: "example"}')
read -r status location < <(
  api -o "$answer" -w '%{http_code} %header{location}\n' -H "Idempotency-Key: $message_id" -d "$body" "$url/api/v1/vmacs"
)
if [[ $status == 000 ]]; then no_answer "$url"; fi
if [[ $status != 202 ]]; then
  jq -r '"\(.code): \(.detail)"' "$answer" >&2
  if ((status < 500)); then exit 1; else exit 2; fi
fi

# The command is not found until a worker has taken it in, and open until it has ended.
deadline=$((SECONDS + timeout_s))
outcome=open
while [[ $outcome == open ]]; do
  ((SECONDS < deadline)) || no_answer "open after $timeout_s s; the request is kept, and will be done"
  sleep 0.2
  status=$(api -o "$answer" -w '%{http_code}' "$url$location") || no_answer "$url"
  if ((status == 200)); then outcome=$(jq -r .status "$answer"); fi
done

if [[ $outcome != active ]]; then
  jq -r '"\(.status): \(.reason.code): \(.reason.text)"' "$answer" >&2
  exit 1
fi
api "$url/api/v1/vmacs/$ip_address" | jq -r .mac_address
