//! The harness itself: tests that stand on sand prove nothing.

use crate::support::postgres::{Postgres, fresh_database};
use crate::support::vmacd::{Serve, Settings, run};
use crate::support::{Proxy, Rabbit, eventually, eventually_within, free_port};
use lapin::options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel};
use sqlx::{Connection, Executor, PgConnection, Row};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

async fn declare(channel: &Channel, queue: &str) {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(queue.into(), options, arguments).await.unwrap();
}

async fn publish(channel: &Channel, queue: &str, body: &[u8]) {
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let properties = BasicProperties::default().with_delivery_mode(2);
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let confirm = channel.basic_publish("".into(), queue.into(), options, body, properties).await.unwrap();
    assert!(confirm.await.unwrap().is_ack());
}

async fn get(rabbit: &Rabbit, queue: &str) -> Vec<u8> {
    eventually("the queue gives its message", async || {
        let (_connection, channel) = rabbit.channel().await;
        let got = channel.basic_get(queue.into(), BasicGetOptions { no_ack: true });
        let got = tokio::time::timeout(Duration::from_secs(5), got).await;
        got.map_err(|_| "time-out".to_string())?
            .map_err(|error| error.to_string())?
            .map(|message| message.delivery.data)
            .ok_or_else(|| "empty".to_string())
    })
    .await
}

#[tokio::test]
async fn the_shared_rabbit_confirms_and_delivers() {
    let rabbit = Rabbit::shared();
    let queue = format!("{}.work", Rabbit::namespace());
    let (_connection, channel) = rabbit.channel().await;
    declare(&channel, &queue).await;
    publish(&channel, &queue, b"hello").await;
    assert_eq!(get(&rabbit, &queue).await, b"hello");
    channel.queue_delete(queue.as_str().into(), Default::default()).await.unwrap();
}

#[tokio::test]
async fn a_private_rabbit_keeps_a_confirmed_message_over_kill_9() {
    let mut rabbit = Rabbit::private();
    let (_connection, channel) = rabbit.channel().await;
    declare(&channel, "work").await;
    // The node writes a new queue's name to disk lazily; there is no condition to wait for.
    tokio::time::sleep(Duration::from_secs(2)).await;
    publish(&channel, "work", b"kept").await;
    rabbit.kill9();
    assert!(TcpStream::connect(rabbit.authority()).await.is_err());
    rabbit.start_again();
    assert_eq!(get(&rabbit, "work").await, b"kept");
}

#[tokio::test]
async fn a_private_postgres_keeps_a_committed_row_over_kill_9() {
    let mut postgres = Postgres::private();
    let mut connection = PgConnection::connect(postgres.url()).await.unwrap();
    connection.execute("CREATE TABLE t AS SELECT 7 AS n").await.unwrap();
    postgres.kill9();
    assert!(connection.execute("SELECT 1").await.is_err());
    postgres.start_again();
    let mut connection = PgConnection::connect(postgres.url()).await.unwrap();
    let row = connection.fetch_one("SELECT n FROM t").await.unwrap();
    assert_eq!(row.get::<i32, _>("n"), 7);
}

#[tokio::test]
async fn fresh_databases_are_apart_and_dropped() {
    let (first, second) = (fresh_database().await, fresh_database().await);
    first.connect().await.execute("CREATE TABLE only_here ()").await.unwrap();
    assert!(second.connect().await.execute("SELECT * FROM only_here").await.is_err());
    let gone = first.url();
    drop(first);
    assert!(PgConnection::connect(&gone).await.is_err());
}

async fn echo_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    address
}

async fn echoes(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"ping").await?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await.map(|_| ())
}

#[tokio::test]
async fn a_proxy_forwards_holds_back_cuts_and_recovers() {
    let proxy = Proxy::start(&echo_server().await).await;
    let address = ("127.0.0.1", proxy.port());
    let mut stream = TcpStream::connect(address).await.unwrap();
    echoes(&mut stream).await.unwrap();

    proxy.black_hole();
    let held_back = tokio::time::timeout(Duration::from_millis(200), echoes(&mut stream)).await;
    assert!(held_back.is_err(), "a black hole answers nothing: {held_back:?}");
    proxy.restore();
    stream.read_exact(&mut [0; 4]).await.expect("what was held back passes");

    proxy.cut();
    assert!(echoes(&mut stream).await.is_err());
    let mut refused = TcpStream::connect(address).await.unwrap();
    assert!(echoes(&mut refused).await.is_err());

    proxy.restore();
    echoes(&mut TcpStream::connect(address).await.unwrap()).await.unwrap();
}

#[tokio::test]
#[should_panic(expected = "the moon; last seen: \"cheese\"")]
async fn waiting_gives_up_with_what_was_seen_last() {
    eventually_within(Duration::from_millis(50), "the moon", async || Err::<(), _>("cheese")).await;
}

#[tokio::test]
#[should_panic(expected = "no answer from the probe")]
async fn a_probe_that_hangs_does_not_hang_the_test() {
    eventually_within(Duration::from_millis(50), "it", async || std::future::pending::<bool>().await).await;
}

#[tokio::test]
async fn a_finished_command_gives_its_code_and_output() {
    let output = run(&["--version"], &Settings::new()).await;
    assert_eq!(output.code, Some(0), "{output:?}");
}

/// A stand-in that logs, is ready, and says goodbye when asked to stop.
const STAND_IN: &str = "trap 'echo bye; exit 3' TERM; echo $GREETING; echo ready >&2; while :; do sleep 0.05; done";

async fn stand_in() -> Serve {
    let settings = Settings::new().set("GREETING", "good morning");
    Serve::start_program("/bin/sh", &["-c", STAND_IN], &settings, "ready").await
}

#[tokio::test]
async fn a_service_is_ready_logs_and_stops_when_asked() {
    let mut service = stand_in().await;
    assert!(service.log().contains("good morning"));
    service.sigterm();
    assert_eq!(service.wait().await.code(), Some(3));
    assert!(service.log().ends_with("bye\n"));
}

#[tokio::test]
async fn a_service_that_is_killed_or_dropped_is_gone() {
    let mut killed = stand_in().await;
    killed.kill9();
    assert_eq!(killed.wait().await.code(), None);
    let dropped = stand_in().await;
    let process = format!("/proc/{}", dropped.pid());
    drop(dropped);
    assert!(!std::path::Path::new(&process).exists());
}

#[tokio::test]
#[should_panic(expected = "it ended first")]
async fn a_service_that_ends_before_it_is_ready_is_reported_at_once() {
    Serve::start_program("/bin/sh", &["-c", "echo broken; exit 1"], &Settings::new(), "ready").await;
}

#[test]
fn ports_are_never_given_twice() {
    let ports: std::collections::HashSet<u16> = (0..50).map(|_| free_port()).collect();
    assert_eq!(ports.len(), 50);
}
