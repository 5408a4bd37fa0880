//! Pages that are kept live, among others who want connections.

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;

use super::{Crowd, HALF, address};
use crate::scenario::world::World;
use crate::support::eventually;
use crate::support::vmacd::Serve;

/// Opens `/live`: the status, and the lines that follow.
async fn watch(serve: &Serve) -> (String, Lines<BufReader<TcpStream>>) {
    let host = address(serve);
    let mut stream = TcpStream::connect(&host).await.expect("it takes connections");
    let request = format!("GET /live HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut lines = BufReader::new(stream).lines();
    let status = lines.next_line().await.expect("an answer").expect("a status");
    (status, lines)
}

async fn until_changed(lines: &mut Lines<BufReader<TcpStream>>) {
    while let Some(line) = lines.next_line().await.expect("it goes on") {
        if line == "event: changed" {
            return;
        }
    }
    panic!("it ended before anything changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_kept_live_up_to_their_bound_and_leave_room_for_others() {
    let mut world = World::embedded(1, 1).await;
    world.settings = world.settings.clone().set("VMACD_HTTP_CONNECTIONS_PER_ADDRESS_MAX", 16);
    let serve = world.serve().await;
    let mut watching = Vec::new();
    for number in 0..8 {
        let (status, lines) = watch(&serve).await;
        assert!(status.contains(" 200 "), "{number}: {status}");
        watching.push(lines);
    }
    let (status, _) = watch(&serve).await;
    assert!(status.contains(" 503 "), "half of the connections of one address: {status}");
    for lines in &mut watching {
        until_changed(lines).await;
    }
    let crowd = Crowd::gather(&serve, 100, &[HALF]);
    eventually("the crowd is there", async || crowd.opened() >= 200).await;
    assert_eq!(crate::api::call(&serve, "POST", "/vmacs", Some(world.body(0, 1))).await.status, 202);
    for lines in &mut watching {
        until_changed(lines).await;
    }
}
