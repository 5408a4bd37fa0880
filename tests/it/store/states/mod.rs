//! The states of rows, ports, commands and pushes: every step from every state that is reached, on SQLite, and the diagrams
//! of `docs/STATES.md` drawn from what happened.

mod walk;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use vmacd::domain::plan::EndState;
use vmacd::domain::{Pool, RetryPolicy, Strategy};
use vmacd::store::{PushResults, PushState, StoreOptions};

use super::bench::Bench;
use crate::support::drawn::assert_drawn;
use walk::{Seen, Step, Walk};

const PAGE: &str = "docs/STATES.md";

/// Transitions: from, to, and what made them.
#[derive(Default)]
struct Edges(BTreeMap<(String, String), BTreeSet<&'static str>>);

impl Edges {
    fn add<K: Ord, S: AsRef<str>>(
        &mut self,
        before: &BTreeMap<K, S>,
        after: &BTreeMap<K, S>,
        cause: impl Fn(&K) -> &'static str,
    ) {
        for key in before.keys().chain(after.keys()) {
            let state = |of: &BTreeMap<K, S>| of.get(key).map_or("[*]".to_owned(), |state| state.as_ref().to_owned());
            let (from, to) = (state(before), state(after));
            if from != to {
                self.0.entry((from, to)).or_default().insert(cause(key));
            }
        }
    }

    fn lines(&self) -> Vec<String> {
        let line = |((from, to), causes): (&(String, String), &BTreeSet<&str>)| {
            format!("    {from} --> {to} : {}", causes.iter().copied().collect::<Vec<_>>().join(", "))
        };
        self.0.iter().map(line).collect()
    }
}

/// What all walks came to.
#[derive(Default)]
struct Drawing {
    rows: Edges,
    ports: Edges,
    commands: Edges,
}

impl Drawing {
    /// Takes every step from every state that at most `depth` steps lead to.
    async fn explore(&mut self, bench: &Bench, steps: &[Step], depth: usize) {
        let of_commands = steps.contains(&Step::Replay);
        let mut known = BTreeSet::from([Seen::default().kind(of_commands)]);
        let mut waiting: VecDeque<Vec<Step>> = VecDeque::from([Vec::new()]);
        let mut number = 0;
        while let Some(path) = waiting.pop_front() {
            for step in steps.iter().filter(|step| **step != Step::Move || !path.contains(&Step::Move)) {
                let mut walk = Walk::new(bench, number);
                number += 1;
                for step in &path {
                    walk.step(*step).await;
                }
                let before = walk.see().await;
                if !walk.step(*step).await {
                    continue;
                }
                let after = walk.see().await;
                self.add(&before, &after, *step, walk.again.as_deref());
                // What is left of this walk is nobody's business any more.
                bench.execute("DELETE FROM switch_work".to_owned()).await;
                if path.len() + 1 < depth && known.insert(after.kind(of_commands)) {
                    waiting.push_back(path.iter().copied().chain([*step]).collect());
                }
            }
        }
        eprintln!("{number} walks, {} states", known.len());
    }

    fn add(&mut self, before: &Seen, after: &Seen, step: Step, again: Option<&str>) {
        self.rows.add(&before.rows, &after.rows, |_| step.cause());
        self.ports.add(&before.ports, &after.ports, |_| step.cause());
        self.commands.add(&before.commands, &after.commands, |key| match step {
            Step::Push(_) | Step::Refuse => step.cause(),
            Step::Retry | Step::Replay if again == Some(key.as_str()) => step.cause(),
            _ if before.commands.contains_key(key) => "newer command",
            _ => "arrives",
        });
    }
}

const OF_ROWS: [Step; 8] = [
    Step::Adopt,
    Step::Create,
    Step::Rotate,
    Step::Move,
    Step::Revoke,
    Step::Push(EndState::Restored),
    Step::Refuse,
    Step::PushAgain,
];

const OF_COMMANDS: [Step; 9] = [
    Step::Create,
    Step::Rotate,
    Step::Revoke,
    Step::CreateElsewhere,
    Step::OlderCreate,
    Step::Retry,
    Step::Replay,
    Step::Push(EndState::Removed),
    Step::Refuse,
];

fn diagram(edges: &Edges, names: &[(&str, &str)]) -> Vec<String> {
    let names = names.iter().map(|(state, name)| format!("    state \"{name}\" as {state}"));
    std::iter::once("stateDiagram-v2".to_owned()).chain(names).chain(edges.lines()).collect()
}

/// A bench whose commands are given up after two attempts.
async fn bench(pools: Vec<Pool>) -> Bench {
    let mut bench = Bench::sqlite().await;
    let retry = RetryPolicy { attempts_max: 2, ..RetryPolicy::default() };
    let pools = vmacd::domain::Pools::new(pools).expect("pools");
    let options = StoreOptions { retry, pools, ..StoreOptions::default() };
    bench.store = bench.open(options).await;
    bench
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_states_of_rows_and_ports_are_those_of_the_page() {
    let mut drawing = Drawing::default();
    drawing.explore(&bench(Vec::new()).await, &OF_ROWS, 6).await;
    // An address that always has the same MAC has one row for ever; and a revoke may leave nothing on the port.
    let by_address = super::pools::pool("default", Strategy::FromAddress, "02", &[]);
    let steps = [Step::Create, Step::Revoke, Step::Push(EndState::Removed), Step::Refuse];
    drawing.explore(&bench(vec![by_address]).await, &steps, 6).await;
    let names = [
        ("pending_off", "pending, to be unbound"),
        ("active_off", "active, to be unbound"),
        ("failed_off", "failed, to be unbound"),
    ];
    assert_drawn(PAGE, "rows", &diagram(&drawing.rows, &names));
    assert_drawn(PAGE, "ports", &diagram(&drawing.ports, &[]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_states_of_commands_are_those_of_the_page() {
    let mut drawing = Drawing::default();
    drawing.explore(&bench(Vec::new()).await, &OF_COMMANDS, 6).await;
    assert_drawn(PAGE, "commands", &diagram(&drawing.commands, &[]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_states_of_pushes_are_those_of_the_page() {
    let bench = Bench::sqlite().await;
    let mut edges = Edges::default();
    let state = async |id: &str| bench.store.pushes().get(id).await.ok().map(|push| (id.to_owned(), push.state));
    let causes = [
        (PushState::Confirmed, "read back and confirmed"),
        (PushState::Refused, "refused by the switch"),
        (PushState::NotApplied, "rolled back, or never happened"),
    ];
    for (end, cause) in causes {
        let id = format!("p-{}", end.as_str());
        let lease = bench.lease("sw-a").await;
        let before = state(&id).await.into_iter().collect();
        let sent = super::leases::sent(&id);
        bench
            .store
            .pushes()
            .record_sent(&lease, &sent, super::leases::NO_LIMITS)
            .await
            .expect("written")
            .expect("allowed");
        let during = state(&id).await.into_iter().collect();
        edges.add(&before, &during, |_| "its commit is about to be sent");
        let ends = [(id.clone(), end)];
        bench
            .store
            .pushes()
            .record(&lease, &PushResults { ends: &ends, ..PushResults::default() })
            .await
            .expect("settled");
        edges.add(&during, &state(&id).await.into_iter().collect(), |_| cause);
    }
    assert_drawn(PAGE, "pushes", &diagram(&edges, &[]));
}
