#!/usr/bin/env bash
# Asks vmacd for a virtual MAC over RabbitMQ with amqp-publish and amqp-consume, and waits for the answer.
#
#   apt install amqp-tools jq
#   export VMACD_AMQP_URL=amqp://user:password@mq/%2f
#   ./amqp.sh 1042 10.0.48.6 "order 7781"
#
# Prints the MAC. Exit code 0: bound. 1: refused, with the reason. 2: no answer.
#
# These tools set no message_id and wait for no confirm. So the body says when it was issued: server, address and time are
# then the idempotency key, and the message is published again, unchanged, until its answer is there. They also show the URL to
# every user of the machine; where that matters, use their --authfile.
set -euo pipefail
server_id=$1 ip_address=$2 reference=${3:-}
namespace=${VMACD_BROKER_NAMESPACE:-}   # the setting `broker.namespace`, where the service has one
timeout_s=${VMAC_TIMEOUT_S:-60}
again_s=10

issued_at=$(date -u +%Y-%m-%dT%H:%M:%S.%3NZ)
body=$(jq -cn --argjson server_id "$server_id" --arg ip_address "$ip_address" --arg issued_at "$issued_at" --arg reference "$reference" \
  '{$server_id, $ip_address, $issued_at, $reference, requested_by: "example"}')

# An exclusive queue goes with its consumer.
queue=vmacd-example-$(date +%s%N)-$$
events=$(mktemp)
amqp-consume -u "$VMACD_AMQP_URL" -q "$queue" -x -e "${namespace}vmac.events" -r 'vmac.*' -A -- sh -c 'cat; echo' >"$events" &
consumer=$!
trap 'kill "$consumer" 2>/dev/null || true; rm -f "$events"' EXIT
deadline=$((SECONDS + timeout_s))
in_time() { ((SECONDS < deadline)) && kill -0 "$consumer" 2>/dev/null; }

# Nothing is published before the queue is bound and consumed: a greeting that came through says so.
until grep -q hello "$events"; do
  in_time || { echo "the broker does not answer" >&2; exit 2; }
  amqp-publish -u "$VMACD_AMQP_URL" -r "$queue" -b hello
  sleep 0.2
done

# The first event since then about this address that answers a command without a message_id; whole lines only.
answer() {
  { grep -a '}$' "$events" || true; } | jq -c --arg ip "$ip_address" --argjson id "$server_id" \
    'select(.ip_address == $ip and .server_id == $id and .message_id == null)' | head -n 1
}

published=-$again_s
until event=$(answer) && [[ -n $event ]]; do
  in_time || { echo "no answer within $timeout_s s; the request is kept if the broker took it" >&2; exit 2; }
  if ((SECONDS - published >= again_s)); then
    amqp-publish -u "$VMACD_AMQP_URL" -e "${namespace}vmac.commands" -r vmac.create -p -C application/json -b "$body"
    published=$SECONDS
  fi
  sleep 0.2
done

if [[ $(jq -r .status <<<"$event") == active ]]; then
  jq -r .mac_address <<<"$event"
else
  jq -r '"\(.status): \(.reason.code): \(.reason.text)"' <<<"$event" >&2
  exit 1
fi
