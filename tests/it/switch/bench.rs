//! One switch, a journal in memory, and short words for wishes.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use vmacd::domain::plan::{LeftPort, Ownership, PresentBinding, Wish, WishResult, macs_at};
use vmacd::domain::{Code, Desired, Failure, Inventory, Mac, Switch};
use vmacd::sim::{Estate, Options, SimHandle, SimServer};
use vmacd::switch::{
    Credential, Journal, KnownConfiguration, PushBackup, PushEnd, PushIntent, PushOptions, PushReport, RowSource,
    Stage, SwitchClient, SwitchError, Timeouts, push,
};

/// One switch to push to.
pub struct Bench {
    pub switch: Switch,
    estate: Estate,
}

impl Bench {
    pub async fn non_els() -> Self {
        Self::with(Options::default()).await
    }

    pub async fn els() -> Self {
        // Against what is believed of ELS: what it refuses all the same is found out on the way.
        let duplicates = Some(vmacd::sim::DuplicateScope::Interface);
        Self::with(Options { dialect: vmacd::sim::Dialect::Els, duplicates, ..Options::default() }).await
    }

    pub async fn with(options: Options) -> Self {
        let estate = Estate::start(Options { switches: 1, ports_per_switch: 3, ..options }).await.expect("a switch");
        let inventory: Inventory = serde_json::from_value(estate.inventory_json()).expect("an inventory");
        Self { switch: inventory.switches[0].clone(), estate }
    }

    pub fn sim(&self) -> &SimHandle {
        &self.estate.switches()[0]
    }

    pub fn server(&self, port: usize) -> &SimServer {
        &self.estate.servers()[port]
    }

    pub async fn client(&self) -> SwitchClient {
        self.try_client().await.expect("a session")
    }

    pub async fn try_client(&self) -> Result<SwitchClient, SwitchError> {
        SwitchClient::connect(&self.switch, None, &credential("vmacd", "vmacd"), &timeouts()).await
    }

    /// Connects and pushes what the journal gathers.
    pub async fn push(&self, journal: &mut Notes) -> PushReport {
        push(&mut self.client().await, journal, &PushOptions { confirm_timeout_min: 5 }).await
    }

    /// A wish for an extra address on a port, with the MAC of that number.
    pub fn wish(&self, desired: Desired, port: usize, number: u8) -> Wish {
        let server = self.server(port);
        let parse_mac = |text: &str| text.parse().expect("a MAC");
        Wish {
            vmac_id: i64::from(number),
            desired,
            leaving: false,
            interface: server.interface.parse().expect("a name"),
            ip: server.extra_ip(number).and_then(|ip| ip.parse().ok()).expect("an address"),
            mac: mac(port, number),
            pxe_mac: parse_mac(&server.pxe_mac),
            primary_ip: server.primary_ip.parse().ok(),
            vlan: None,
        }
    }

    pub fn create(&self, port: usize, number: u8) -> Wish {
        self.wish(Desired::Bound, port, number)
    }

    pub fn revoke(&self, port: usize, number: u8) -> Wish {
        self.wish(Desired::Unbound, port, number)
    }

    /// An operator takes the binding of an address off and commits.
    pub fn operator_removes(&self, ip: &str) {
        let (set, address) = (self.sim().committed_set(), format!(" {ip} "));
        let line = set.lines().find(|line| line.contains("static-ip") && line.contains(&address)).expect("its binding");
        let end = line.find(&address).expect("its address") + address.len();
        let delete = line[..end].trim_end().replacen("set ", "delete ", 1);
        self.operator_sets(&[&delete]);
    }

    /// An operator makes these edits and commits them.
    pub fn operator_sets(&self, lines: &[&str]) {
        self.sim().operator_edit(&lines.join("\n")).expect("edited");
        self.sim().operator_commit().expect("committed");
    }

    /// Address and MAC of what is committed beside the primaries.
    pub fn extra(&self) -> BTreeSet<(String, String)> {
        let primaries: HashSet<_> = self.estate.servers().iter().map(|server| &server.primary_ip).collect();
        let held = self.sim().bindings().into_iter().filter(|binding| !primaries.contains(&binding.ip));
        held.map(|binding| (binding.ip, binding.mac)).collect()
    }

    /// What [`Self::extra`] is when exactly these wishes are bound.
    pub fn bound(wishes: &[Wish]) -> BTreeSet<(String, String)> {
        wishes.iter().map(|wish| (wish.ip.to_string(), wish.mac.to_string())).collect()
    }

    /// Asserts that a push left nothing behind on the switch: no lock, no edits, no pending commit.
    #[track_caller]
    pub fn assert_tidy(&self) {
        let sim = self.sim();
        assert!(!sim.is_dirty(), "edits were left in the candidate");
        assert_eq!(sim.locked_by(), None, "the lock was left");
        assert!(!sim.is_commit_pending(), "a confirmed commit was left");
    }
}

/// The MAC of that number on that port.
pub fn mac(port: usize, number: u8) -> Mac {
    Mac::new([0x02, 0xaa, 0, 0, u8::try_from(port).expect("few ports"), number])
}

pub fn credential(user: &str, password: &str) -> Credential {
    Credential { user: user.to_owned(), password: Some(password.to_owned()), ..Credential::default() }
}

pub fn timeouts() -> Timeouts {
    let limit = Duration::from_secs(20);
    Timeouts { connect: limit, rpc: limit, commit: limit }
}

/// The codes of what failed, one for each wish that has a result, `None` for those that were reached.
pub fn codes(report: &PushReport) -> Vec<(i64, Option<Code>)> {
    let code = |result: &WishResult| result.end.as_ref().err().map(|failure| failure.code);
    let mut codes: Vec<_> = report.results.iter().map(|result| (result.wish.vmac_id, code(result))).collect();
    codes.sort_by_key(|(id, _)| *id);
    codes
}

/// Why the push as a whole ended early.
pub fn whole(report: &PushReport) -> Option<Code> {
    report.whole.as_ref().map(|failure| failure.code)
}

/// A journal in memory. It outlives sessions, as the database does.
#[derive(Default)]
pub struct Notes {
    pub wishes: Vec<Wish>,
    /// Ports that other rows had for the wishes' addresses.
    pub left: Vec<LeftPort>,
    /// Pushes whose end is not known.
    pub open: Vec<PushIntent>,
    /// How pushes ended, in order.
    pub ends: Vec<PushEnd>,
    pub backups: Vec<Vec<u8>>,
    /// What was read ahead.
    pub known: Option<KnownConfiguration>,
    pub stages: Vec<Stage>,
    /// The call that fails from now on, as a lost lease or a database that went away would.
    pub failing: Option<&'static str>,
    /// What happens when it is asked whether a confirmation may be sent.
    pub at_may_commit: Option<Box<dyn Fn() + Send + Sync>>,
}

impl Notes {
    pub fn of(wishes: Vec<Wish>) -> Self {
        Self { wishes, ..Self::default() }
    }

    fn call(&self, name: &str) -> Result<(), Failure> {
        match self.failing {
            Some(failing) if failing == name => Err(Failure::new(Code::LeaseLost, "another worker has it")),
            _ => Ok(()),
        }
    }
}

impl Journal for Notes {
    fn reached(&mut self, stage: Stage) {
        self.stages.push(stage);
    }

    fn unresolved(&mut self) -> Result<Vec<PushIntent>, Failure> {
        self.call("unresolved").map(|()| self.open.clone())
    }

    async fn sent(&mut self, push: &PushIntent, before: &PushBackup) -> Result<i64, Failure> {
        self.call("sent")?;
        self.backups.push(match before {
            PushBackup::Text(text) => text.clone(),
            PushBackup::Stored(name) => name.clone().into_bytes(),
        });
        self.open.push(push.clone());
        Ok(i64::try_from(self.backups.len()).expect("few"))
    }

    fn known(&mut self) -> Option<KnownConfiguration> {
        self.known.take()
    }

    fn still_known(&mut self, known: KnownConfiguration) {
        self.known = Some(known);
    }

    fn may_commit(&self) -> Result<(), Failure> {
        if let Some(happens) = &self.at_may_commit {
            happens();
        }
        self.call("may_commit")
    }

    fn resolved(&mut self, push_id: &str, end: PushEnd) {
        // Told and forgotten, as by a worker that dies before the results are written down.
        if self.call("resolved").is_ok() {
            self.open.retain(|push| push.id != push_id);
            self.ends.push(end);
        }
    }
}

impl RowSource for Notes {
    async fn gather(&mut self) -> Result<Vec<Wish>, Failure> {
        self.call("gather").map(|()| self.wishes.clone())
    }

    async fn ownership(&mut self, wishes: &mut [Wish], present: &[PresentBinding]) -> Result<Ownership, Failure> {
        self.call("ownership")?;
        Ok(Ownership { left: self.left.clone(), ..ours(wishes, present) })
    }
}

/// What vmacd owns: the MACs that [`mac`] makes.
pub fn ours(wishes: &[Wish], present: &[PresentBinding]) -> Ownership {
    let macs = macs_at(wishes, present).into_iter().filter(|mac| mac.octets()[1] == 0xaa);
    Ownership { macs: macs.collect(), left: Vec::new() }
}
