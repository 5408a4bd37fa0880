//! The SSH side of a switch: login, the `netconf` subsystem, the exec forms older clients use, and the CLI.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use russh::keys::PublicKey;
use russh::server::{
    Auth, ChannelOpenHandle, Config, Handle, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, Pty};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::cut_stream::CutStream;
use crate::sim::cli::session as cli;
use crate::sim::netconf::session as netconf;
use crate::sim::switch::Switch;
use crate::sim::switch::faults::FaultKind;
use crate::sim::switch::open_session::SessionEnd;

/// Accepts connections until `stop`, which also cuts those that are open.
pub(crate) async fn listen(switch: Arc<Switch>, listener: TcpListener, config: Arc<Config>, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, _))
                if switch.is_away() || switch.strikes(FaultKind::RefuseConnections) || switch.is_rate_limited() =>
            {
                drop(socket);
            }
            Ok((socket, _)) => {
                tokio::spawn(connection(switch.clone(), socket, config.clone(), stop.child_token()));
            }
            Err(error) => {
                tracing::warn!(switch = %switch.name, %error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(switch: Arc<Switch>, socket: TcpStream, config: Arc<Config>, cut: CancellationToken) {
    // A delay of some messages at worst.
    let _ = socket.set_nodelay(true);
    let stream = CutStream::new(socket, cut.clone());
    let name = switch.name.clone();
    let handler = Connection { switch, cut, user: String::new(), channels: HashMap::new(), terminals: HashSet::new() };
    let ended = async { russh::server::run_stream(config, stream, handler).await?.await }.await;
    if let Err(error) = ended {
        tracing::debug!(switch = %name, %error, "connection ended");
    }
}

/// One SSH connection.
struct Connection {
    switch: Arc<Switch>,
    cut: CancellationToken,
    user: String,
    channels: HashMap<ChannelId, Channel<Msg>>,
    /// Channels that asked for a terminal.
    terminals: HashSet<ChannelId>,
}

/// What is spoken on a channel.
enum Protocol {
    Netconf,
    Cli { echo: bool },
}

impl Connection {
    fn login(&mut self, user: &str, right: bool) -> Result<Auth, russh::Error> {
        if !right || self.switch.strikes(FaultKind::AuthRejected) {
            return Ok(Auth::reject());
        }
        self.user = user.to_owned();
        Ok(Auth::Accept)
    }

    fn knows_key(&self, user: &str, offered: &PublicKey) -> bool {
        let login = &self.switch.login;
        let known = login.key.as_deref().and_then(|line| PublicKey::from_openssh(line).ok());
        user == login.user && known.is_some_and(|known| known.key_data() == offered.key_data())
    }

    fn start(&mut self, id: ChannelId, protocol: Protocol, session: &mut Session) -> Result<(), russh::Error> {
        let Some(channel) = self.channels.remove(&id) else {
            return session.channel_failure(id);
        };
        session.channel_success(id)?;
        let (switch, user, cut) = (self.switch.clone(), self.user.clone(), self.cut.clone());
        let handle = session.handle();
        tokio::spawn(async move {
            let stream = channel.into_stream();
            let end = match protocol {
                Protocol::Netconf => netconf::serve(switch, &user, stream).await,
                Protocol::Cli { echo } => cli::serve(switch, &user, echo, stream).await,
            };
            match end {
                SessionEnd::Cut => cut.cancel(),
                SessionEnd::Closed => hang_up(&handle, id).await,
            }
        });
        Ok(())
    }
}

/// The connection may be gone already: then there is nobody to tell.
async fn hang_up(handle: &Handle, id: ChannelId) {
    let _ = handle.exit_status_request(id, 0).await;
    let _ = handle.eof(id).await;
    let _ = handle.close(id).await;
}

impl Handler for Connection {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        let login = &self.switch.login;
        let right = user == login.user && password == login.password;
        self.login(user, right)
    }

    async fn auth_publickey_offered(&mut self, user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, Self::Error> {
        Ok(if self.knows_key(user, offer.public_key) { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        let known = self.knows_key(user, key.public_key);
        self.login(user, known)
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

    async fn subsystem_request(&mut self, id: ChannelId, name: &str, session: &mut Session) -> Result<(), Self::Error> {
        if name != "netconf" || self.switch.strikes(FaultKind::SubsystemRefused) {
            return session.channel_failure(id);
        }
        self.start(id, Protocol::Netconf, session)
    }

    async fn pty_request(
        &mut self,
        id: ChannelId,
        _: &str,
        _: u32,
        _: u32,
        _: u32,
        _: u32,
        _: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.terminals.insert(id);
        session.channel_success(id)
    }

    async fn shell_request(&mut self, id: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        let echo = self.terminals.remove(&id);
        self.start(id, Protocol::Cli { echo }, session)
    }

    async fn exec_request(&mut self, id: ChannelId, command: &[u8], session: &mut Session) -> Result<(), Self::Error> {
        match String::from_utf8_lossy(command).trim() {
            "xml-mode netconf need-trailer" | "junoscript netconf need-trailer" => {
                self.start(id, Protocol::Netconf, session)
            }
            _ => session.channel_failure(id),
        }
    }
}
