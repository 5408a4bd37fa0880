#!/usr/bin/env php
<?php
/*
 * Asks vmacd for a virtual MAC over RabbitMQ, and waits for the answer.
 *
 * Shows: a queue of one's own for the events, bound before anything is published; a persistent message with a message_id
 * (the idempotency key), published with the broker's confirm; the answer picked out by that id.
 *
 *     composer install                (or Debian's package php-amqplib)
 *     export VMACD_AMQP_URL=amqp://user:password@mq/%2f
 *     php create.php 1042 10.0.48.6 "order 7781"
 *
 * Prints the MAC. Exit code 0: bound. 1: refused, with the reason. 2: no answer, or the broker is at fault; running it
 * again with the same message_id (VMAC_MESSAGE_ID) is harmless.
 */
declare(strict_types=1);

use PhpAmqpLib\Channel\AMQPChannel;
use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Exception\AMQPExceptionInterface;
use PhpAmqpLib\Exception\AMQPTimeoutException;
use PhpAmqpLib\Message\AMQPMessage;

$installed = __DIR__ . '/vendor/autoload.php';
require is_file($installed) ? $installed : 'PhpAmqpLib/autoload.php';

// The setting `broker.namespace`, where the service has one.
define('NAMESPACE_PREFIX', getenv('VMACD_BROKER_NAMESPACE') ?: '');
define('TIMEOUT_S', (float) (getenv('VMAC_TIMEOUT_S') ?: 60));

function connect(string $url): AMQPStreamConnection
{
    $part = parse_url($url);
    if (($part['scheme'] ?? '') !== 'amqp') {
        throw new RuntimeException('VMACD_AMQP_URL: this example takes amqp:// alone; for amqps:// see AMQPSSLConnection');
    }
    $vhost = urldecode(substr($part['path'] ?? '', 1));
    $login = array_map('urldecode', [$part['user'] ?? 'guest', $part['pass'] ?? 'guest']);
    return new AMQPStreamConnection($part['host'], $part['port'] ?? 5672, $login[0], $login[1], $vhost === '' ? '/' : $vhost);
}

/** Collects events from now on: from before the publishing, so that no answer is missed. */
function listen(AMQPChannel $channel, ArrayObject $events): void
{
    [$queue] = $channel->queue_declare('', false, false, true);
    $channel->queue_bind($queue, NAMESPACE_PREFIX . 'vmac.events', 'vmac.*');
    $take = fn (AMQPMessage $message) => $events->append(json_decode($message->getBody(), true, 512, JSON_THROW_ON_ERROR));
    $channel->basic_consume($queue, '', false, true, true, false, $take);
}

/** Returns once the broker has the message; throws where it has not. */
function publish(AMQPChannel $channel, string $messageId, array $body): void
{
    $channel->confirm_select();
    $channel->set_nack_handler(fn () => throw new RuntimeException('the broker refused the message'));
    $channel->set_return_listener(fn ($code, $text) => throw new RuntimeException("the message reached no queue: $text"));
    $properties = [
        'message_id' => $messageId,
        'content_type' => 'application/json',
        'delivery_mode' => AMQPMessage::DELIVERY_MODE_PERSISTENT,
    ];
    if ($body['reference'] !== null) {
        $properties['correlation_id'] = $body['reference'];
    }
    $message = new AMQPMessage(json_encode($body, JSON_THROW_ON_ERROR), $properties);
    $channel->basic_publish($message, NAMESPACE_PREFIX . 'vmac.commands', 'vmac.create', true);
    $channel->wait_for_pending_acks_returns(10);
}

function answer(AMQPChannel $channel, ArrayObject $events, string $messageId): ?array
{
    $deadline = microtime(true) + TIMEOUT_S;
    while (microtime(true) < $deadline) {
        foreach ($events as $event) {
            if ($event['message_id'] === $messageId) {
                return $event;
            }
        }
        $events->exchangeArray([]);
        try {
            $channel->wait(null, false, 1);
        } catch (AMQPTimeoutException) {
            // Nothing came within a second.
        }
    }
    return null;
}

function told(?array $event): int
{
    if ($event === null) {
        fprintf(STDERR, "no answer within %g s; the request is kept, and will be answered\n", TIMEOUT_S);
        return 2;
    }
    if ($event['status'] !== 'active') {
        fprintf(STDERR, "%s: %s: %s\n", $event['status'], $event['reason']['code'], $event['reason']['text']);
        return 1;
    }
    echo $event['mac_address'], "\n";
    return 0;
}

function main(array $arguments): int
{
    [, $serverId, $ipAddress] = $arguments;
    $body = ['server_id' => (int) $serverId, 'ip_address' => $ipAddress, 'requested_by' => 'example', 'reference' => $arguments[3] ?? null];
    $messageId = getenv('VMAC_MESSAGE_ID') ?: bin2hex(random_bytes(16));
    $connection = connect((string) getenv('VMACD_AMQP_URL'));
    try {
        $channel = $connection->channel();
        $events = new ArrayObject();
        listen($channel, $events);
        publish($channel, $messageId, $body);
        return told(answer($channel, $events, $messageId));
    } finally {
        $connection->close();
    }
}

try {
    exit(main($argv));
} catch (AMQPExceptionInterface | RuntimeException $error) {
    fprintf(STDERR, "the broker did not take it: %s\n", $error->getMessage());
    exit(2);
}
