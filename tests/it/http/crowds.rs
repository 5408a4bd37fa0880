//! Clients that open connections and send, or read, next to nothing.

use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::{Crowd, HALF, NO_BODY, address, metrics, sample};
use crate::scenario::world::World;
use crate::support::http::get;
use crate::support::vmacd::Serve;
use crate::support::{eventually, eventually_within};

const CROWD: usize = 700;

#[tokio::test(flavor = "multi_thread")]
async fn half_open_connections_keep_neither_requests_nor_orders_from_being_done() {
    let world = World::real(2, 2).await;
    let serve = world.serve().await;
    let crowd = Crowd::gather(&serve, CROWD, &["", HALF, NO_BODY]);
    eventually("the crowd is there", async || crowd.opened() >= CROWD as u64).await;
    for number in 1..=5 {
        for index in 0..4 {
            world.command("create", index, number, &format!("m-{index}-{number}")).await;
        }
        let began = Instant::now();
        assert_eq!(get(&format!("{}/readyz", serve.http_url()), None).await.status, 200);
        let body = world.body(0, 10 + number);
        assert_eq!(crate::api::call(&serve, "POST", "/vmacs", Some(body)).await.status, 202);
        assert!(began.elapsed() < Duration::from_secs(5), "two requests took {:?}", began.elapsed());
    }
    let rows = world.until("active", 25).await;
    assert!(rows.iter().all(|row| row["attempts"] == 0), "{rows:?}");
    let told = metrics(&serve, None).await;
    let open = sample(&told, "vmacd_http_connections");
    assert!(open <= 256.0, "{open} of one address are open");
    // Those that were not displaced by then ran into the time for a head.
    assert!(sample(&told, "vmacd_http_connections_displaced_total") >= 100.0, "{told}");
    world.assert_consistent().await;
}

/// A worker whose clients have little time.
async fn impatient() -> Serve {
    let mut world = World::embedded(1, 1).await;
    world.settings = world.settings.clone().set("VMACD_HTTP_CLIENT_TIMEOUT_MS", 500);
    world.serve().await
}

async fn until_alone(serve: &Serve) {
    let what = "nobody is connected but who asks";
    eventually_within(Duration::from_secs(20), what, async || {
        let open = sample(&metrics(serve, None).await, "vmacd_http_connections");
        if open <= 1.0 { Ok(()) } else { Err(open) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_no_head_no_body_or_nothing_more_is_let_go() {
    let serve = impatient().await;
    let whole = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    let mut clients = Vec::new();
    for beginning in ["", HALF, NO_BODY, whole] {
        let mut stream = TcpStream::connect(address(&serve)).await.expect("it takes connections");
        stream.write_all(beginning.as_bytes()).await.expect("sent");
        clients.push((beginning, stream));
    }
    for (beginning, mut stream) in clients {
        let mut answer = String::new();
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_string(&mut answer)).await;
        read.unwrap_or_else(|_| panic!("{beginning:?} is still connected")).expect("text");
        let expected = if beginning == NO_BODY {
            " 408 "
        } else if beginning == whole {
            " 200 "
        } else {
            ""
        };
        assert!(answer.contains(expected), "{beginning:?}: {answer}");
        assert_eq!(answer.contains("slow_body"), beginning == NO_BODY, "{answer}");
    }
    until_alone(&serve).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_byte_by_byte_has_no_more_time_than_any() {
    let serve = impatient().await;
    let stream = TcpStream::connect(address(&serve)).await.expect("it takes connections");
    let (from, mut to) = stream.into_split();
    let dripping = tokio::spawn(async move {
        let _ = to.write_all(NO_BODY.as_bytes()).await;
        while to.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let began = Instant::now();
    let status = BufReader::new(from).lines().next_line().await.expect("an answer").expect("a status");
    assert!(status.contains(" 408 "), "{status}");
    assert!(began.elapsed() < Duration::from_secs(5), "it took {:?}", began.elapsed());
    until_alone(&serve).await;
    dripping.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_its_answers_is_let_go() {
    let serve = impatient().await;
    let mut stream = TcpStream::connect(address(&serve)).await.expect("it takes connections");
    let request = "GET /api/v1/openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".repeat(2_000);
    // One after another without reading: the answers do not fit into what lies between, so that both sides wait.
    let sent = tokio::time::timeout(Duration::from_secs(10), async {
        while stream.write_all(request.as_bytes()).await.is_ok() {}
    });
    sent.await.expect("the connection is closed");
    until_alone(&serve).await;
}
