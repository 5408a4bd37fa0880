//! What breaks, by a seed: workers, servers, connections, switches, and operators in the way.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use vmacd::sim::SimHandle;

use super::arena::Arena;

/// Something that ends by itself later.
#[derive(Debug)]
enum Until {
    Resume(usize),
    RestoreAmqp,
    RestoreSql,
    StartRabbit,
    Unlock(usize),
    /// An operator commits the edit with this text.
    CommitEdit(usize, String),
}

pub struct Trouble {
    rng: StdRng,
    pending: Vec<(Instant, Until)>,
    counts: BTreeMap<&'static str, usize>,
    /// Switches that an operator is at.
    busy: Vec<bool>,
    /// The newest edit that an operator committed on each switch.
    pub edits: BTreeMap<usize, String>,
}

/// What happens, and how often among a thousand.
const KINDS: [(&str, u32); 12] = [
    ("fault", 400),
    ("operator edit", 150),
    ("operator lock", 80),
    ("reboot", 50),
    ("expiry", 60),
    ("kill a worker", 90),
    ("pause a worker", 70),
    ("stop a worker", 30),
    ("cut connections", 30),
    ("swallow packets", 25),
    // Each of these takes the whole soak some seconds.
    ("kill Postgres", 11),
    ("kill RabbitMQ", 4),
];

impl Trouble {
    pub fn new(rng: StdRng, arena: &Arena) -> Self {
        let busy = vec![false; arena.switches().len()];
        Self { rng, pending: Vec::new(), counts: BTreeMap::new(), busy, edits: BTreeMap::new() }
    }

    /// One thing breaks, and those whose time has come mend.
    pub async fn step(&mut self, arena: &mut Arena) {
        tokio::time::sleep(Duration::from_millis(self.rng.random_range(50..300))).await;
        self.end_what_is_due(arena, Instant::now());
        arena.supervise();
        let kind = KINDS.choose_weighted(&mut self.rng, |(_, weight)| *weight).expect("weights").0;
        if self.happen(kind, arena) {
            *self.counts.entry(kind).or_default() += 1;
        }
    }

    /// Says whether it could happen now.
    fn happen(&mut self, kind: &str, arena: &mut Arena) -> bool {
        let switch = self.rng.random_range(0..arena.switches().len());
        let worker = self.rng.random_range(0..arena.workers.len());
        match kind {
            "fault" => self.fault(&arena.switches()[switch]),
            "operator edit" => return self.edit(switch, arena),
            "operator lock" => return self.lock(switch, arena),
            // An operator's uncommitted edits would go with a reboot; that is no harm of ours.
            "reboot" | "expiry" if self.busy[switch] => return false,
            "reboot" => arena.switches()[switch].reboot(self.span(200, 1_500)),
            "expiry" => return arena.switches()[switch].expire_commit(),
            "kill a worker" => {
                arena.workers[worker].kill9();
                arena.restart(worker);
            }
            "stop a worker" => arena.workers[worker].sigterm(),
            "pause a worker" => return self.pause(worker, arena),
            "cut connections" => {
                arena.brokers.cut();
                arena.sql.cut();
                self.later(50, 1_000, Until::RestoreAmqp);
                self.later(50, 1_000, Until::RestoreSql);
            }
            "swallow packets" if self.rng.random_bool(0.5) => {
                arena.brokers.black_hole();
                self.later(500, 6_000, Until::RestoreAmqp);
            }
            "swallow packets" => {
                arena.sql.black_hole();
                self.later(500, 6_000, Until::RestoreSql);
            }
            "kill Postgres" => arena.base.break_down(),
            "kill RabbitMQ" => {
                self.later(500, 5_000, Until::StartRabbit);
                return arena.brokers.crash(worker);
            }
            other => unreachable!("{other}"),
        }
        true
    }

    fn fault(&mut self, sim: &SimHandle) {
        let names = SimHandle::fault_names();
        let name = names.choose(&mut self.rng).expect("faults");
        let parameter = match *name {
            "reboot" => ":500",
            "slow_reply" => ":1500",
            _ => "",
        };
        sim.set_fault(&format!("{name}{parameter}@1")).expect("a fault");
    }

    fn edit(&mut self, switch: usize, arena: &Arena) -> bool {
        let text = format!("chaos {}", self.counts.values().sum::<usize>());
        let edit = format!("set snmp location \"{text}\"");
        if self.busy[switch] || arena.switches()[switch].operator_edit(&edit).is_err() {
            return false;
        }
        self.busy[switch] = true;
        self.later(50, 1_500, Until::CommitEdit(switch, text));
        true
    }

    fn lock(&mut self, switch: usize, arena: &Arena) -> bool {
        if self.busy[switch] || arena.switches()[switch].operator_lock().is_err() {
            return false;
        }
        self.busy[switch] = true;
        self.later(50, 2_500, Until::Unlock(switch));
        true
    }

    /// Longer than the lease lasts, half of the time.
    fn pause(&mut self, worker: usize, arena: &mut Arena) -> bool {
        let paused = self.pending.iter().any(|(_, until)| matches!(until, Until::Resume(of) if *of == worker));
        if paused || !arena.workers[worker].is_running() {
            return false;
        }
        arena.workers[worker].signal("STOP");
        self.later(200, 4_500, Until::Resume(worker));
        true
    }

    fn span(&mut self, min_ms: u64, max_ms: u64) -> Duration {
        Duration::from_millis(self.rng.random_range(min_ms..max_ms))
    }

    fn later(&mut self, min_ms: u64, max_ms: u64, until: Until) {
        let at = Instant::now() + self.span(min_ms, max_ms);
        self.pending.push((at, until));
    }

    fn end_what_is_due(&mut self, arena: &mut Arena, now: Instant) {
        let (due, pending) = std::mem::take(&mut self.pending).into_iter().partition(|(at, _)| *at <= now);
        self.pending = pending;
        let due: Vec<(Instant, Until)> = due;
        due.into_iter().for_each(|(_, until)| self.end(until, arena));
    }

    fn end(&mut self, until: Until, arena: &mut Arena) {
        match until {
            Until::Resume(worker) if arena.workers[worker].is_running() => arena.workers[worker].signal("CONT"),
            Until::Resume(_) => {}
            Until::RestoreAmqp => arena.brokers.restore(),
            Until::RestoreSql => arena.sql.restore(),
            Until::StartRabbit => arena.brokers.recover(),
            Until::Unlock(switch) => {
                arena.switches()[switch].operator_unlock();
                self.busy[switch] = false;
            }
            Until::CommitEdit(switch, text) => {
                let sim = &arena.switches()[switch];
                self.busy[switch] = false;
                // A fault's reboot takes an operator's edits along: then there is nothing to commit.
                if sim.is_dirty() {
                    sim.operator_commit().expect("nobody takes an operator's edits away");
                    self.edits.insert(switch, text);
                }
                sim.operator_unlock();
            }
        }
    }

    /// Everything is whole again.
    pub async fn mend(&mut self, arena: &mut Arena) {
        let all = std::mem::take(&mut self.pending);
        all.into_iter().for_each(|(_, until)| self.end(until, arena));
        arena.brokers.restore();
        arena.sql.restore();
        arena.switches().iter().for_each(SimHandle::clear_faults);
        arena.supervise();
    }

    /// What happened, by kind.
    pub fn summary(&self) -> String {
        let total: usize = self.counts.values().sum();
        format!("{total} things that broke: {:?}", self.counts)
    }
}
