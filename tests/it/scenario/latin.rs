//! A producer whose texts are not UTF-8: AMQP's short strings are bytes, and RabbitMQ passes on any.

use lapin::options::BasicPublishOptions;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::events::Events;
use super::world::World;
use crate::support::{Rabbit, eventually};

/// What the test's client writes, and what goes to the broker in its place: `ößé` as Latin-1.
const MARK: &[u8; 3] = b"~~~";
const LATIN: &[u8; 3] = b"\xf6\xdf\xe9";

/// A port that passes everything on to the broker, each mark replaced: the client itself writes UTF-8 only.
async fn replacing(target: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        let (client, _) = listener.accept().await.expect("a client");
        let server = TcpStream::connect(target).await.expect("the broker");
        let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
            (client.into_split(), server.into_split());
        tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count @ 1..) = from_client.read(&mut buffer).await {
            let bytes = &mut buffer[..count];
            while let Some(at) = bytes.windows(MARK.len()).position(|part| part == MARK) {
                bytes[at..at + MARK.len()].copy_from_slice(LATIN);
            }
            if to_server.write_all(bytes).await.is_err() {
                return;
            }
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_that_writes_latin_1_is_answered_and_holds_up_nobody() {
    let world = World::real(1, 1).await;
    let events = Events::bound(&world).await;
    let rabbit = Rabbit::shared();
    let url = rabbit.url_through(replacing(rabbit.authority().to_owned()).await);
    let connection = Connection::connect(&url, ConnectionProperties::default()).await.expect("connected");
    let channel = connection.create_channel().await.expect("a channel");
    let exchange = format!("{}vmac.commands", world.namespace);
    let mut headers = FieldTable::default();
    headers.insert("name~~~".into(), AMQPValue::LongString("value~~~".into()));
    let properties = |id: &str| {
        let properties = BasicProperties::default().with_message_id(id.into()).with_correlation_id("c~~~".into());
        properties.with_headers(headers.clone())
    };
    let body = world.body(0, 1).to_string();
    for (key, id, body) in [
        ("vmac.create", "good~~~", body.as_bytes()),
        ("vmac.create", "bad~~~", b"{~~~"),
        ("vmac.d~~~", "odd~~~", b"{}"),
    ] {
        let options = BasicPublishOptions::default();
        let sent = channel.basic_publish(exchange.as_str().into(), key.into(), options, body, properties(id));
        sent.await.expect("sent");
    }
    let _worker = world.serve().await;
    let after = world.body(0, 2).to_string();
    world.publish("vmac.create", Some("after"), after.as_bytes()).await;
    world.until("active", 2).await;
    let mut answers = Vec::new();
    eventually("each is answered", async || {
        for event in events.take().await {
            let text = |name: &str| event.body[name].as_str().unwrap_or_default().to_owned();
            answers.push((event.routing_key.clone(), text("message_id"), text("correlation_id")));
        }
        let has = |key: &str, id: &str| answers.contains(&(key.into(), id.into(), "cößé".into()));
        let all = has("vmac.active", "goodößé") && has("vmac.failed", "badößé") && has("vmac.failed", "oddößé");
        if all { Ok(()) } else { Err(format!("{answers:?}")) }
    })
    .await;
}
