//! An SSH server in front of a simulated switch that says things in an order of the test's choice: the hello before the
//! answer to the request, in pieces, with something else in between.

use std::collections::HashMap;
use std::sync::Arc;

use russh::keys::{Algorithm, HashAlg, PrivateKey};
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session};
use russh::{Channel, ChannelId};
use tokio::io::{AsyncReadExt, DuplexStream};
use tokio::net::TcpListener;
use vmacd::sim::SimHandle;

/// What the server does about a request, in this order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// Grants the request.
    Grant,
    /// Refuses it.
    Refuse,
    /// Sends these words on stdout.
    Say(&'static str),
    /// Sends these words on stderr.
    Complain(&'static str),
    /// Sends the next part of the hello that ends at this share of it, in packets of one byte.
    HelloUpTo(f64),
    /// Sends a packet without a byte.
    Empty,
    /// Says that nothing more will come.
    Eof,
}

/// A running server; ends with the test.
pub struct Eager {
    pub port: u16,
    /// `SHA256:...` of its host key.
    pub fingerprint: String,
}

impl Eager {
    /// Takes any login. `subsystem` is what it does about a request for a subsystem, `command` about one for a command.
    pub async fn start(sim: &SimHandle, subsystem: &'static [Step], command: &'static [Step]) -> Self {
        let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).expect("a key");
        let fingerprint = key.public_key().fingerprint(HashAlg::Sha256).to_string();
        let config = Arc::new(Config { keys: vec![key], ..Config::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("a port").port();
        let sim = sim.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let connection = Connection { sim: sim.clone(), subsystem, command, channels: HashMap::new() };
                let config = config.clone();
                tokio::spawn(async move { russh::server::run_stream(config, socket, connection).await?.await });
            }
        });
        Self { port, fingerprint }
    }
}

struct Connection {
    sim: SimHandle,
    subsystem: &'static [Step],
    command: &'static [Step],
    channels: HashMap<ChannelId, Channel<Msg>>,
}

impl Connection {
    async fn follow(&mut self, id: ChannelId, steps: &[Step], session: &mut Session) -> Result<(), russh::Error> {
        let (hello, switch) = greeted(&self.sim).await;
        let mut sent = 0;
        for step in steps {
            match step {
                Step::Grant => session.channel_success(id)?,
                Step::Refuse => session.channel_failure(id)?,
                Step::Say(words) => session.data(id, *words)?,
                Step::Complain(words) => session.extended_data(id, 1, *words)?,
                Step::Empty => session.data(id, Vec::new())?,
                Step::Eof => session.eof(id)?,
                Step::HelloUpTo(share) => {
                    let end = (hello.len() as f64 * share) as usize;
                    for byte in &hello[sent..end] {
                        session.data(id, vec![*byte])?;
                    }
                    sent = end;
                }
            }
        }
        if steps.contains(&Step::Grant)
            && let Some(channel) = self.channels.remove(&id)
        {
            tokio::spawn(pass_on(channel, switch));
        }
        Ok(())
    }
}

/// A NETCONF session with the switch, and the hello that it sent.
async fn greeted(sim: &SimHandle) -> (Vec<u8>, DuplexStream) {
    let (mut ours, theirs) = tokio::io::duplex(1 << 20);
    let sim = sim.clone();
    tokio::spawn(async move { sim.serve("vmacd", theirs).await });
    let mut hello = Vec::new();
    while !hello.ends_with(b"]]>]]>") {
        hello.push(ours.read_u8().await.expect("a hello"));
    }
    (hello, ours)
}

async fn pass_on(channel: Channel<Msg>, mut switch: DuplexStream) {
    let mut stream = channel.into_stream();
    let _ = tokio::io::copy_bidirectional(&mut stream, &mut switch).await;
}

impl Handler for Connection {
    type Error = russh::Error;

    async fn auth_password(&mut self, _: &str, _: &str) -> Result<Auth, Self::Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.channels.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn subsystem_request(&mut self, id: ChannelId, _: &str, session: &mut Session) -> Result<(), Self::Error> {
        self.follow(id, self.subsystem, session).await
    }

    async fn exec_request(&mut self, id: ChannelId, _: &[u8], session: &mut Session) -> Result<(), Self::Error> {
        self.follow(id, self.command, session).await
    }
}
