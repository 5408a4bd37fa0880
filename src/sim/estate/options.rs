//! How an estate of simulated switches is asked for.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use crate::sim::device::commit_check::DuplicateScope;
use crate::sim::device::model::Dialect;

/// Settings of an estate; [`Options::default`] gives two switches with four server ports each.
#[derive(Clone)]
pub struct Options {
    /// Number of switches, at most 1024.
    pub switches: usize,
    /// How many server ports each has, at most 254.
    pub ports_per_switch: usize,
    /// The first TCP port; the others follow. 0 takes free ones.
    pub port_base: u16,
    /// The address to listen on; loopback unless told.
    pub listen: IpAddr,
    /// The host name that the inventory gives, where others reach the switches under another than `listen`.
    pub advertise: Option<String>,
    /// How the switches hold bindings.
    pub dialect: Dialect,
    /// How long a commit, a check and a validate take.
    pub commit_time: Duration,
    /// How long every NETCONF reply takes, beside what its request does.
    pub rpc_time: Duration,
    /// How many bytes of NETCONF replies a session gets in a second; as many as the line takes unless told.
    pub read_rate: Option<u64>,
    /// How many bindings each switch has beside those of its servers' primary addresses. They take a port's addresses from
    /// the last one (10.s.p.254) down.
    pub bindings: usize,
    /// Fills each switch's configuration up to so many bytes of text.
    pub config_size: usize,
    /// A configuration to start from instead of the built-in one: braces, `set` lines or XML.
    pub config: Option<PathBuf>,
    /// The user the switches let in.
    pub user: String,
    /// The user's password.
    pub password: String,
    /// A public key the switches take as well, as an `authorized_keys` line.
    pub authorized_key: Option<String>,
    /// Where [`crate::sim::run()`] writes the inventory.
    pub inventory: Option<PathBuf>,
    /// A Unix socket at which the switches take orders while they run; see `docs/JUNOS.md`.
    pub control: Option<PathBuf>,
    /// Decides host keys and chance.
    pub seed: u64,
    /// Faults every switch starts with, as [`super::Faults::parse`] reads them.
    pub faults: Vec<String>,
    /// Where one MAC may stand for one address only; none takes that of the dialect.
    pub duplicates: Option<DuplicateScope>,
    /// Whether a check or validate confirms a pending confirmed commit.
    pub check_confirms: bool,
    /// The release the switches report, such as `12.3R12.4`, instead of one that fits the dialect.
    pub release: Option<String>,
    /// Connections accepted in a minute; no limit unless told (Junos has one of 150 by default).
    pub rate_limit: Option<usize>,
    /// Whether the switches speak old SSH only, as hardened ones of Junos 12.3 and 15.1 do.
    pub legacy_ssh: bool,
    /// Whether base:1.1 (chunked framing) is offered.
    pub base_1_1: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            switches: 2,
            ports_per_switch: 4,
            port_base: 0,
            listen: IpAddr::V4(Ipv4Addr::LOCALHOST),
            advertise: None,
            dialect: Dialect::NonEls,
            commit_time: Duration::ZERO,
            rpc_time: Duration::ZERO,
            read_rate: None,
            bindings: 0,
            config_size: 0,
            config: None,
            user: "vmacd".to_owned(),
            password: "vmacd".to_owned(),
            authorized_key: None,
            inventory: None,
            control: None,
            seed: 1,
            faults: Vec::new(),
            duplicates: None,
            check_confirms: true,
            release: None,
            rate_limit: None,
            legacy_ssh: false,
            base_1_1: false,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("switches", &self.switches)
            .field("ports_per_switch", &self.ports_per_switch)
            .field("port_base", &self.port_base)
            .field("listen", &self.listen)
            .field("dialect", &self.dialect)
            .field("commit_time", &self.commit_time)
            .field("config", &self.config)
            .field("user", &self.user)
            .field("password", &"(hidden)")
            .field("inventory", &self.inventory)
            .field("seed", &self.seed)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}
