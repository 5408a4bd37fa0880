//! A client that knows nothing but frames.

use std::sync::Arc;

use russh::ChannelMsg;
use russh::client::{self, AuthResult, Config, Handle, Handler, Msg};
use russh::keys::{HashAlg, PublicKeyOrCertificate};
use vmacd::sim::SimHandle;

pub struct Client {
    _session: Handle<AnyKey>,
    pub channel: russh::Channel<Msg>,
    pub inbox: String,
}

/// Takes any host key and remembers its fingerprint.
pub struct AnyKey(pub Arc<std::sync::Mutex<String>>);

impl Handler for AnyKey {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        if let PublicKeyOrCertificate::PublicKey { key, .. } = key {
            *self.0.lock().expect("no thread panics with it") = key.fingerprint(HashAlg::Sha256).to_string();
        }
        Ok(true)
    }
}

pub async fn login(switch: &SimHandle, password: &str) -> Result<(Handle<AnyKey>, AuthResult, String), russh::Error> {
    let seen = Arc::new(std::sync::Mutex::new(String::new()));
    let config = Arc::new(Config { nodelay: true, ..Config::default() });
    let mut session = client::connect(config, switch.addr(), AnyKey(seen.clone())).await?;
    let result = session.authenticate_password("vmacd", password).await?;
    let fingerprint = seen.lock().expect("no thread panics with it").clone();
    Ok((session, result, fingerprint))
}

impl Client {
    pub async fn open(switch: &SimHandle) -> Result<Client, russh::Error> {
        let (session, _, _) = login(switch, "vmacd").await?;
        let channel = session.channel_open_session().await?;
        channel.request_subsystem(true, "netconf").await?;
        Ok(Client::greet(session, channel).await)
    }

    pub async fn exec(switch: &SimHandle, command: &str) -> Result<Client, russh::Error> {
        let (session, _, _) = login(switch, "vmacd").await?;
        let channel = session.channel_open_session().await?;
        channel.exec(true, command).await?;
        Ok(Client::greet(session, channel).await)
    }

    pub async fn greet(session: Handle<AnyKey>, channel: russh::Channel<Msg>) -> Client {
        let mut client = Client { _session: session, channel, inbox: String::new() };
        client.send("<hello xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><capabilities><capability>urn:ietf:params:netconf:base:1.0</capability></capabilities></hello>").await;
        client
    }

    pub async fn send(&mut self, message: &str) {
        // A connection that is gone shows when its reply is missing.
        let _ = self.channel.data_bytes(format!("{message}]]>]]>\n").into_bytes()).await;
    }

    /// The next message, or `None` when the connection ends first.
    pub async fn receive(&mut self) -> Option<String> {
        loop {
            if let Some((message, rest)) = self.inbox.split_once("]]>]]>") {
                let message = message.trim().to_owned();
                self.inbox = rest.to_owned();
                return Some(message);
            }
            match self.channel.wait().await? {
                ChannelMsg::Data { data } => self.inbox.push_str(&String::from_utf8_lossy(&data)),
                ChannelMsg::Eof | ChannelMsg::Close => return None,
                _ => {}
            }
        }
    }

    pub async fn rpc(&mut self, operation: &str) -> Option<String> {
        self.send(&format!("<rpc message-id=\"7\">{operation}</rpc>")).await;
        self.receive().await
    }

    pub async fn ready(switch: &SimHandle) -> Client {
        let mut client = Client::open(switch).await.expect("the switch lets us in");
        client.receive().await.expect("the switch says hello");
        client
    }
}
