//! One switch as tests, demos and operators hold it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use russh::server::Config;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::sim::config::print_text::print_text;
use crate::sim::config::set_lines::print_set;
use crate::sim::device::commit_check::{SimBinding, bindings};
use crate::sim::device::history::Commit;
use crate::sim::error::SimError;
use crate::sim::netconf::session;
use crate::sim::odd_bytes::bytes_of;
use crate::sim::ssh::server;
use crate::sim::switch::faults::{FaultKind, Faults};
use crate::sim::switch::lock_watch::LockHold;
use crate::sim::switch::{Stray, Switch, locked};

/// A running (or stopped) simulated switch.
#[derive(Clone)]
pub struct SimHandle {
    pub(super) switch: Arc<Switch>,
    ssh: Arc<Config>,
    address: SocketAddr,
    running: Arc<Mutex<Option<CancellationToken>>>,
    /// The operator's session, while one is open.
    pub(super) operator: Arc<Mutex<Option<u32>>>,
}

impl SimHandle {
    /// A switch that listens on `listener`.
    pub(crate) fn launch(
        switch: Arc<Switch>,
        ssh: Arc<Config>,
        listener: TcpListener,
        address: SocketAddr,
    ) -> SimHandle {
        let handle = SimHandle { switch, ssh, address, running: Arc::default(), operator: Arc::default() };
        handle.run(listener);
        handle
    }

    fn run(&self, listener: TcpListener) {
        let stop = CancellationToken::new();
        *locked(&self.running) = Some(stop.clone());
        tokio::spawn(server::listen(self.switch.clone(), listener, self.ssh.clone(), stop.clone()));
        let switch = self.switch.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = switch.keep_time() => {}
            }
        });
    }

    /// The switch's name.
    pub fn name(&self) -> &str {
        &self.switch.name
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The committed configuration in braces.
    pub fn committed_text(&self) -> String {
        print_text(&self.switch.device().committed)
    }

    /// The same as it is on the wire.
    pub fn committed_bytes(&self) -> Vec<u8> {
        bytes_of(&self.committed_text())
    }

    /// The committed configuration as `set` lines.
    pub fn committed_set(&self) -> String {
        print_set(&self.switch.device().committed)
    }

    /// The committed bindings of both hierarchies, read from the tree itself.
    pub fn bindings(&self) -> Vec<SimBinding> {
        let committed = self.switch.device().committed.clone();
        bindings(&committed).into_iter().map(|found| found.binding).collect()
    }

    /// How often a configuration was committed, by anyone and by itself.
    pub fn commits(&self) -> u64 {
        self.switch.device().commits
    }

    /// The commits it remembers, newest first.
    pub fn history(&self) -> Vec<Commit> {
        self.switch.device().history.iter().cloned().collect()
    }

    /// How often each RPC was served.
    pub fn rpc_counts(&self) -> BTreeMap<String, u64> {
        self.switch.counts()
    }

    /// How many bytes its NETCONF replies had, with the framing.
    pub fn reply_bytes(&self) -> u64 {
        self.switch.reply_bytes()
    }

    /// Whether a confirmed commit waits to be confirmed.
    pub fn is_commit_pending(&self) -> bool {
        self.switch.device().deadline().is_some()
    }

    /// Lets the time of a confirmed commit run out now. Says whether one waited.
    pub fn expire_commit(&self) -> bool {
        let mut device = self.switch.device();
        let deadline = device.deadline();
        deadline.is_some_and(|deadline| device.tick(deadline))
    }

    /// The process id of the session that holds the lock.
    pub fn locked_by(&self) -> Option<u32> {
        self.switch.device().locked_by
    }

    /// Whether the shared candidate holds edits that nobody committed.
    pub fn is_dirty(&self) -> bool {
        self.switch.device().dirty
    }

    /// How many sessions are open.
    pub fn sessions(&self) -> usize {
        self.switch.device().sessions.len()
    }

    /// Sets a fault, as [`Faults::parse`] reads it.
    ///
    /// # Errors
    /// [`SimError::Fault`] when it cannot be read.
    pub fn set_fault(&self, text: &str) -> Result<(), SimError> {
        let fault = Faults::parse(text)?;
        tracing::info!(switch = %self.switch.name, fault = text, "fault set");
        locked(&self.switch.faults).set(fault);
        Ok(())
    }

    /// Has the switch learn a MAC on that port, wherever it is bound; with `kept` the port does not forget it.
    pub fn learn(&self, mac: &str, interface: &str, kept: bool) {
        let (mac, interface) = (mac.to_owned(), interface.to_owned());
        locked(&self.switch.strays).push(Stray { mac, interface, kept });
    }

    /// Takes every fault away.
    pub fn clear_faults(&self) {
        locked(&self.switch.faults).clear();
    }

    /// The names of the faults that are set.
    pub fn faults(&self) -> Vec<&'static str> {
        locked(&self.switch.faults).names()
    }

    /// Every fault's name.
    pub fn fault_names() -> Vec<&'static str> {
        FaultKind::ALL.iter().map(|kind| kind.name()).collect()
    }

    /// How long a commit, a check and a validate take from now on.
    pub fn set_commit_time(&self, span: Duration) {
        self.switch.set_commit_time(span);
    }

    /// How long every NETCONF reply takes from now on, beside what its request does.
    pub fn set_rpc_time(&self, span: Duration) {
        self.switch.pace.set_rpc_time(span);
    }

    /// How many bytes of NETCONF replies a session gets in a second from now on; `None` sends as fast as it can.
    pub fn set_read_rate(&self, bytes_per_second: Option<u64>) {
        self.switch.pace.set_read_rate(bytes_per_second);
    }

    /// What NETCONF sessions asked each time they held the lock, oldest first; the newest thousand.
    pub fn lock_holds(&self) -> Vec<LockHold> {
        self.switch.lock_holds()
    }

    /// Starts counting anew.
    pub fn forget_lock_holds(&self) {
        self.switch.forget_lock_holds();
    }

    /// Takes the switch off the network: connections are cut and refused, the clock stands still for what is pending.
    pub fn stop(&self) {
        if let Some(stop) = locked(&self.running).take() {
            stop.cancel();
            self.switch.cut_all();
        }
    }

    /// Puts the switch back on the network, on the same port.
    ///
    /// # Errors
    /// [`SimError::Listen`] when the port was taken meanwhile.
    pub async fn start(&self) -> Result<(), SimError> {
        if locked(&self.running).is_some() {
            return Ok(());
        }
        let listener = bind(&self.switch.name, self.address).await?;
        self.run(listener);
        Ok(())
    }

    /// Speaks NETCONF over any stream, as behind another SSH server, until the session ends.
    pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(&self, user: &str, stream: S) {
        session::serve(self.switch.clone(), user, stream).await;
    }

    /// Restarts the switch; it is away for `span`.
    pub fn reboot(&self, span: Duration) {
        self.switch.reboot(span);
    }
}

/// Listens on `address`.
pub(crate) async fn bind(switch: &str, address: SocketAddr) -> Result<TcpListener, SimError> {
    let refused = |source| SimError::Listen { switch: switch.to_owned(), address: address.to_string(), source };
    TcpListener::bind(address).await.map_err(refused)
}
