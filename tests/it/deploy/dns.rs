//! A name server that knows one answer: every name is 127.0.0.1.

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// Of the loopback network, and nobody else's: `resolv.conf` has no place for a port.
pub const ADDRESS: &str = "127.17.53.1";

/// Starts it; it ends with the test.
pub async fn start() -> JoinHandle<()> {
    let socket = UdpSocket::bind((ADDRESS, 53)).await.expect("port 53 of a loopback address, as root");
    tokio::spawn(async move {
        let mut query = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut query).await {
            let _ = socket.send_to(&answer(&query[..length]), from).await;
        }
    })
}

/// The question again, and for an A record one answer (RFC 1035, section 4.1).
fn answer(query: &[u8]) -> Vec<u8> {
    let name = query[12..].iter().position(|&length| length == 0).expect("a name ends");
    let question = &query[12..12 + name + 5];
    let is_a = question[name + 1..name + 3] == [0, 1];
    let mut answer = query[..2].to_vec();
    answer.extend([0x81, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
    answer.extend(question);
    if is_a {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
    }
    answer
}
