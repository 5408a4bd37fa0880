//! An address, and what may happen to it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Utc;
use vmacd::domain::adopt::{Adoptable, FoundPort};
use vmacd::domain::plan::EndState;
use vmacd::domain::{Arrival, Code, Desired, Failure, MessageKey, Status};
use vmacd::store::{Incoming, Vmac, VmacFilter};

use super::super::bench::{Bench, create, issued, reached, revoke, rotate, switch, take};

/// What may happen to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Adopt,
    Create,
    Rotate,
    Move,
    Revoke,
    /// A create of another server.
    CreateElsewhere,
    /// A create that was issued before everything else.
    OlderCreate,
    /// The oldest command that waits is tried again.
    Retry,
    /// The oldest dead letter is replayed.
    Replay,
    /// A switch reaches what is wanted, and holds this where that is nothing.
    Push(EndState),
    /// A switch refuses.
    Refuse,
    /// The row is pushed once more: drift, `audit --fix`, a restore.
    PushAgain,
}

impl Step {
    /// As the diagrams name it.
    pub const fn cause(self) -> &'static str {
        match self {
            Self::Adopt => "adopt",
            Self::Create | Self::CreateElsewhere | Self::OlderCreate => "create",
            Self::Rotate => "rotate",
            Self::Move => "move",
            Self::Revoke => "revoke",
            Self::Retry => "retry",
            Self::Replay => "replay",
            Self::Push(_) => "pushed",
            Self::Refuse => "failed for good",
            Self::PushAgain => "drift or repair",
        }
    }
}

/// What is known of an address: states by what has them.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    pub rows: BTreeMap<i64, &'static str>,
    pub ports: BTreeMap<(i64, String), String>,
    pub commands: BTreeMap<String, &'static str>,
    /// The server of the newest row, and its ports that the address leaves.
    server_id: i64,
    leaving: BTreeSet<String>,
}

impl Seen {
    /// What decides about what may happen next, without the numbers of rows and commands. Commands go by the row's state and
    /// by which of them are left; rows by their ports too.
    pub fn kind(&self, of_commands: bool) -> String {
        let newest = self.rows.last_key_value();
        let row = newest.map(|(_, state)| state);
        if of_commands {
            let left: BTreeSet<_> =
                self.commands.values().filter(|state| !["active", "revoked"].contains(state)).collect();
            return format!("{row:?} {} {left:?}", self.server_id);
        }
        let of_newest = self.ports.iter().filter(|((row, _), _)| newest.is_some_and(|(id, _)| id == row));
        let ports: Vec<_> = of_newest.map(|((_, port), state)| (port, state)).collect();
        format!("{row:?} {} {ports:?} {:?}", self.server_id, self.leaving)
    }
}

/// One address on its way.
pub struct Walk<'a> {
    bench: &'a Bench,
    ip: String,
    sent: Vec<Incoming>,
    /// The command that was tried again or replayed last.
    pub again: Option<String>,
}

impl<'a> Walk<'a> {
    /// An address that nobody had before.
    pub fn new(bench: &'a Bench, number: usize) -> Self {
        Self { bench, ip: format!("10.77.{}.{}", number / 250, number % 250 + 1), sent: Vec::new(), again: None }
    }

    async fn rows(&self) -> Vec<Vmac> {
        let ip = Some(self.ip.parse().expect("an address"));
        self.bench.store.vmacs().find(&VmacFilter { ip, ..VmacFilter::default() }).await.expect("rows")
    }

    pub async fn see(&self) -> Seen {
        let mut seen = Seen::default();
        for row in self.rows().await {
            seen.rows.insert(row.id, row_state(&row));
            seen.server_id = row.server_id;
            seen.leaving.clear();
            for port in &row.switch_bindings {
                let name = port.switch.to_string();
                if port.leaving {
                    seen.leaving.insert(name.clone());
                }
                seen.ports.insert((row.id, name), port.state.to_string());
            }
        }
        for incoming in &self.sent {
            seen.commands.insert(incoming.key.0.clone(), self.command_state(&incoming.key).await);
        }
        seen
    }

    async fn command_state(&self, key: &MessageKey) -> &'static str {
        let command = self.bench.store.commands().get(key).await.expect("a command");
        match command.outcome {
            Some(outcome) => outcome.status.as_str(),
            None if command.command.vmac_id.is_none() => "waiting",
            None => "open",
        }
    }

    /// False where the step means nothing here.
    pub async fn step(&mut self, step: Step) -> bool {
        let row = self.rows().await.pop();
        let server_id = row.as_ref().map_or(1, |row| row.server_id);
        match step {
            Step::Adopt => row.is_none() && self.adopt().await,
            Step::Create => self.send(|key, ip| create(key, server_id, ip)).await,
            Step::CreateElsewhere => self.send(|key, ip| create(key, 3 - server_id, ip)).await,
            Step::Rotate => self.send(|key, ip| rotate(key, server_id, ip)).await,
            Step::Move => self.send(|key, ip| take(key, server_id, 3 - server_id, ip)).await,
            Step::Revoke => self.send(|key, ip| revoke(key, server_id, ip)).await,
            Step::OlderCreate => {
                let key = self.key("older");
                self.admit(issued(create(&key, server_id, &self.ip), 1)).await
            }
            Step::Retry => self.retry().await,
            Step::Replay => self.replay().await,
            Step::Push(end) => self.push(Some(end)).await,
            Step::Refuse => self.push(None).await,
            Step::PushAgain => match row {
                Some(row) if (row.status, row.desired) == (Status::Active, Desired::Bound) => {
                    let port = &row.switch_bindings[0];
                    self.bench.store.work().queue_again(&port.switch, &[row.id]).await.expect("queued");
                    true
                }
                _ => false,
            },
        }
    }

    fn key(&self, action: &str) -> String {
        format!("{}-{}-{action}", self.ip, self.sent.len())
    }

    async fn send(&mut self, incoming: impl Fn(&str, &str) -> Incoming) -> bool {
        let action = incoming("", &self.ip).command.action;
        let incoming = incoming(&self.key(action.as_str()), &self.ip);
        // Each after those before it, and after an adoption, which counts from now.
        let later_ms = 1_000 * (i64::try_from(self.sent.len()).expect("few") + 1);
        self.admit(issued(incoming, Utc::now().timestamp_millis() + later_ms)).await
    }

    async fn admit(&mut self, incoming: Incoming) -> bool {
        self.bench.admit(incoming.clone()).await;
        self.sent.push(incoming);
        true
    }

    async fn first_in(&self, state: &str) -> Option<usize> {
        for (at, incoming) in self.sent.iter().enumerate() {
            if self.command_state(&incoming.key).await == state {
                return Some(at);
            }
        }
        None
    }

    async fn retry(&mut self) -> bool {
        let Some(at) = self.first_in("waiting").await else { return false };
        let key = self.sent[at].key.0.clone();
        self.again = Some(key.clone());
        self.bench.execute(format!("UPDATE commands SET due_at_ms = 0 WHERE message_key = '{key}'")).await;
        self.bench.store.intake().claim_waiting(1_000).await.expect("commands");
        let arrival = Arrival { number: 1, is_kept: true };
        self.bench.admit(Incoming { arrival, ..self.sent[at].clone() }).await;
        true
    }

    async fn replay(&mut self) -> bool {
        let Some(at) = self.first_in("failed").await else { return false };
        self.sent[at].replay_number += 1;
        self.again = Some(self.sent[at].key.0.clone());
        self.bench.admit(self.sent[at].clone()).await;
        true
    }

    /// One of the row's switches is pushed to.
    async fn push(&self, end: Option<EndState>) -> bool {
        for name in ["sw-b", "sw-a"] {
            let ip = &self.ip;
            let is_ours = |item: &vmacd::store::WorkItem| item.vmac.ip_address.to_string() == *ip;
            if !self.bench.work(name).await.iter().any(is_ours) {
                continue;
            }
            let mut pushed = self
                .bench
                .pushed(name, |_, port| match (port.desired, end) {
                    (_, None) => Err(Failure::new(Code::RefusedBySwitch, "the switch said no")),
                    (Desired::Bound, Some(_)) => reached(EndState::Bound),
                    (Desired::Unbound, Some(end)) => reached(end),
                })
                .await;
            pushed.ends.retain(|result| result.wish.ip.to_string() == *ip);
            let ours: BTreeSet<i64> = pushed.ends.iter().map(|result| result.wish.vmac_id).collect();
            pushed.gathered.retain(|id, _| ours.contains(id));
            self.bench.settle_with(name, &pushed).await;
            return true;
        }
        false
    }

    async fn adopt(&self) -> bool {
        let octets: Vec<u8> = self.ip.split('.').map(|octet| octet.parse().expect("an octet")).collect();
        let found = Adoptable {
            server_id: 1,
            ip_address: self.ip.parse().expect("an address"),
            mac_address: format!("00:50:56:77:{:02x}:{:02x}", octets[2], octets[3]).parse().expect("a MAC"),
            vlan_name: None,
            ports: vec![FoundPort { switch: switch("sw-a"), interface: "ge-0/0/1.0".parse().expect("an interface") }],
        };
        self.bench.store.vmacs().adopt(&[found]).await.expect("adopted").len() == 1
    }
}

/// The status, and that the row is on its way off where it is.
pub fn row_state(row: &Vmac) -> &'static str {
    match (row.status, row.desired) {
        (Status::Pending, Desired::Bound) => "pending",
        (Status::Active, Desired::Bound) => "active",
        (Status::Failed, Desired::Bound) => "failed",
        (Status::Pending, Desired::Unbound) => "pending_off",
        (Status::Active, Desired::Unbound) => "active_off",
        (Status::Failed, Desired::Unbound) => "failed_off",
        (Status::Revoked, Desired::Unbound) => "revoked",
        (Status::Revoked, Desired::Bound) => panic!("a revoked row that wants to be bound: {row:?}"),
    }
}
