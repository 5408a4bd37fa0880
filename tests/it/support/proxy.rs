//! A TCP proxy that breaks on command: the network between `vmacd` and whatever it talks to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the network does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weather {
    /// Bytes pass.
    Fair,
    /// Connections are closed, new ones too.
    Cut,
    /// Connections stand, new ones are taken, and no byte passes.
    BlackHole,
}

/// A proxy on a port of 127.0.0.1; ends with the value. It lives on the runtime of the test that started it.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    sky: Arc<Mutex<Sky>>,
    accepting: JoinHandle<()>,
}

/// The weather that new connections come under, and that of connections which were stranded.
#[derive(Debug)]
struct Sky {
    weather: watch::Sender<Weather>,
    stranded: Vec<watch::Sender<Weather>>,
}

impl Proxy {
    /// Forwards to `target` (`host:port`), connecting anew for each connection it takes.
    pub async fn start(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port for the proxy");
        let address = listener.local_addr().expect("a bound listener has an address");
        let sky = Sky { weather: watch::Sender::new(Weather::Fair), stranded: Vec::new() };
        let sky = Arc::new(Mutex::new(sky));
        let accepting = tokio::spawn(accept(listener, target.to_string(), sky.clone()));
        Self { address, sky, accepting }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Closes what is open, and each new connection at once.
    pub fn cut(&self) {
        self.turn(Weather::Cut);
    }

    /// Lets connections stand and new ones in, and passes no byte. What arrives meanwhile waits in the buffers of
    /// the sockets and passes after [`restore`](Proxy::restore).
    pub fn black_hole(&self) {
        self.turn(Weather::BlackHole);
    }

    /// All is well again.
    pub fn restore(&self) {
        self.turn(Weather::Fair);
    }

    /// Passes no byte of the connections that stand, ever again; new ones are well.
    pub fn strand(&self) {
        let mut sky = self.sky.lock().expect("no panic under it");
        let old = std::mem::replace(&mut sky.weather, watch::Sender::new(Weather::Fair));
        old.send_replace(Weather::BlackHole);
        sky.stranded.push(old);
    }

    fn turn(&self, weather: Weather) {
        self.sky.lock().expect("no panic under it").weather.send_replace(weather);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, target: String, sky: Arc<Mutex<Sky>>) {
    while let Ok((client, _)) = listener.accept().await {
        let forecast = sky.lock().expect("no panic under it").weather.subscribe();
        if *forecast.borrow() != Weather::Cut {
            tokio::spawn(carry(client, target.clone(), forecast.clone()));
        }
    }
}

async fn carry(client: TcpStream, target: String, mut forecast: watch::Receiver<Weather>) {
    let mut end = forecast.clone();
    let carried = async {
        let _ = forecast.wait_for(|weather| *weather == Weather::Fair).await;
        let Ok(server) = TcpStream::connect(target).await else {
            return;
        };
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        // Either side closing ends both: a half-open connection is no fault of these tests.
        tokio::select! {
            () = copy(from_client, to_server, forecast.clone()) => {}
            () = copy(from_server, to_client, forecast.clone()) => {}
        }
    };
    tokio::select! {
        () = carried => {}
        _ = end.wait_for(|weather| *weather == Weather::Cut) => {}
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut forecast: watch::Receiver<Weather>) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else {
            return;
        };
        let fair = forecast.wait_for(|weather| *weather == Weather::Fair).await.is_ok();
        if !fair || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
