//! Many switches in one process.

pub(crate) mod base_config;
pub(crate) mod filler;
pub(crate) mod inventory;
pub(crate) mod options;
pub(crate) mod plan;

use std::net::SocketAddr;
use std::sync::Arc;

use russh::keys::PrivateKey;

use self::options::Options;
use self::plan::{EXTRA_ADDRESSES, PORTS_MAX, SWITCHES_MAX, SimServer, switch_name};
use crate::sim::config::tree::Node;
use crate::sim::control::handle::{SimHandle, bind};
use crate::sim::device::commit_check::DuplicateScope;
use crate::sim::device::model::{Dialect, Model};
use crate::sim::device::{Device, Rules};
use crate::sim::error::SimError;
use crate::sim::odd_bytes::text_of;
use crate::sim::ssh::host_key;
use crate::sim::switch::faults::Faults;
use crate::sim::switch::pace::Pace;
use crate::sim::switch::{Credentials, Switch, SwitchParts};
use crate::sim::time;

/// A set of simulated switches, listening on 127.0.0.1 unless told otherwise.
pub struct Estate {
    switches: Vec<SimHandle>,
    host_keys: Vec<String>,
    servers: Vec<SimServer>,
    advertise: Option<String>,
}

impl Estate {
    /// Builds the switches and starts them; all listen when this returns.
    ///
    /// # Errors
    /// [`SimError`] when the options ask for too many, a file or a fault cannot be read, or a port is taken.
    pub async fn start(options: Options) -> Result<Estate, SimError> {
        let (switches, ports) = (options.switches, options.ports_per_switch);
        if switches > SWITCHES_MAX || ports > PORTS_MAX {
            return Err(SimError::Size { switches, ports });
        }
        if options.bindings > ports * EXTRA_ADDRESSES {
            return Err(SimError::Bindings { bindings: options.bindings, ports });
        }
        options.faults.iter().try_for_each(|text| Faults::parse(text).map(drop))?;
        let commons = Commons::read(&options)?;
        let advertise = options.advertise.clone();
        let mut estate = Estate { switches: Vec::new(), host_keys: Vec::new(), servers: Vec::new(), advertise };
        for number in 0..switches {
            estate.add(number, &options, &commons).await?;
        }
        Ok(estate)
    }

    async fn add(&mut self, number: usize, options: &Options, commons: &Commons) -> Result<(), SimError> {
        let name = switch_name(number);
        let servers: Vec<SimServer> =
            (0..options.ports_per_switch).map(|port| SimServer::at(number, port, options.ports_per_switch)).collect();
        let mut model = Model::of(options.dialect, number, &name, options.release.as_deref());
        model.base_1_1 = options.base_1_1;
        let tree = base_config::own(commons.of(model.els), &model, &servers);
        let tree = filler::filled(tree, &model, &servers, options);
        let switch = Switch::new(parts(number, model, tree, options)?);
        let key = commons.old_host_key.clone().unwrap_or_else(|| host_key::host_key(options.seed, &name));
        self.host_keys.push(host_key::fingerprint(&key));
        let listener = bind(&name, wanted_address(options, number)).await?;
        let address = listener.local_addr().map_err(|source| SimError::Listen {
            switch: name,
            address: options.listen.to_string(),
            source,
        })?;
        self.switches.push(SimHandle::launch(switch, host_key::config(key, options.legacy_ssh), listener, address));
        self.servers.extend(servers);
        Ok(())
    }

    /// The inventory of the switches and servers, as `vmacd inventory import` takes it.
    pub fn inventory_json(&self) -> serde_json::Value {
        inventory::json(&self.switches, &self.host_keys, &self.servers, self.advertise.as_deref())
    }

    /// The switch called `name`.
    pub fn switch(&self, name: &str) -> Option<SimHandle> {
        self.switches.iter().find(|switch| switch.name() == name).cloned()
    }

    /// Every switch.
    pub fn switches(&self) -> &[SimHandle] {
        &self.switches
    }

    /// Every server, by switch and port.
    pub fn servers(&self) -> &[SimServer] {
        &self.servers
    }

    /// Serves until `shutdown` is done, then stops.
    pub async fn run_until(self, shutdown: impl Future<Output = ()>) {
        shutdown.await;
        self.shutdown().await;
    }

    /// Stops every switch.
    pub async fn shutdown(self) {
        self.switches.iter().for_each(SimHandle::stop);
        // Lets the connections' tasks see that they were cut.
        tokio::task::yield_now().await;
    }
}

impl Drop for Estate {
    fn drop(&mut self) {
        self.switches.iter().for_each(SimHandle::stop);
    }
}

/// What the switches share: a configuration for each dialect in use, and the host key of old ones.
struct Commons {
    old_host_key: Option<PrivateKey>,
    old_style: Option<Node>,
    els: Option<Node>,
}

impl Commons {
    fn read(options: &Options) -> Result<Commons, SimError> {
        let given = options.config.as_ref().map(|path| {
            let read = std::fs::read(path);
            read.map_err(|source| SimError::ReadConfig { path: path.clone(), source })
                .map(|bytes| (path.display().to_string(), text_of(&bytes)))
        });
        let given = given.transpose()?;
        let given = given.as_ref().map(|(origin, text)| (origin.as_str(), text.as_str()));
        let of = |els: bool, wanted: bool| {
            wanted.then(|| base_config::common(els, options.ports_per_switch, given)).transpose()
        };
        Ok(Commons {
            old_host_key: options.legacy_ssh.then(|| host_key::old_host_key(options.seed)),
            old_style: of(false, options.dialect != Dialect::Els)?,
            els: of(true, options.dialect != Dialect::NonEls)?,
        })
    }

    fn of(&self, els: bool) -> &Node {
        let wanted = if els { &self.els } else { &self.old_style };
        wanted.as_ref().expect("each dialect in use was read")
    }
}

fn parts(number: usize, model: Model, tree: Arc<Node>, options: &Options) -> Result<SwitchParts, SimError> {
    let duplicates = options.duplicates.unwrap_or_else(|| DuplicateScope::likely(model.els));
    let rules = Rules { duplicates, check_confirms: options.check_confirms };
    let pace = Pace::default();
    pace.set_rpc_time(options.rpc_time);
    pace.set_read_rate(options.read_rate);
    let mut faults = Faults::new(options.seed.wrapping_add(number as u64));
    for text in &options.faults {
        faults.set(Faults::parse(text)?);
    }
    Ok(SwitchParts {
        name: switch_name(number),
        model,
        login: Credentials {
            user: options.user.clone(),
            password: options.password.clone(),
            key: options.authorized_key.clone(),
        },
        device: Device::new(tree, rules, time::now()),
        faults,
        commit_time: options.commit_time,
        pace,
        rate_limit: options.rate_limit,
    })
}

fn wanted_address(options: &Options, number: usize) -> SocketAddr {
    let base = options.port_base;
    let port = if base == 0 { 0 } else { base.saturating_add(u16::try_from(number).unwrap_or(u16::MAX)) };
    SocketAddr::new(options.listen, port)
}
