#!/usr/bin/env python3
"""Asks vmacd for a virtual MAC over RabbitMQ, and waits for the answer.

Shows: a queue of one's own for the events, bound before anything is published; a persistent message with a message_id
(the idempotency key), published with the broker's confirm; the answer picked out by that id.

    pip install -r requirements.txt
    export VMACD_AMQP_URL=amqp://user:password@mq/%2f
    ./create.py 1042 10.0.48.6 "order 7781"

Prints the MAC. Exit code 0: bound. 1: refused, with the reason. 2: no answer, or the broker is at fault; running it again
with the same message_id (VMAC_MESSAGE_ID) is harmless.
"""

import json
import os
import sys
import time
import uuid

import pika
from pika.exceptions import AMQPError

# VMACD_BROKER_NAMESPACE: the setting `broker.namespace`, where the service has one.
NAMESPACE = os.environ.get("VMACD_BROKER_NAMESPACE", "")
TIMEOUT_S = float(os.environ.get("VMAC_TIMEOUT_S", "60"))


def main():
    server_id, ip_address, reference = int(sys.argv[1]), sys.argv[2], (sys.argv[3:] or [None])[0]
    body = {"server_id": server_id, "ip_address": ip_address, "requested_by": "example", "reference": reference}
    message_id = os.environ.get("VMAC_MESSAGE_ID", str(uuid.uuid4()))
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["VMACD_AMQP_URL"]))
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        answers = listen(channel)
        publish(channel, message_id, body)
        event = answer(connection, answers, message_id)
    finally:
        connection.close()
    return told(event)


def listen(channel):
    """Collects events from now on: from before the publishing, so that no answer is missed."""
    events = []
    queue = channel.queue_declare(queue="", exclusive=True).method.queue
    channel.queue_bind(queue=queue, exchange=NAMESPACE + "vmac.events", routing_key="vmac.*")
    channel.basic_consume(queue, lambda _channel, _method, _properties, body: events.append(json.loads(body)), auto_ack=True)
    return events


def publish(channel, message_id, body):
    """Returns once the broker has the message; raises where it has not."""
    properties = pika.BasicProperties(
        message_id=message_id,
        correlation_id=body["reference"],
        content_type="application/json",
        delivery_mode=pika.DeliveryMode.Persistent.value,
    )
    exchange = NAMESPACE + "vmac.commands"
    channel.basic_publish(exchange, "vmac.create", json.dumps(body).encode(), properties, mandatory=True)


def answer(connection, events, message_id):
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        connection.process_data_events(time_limit=1)
        while events:
            event = events.pop(0)
            if event["message_id"] == message_id:
                return event
    return None


def told(event):
    if event is None:
        print(f"no answer within {TIMEOUT_S:g} s; the request is kept, and will be answered", file=sys.stderr)
        return 2
    if event["status"] != "active":
        print(f"{event['status']}: {event['reason']['code']}: {event['reason']['text']}", file=sys.stderr)
        return 1
    print(event["mac_address"])
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except AMQPError as error:
        print(f"the broker did not take it: {error!r}", file=sys.stderr)
        sys.exit(2)
