//! A switch as slow as an old EX, and what a push asks of it.
//!
//! Every answer takes 400 ms, a configuration of 1 MB with 2,000 bindings comes at 150 KB a second, and a commit takes
//! 12 s. What commit confirmed and confirmation take is the switch's; all the rest is counted here by the switch itself.

use std::time::{Duration, Instant};

use crate::measure::holds::{Hold, holds};
use crate::options::Options;
use crate::report::stats::{median, spread};
use crate::report::table::Row;
use crate::world::flow::flow_with;
use crate::world::peers;
use crate::world::producer::Producer;
use crate::world::sims::Estate;
use crate::world::watch::Watch;
use crate::world::worker::Worker;
use crate::world::{Create, World};

const NAME: &str = "slow";
const ESTATE: Estate = Estate {
    switches: 1,
    ports: 48,
    commit_time: "12s",
    sim_flags: "--rpc-time 400ms --read-rate 150KB/s --bindings 2000 --config-size 1MB",
};
const CONDITIONS: &str = "1 switch: 400 ms an answer, 150 KB/s, commit 12 s, 1 MB with 2,000 bindings";
const LIMIT: Duration = Duration::from_secs(600);
/// Within this time what the switch holds is read again after a push.
const QUIET: Duration = Duration::from_secs(40);
/// Of many creates that come at once, those that the switch refuses.
const REFUSED: usize = 3;

/// The slow switch, and a worker that knows it.
struct Slow {
    world: World,
    _worker: Worker,
    watch: Watch,
    producer: Producer,
    /// The creates so far.
    made: usize,
}

/// One create on a switch that is known.
struct Alone {
    hold: Hold,
    seconds: f64,
}

pub async fn run(options: &Options) -> Vec<Row> {
    let mut slow = Slow::start().await;
    let mut alone = Vec::new();
    for _ in 0..options.of(1, 3, 5) {
        alone.push(slow.alone().await);
    }
    let mut rows = rows_alone(&alone);
    let count = options.of(200, 1_000, 1_000);
    let held_s: f64 = slow.at_once(count).await.iter().map(Hold::held_s).sum();
    rows.push(slow.refused(options.of(100, 500, 500)).await);
    // The peer has its own switch: this one's worker must not take CPU from it.
    drop(slow);
    rows.push(against_peer(options, count, held_s / count as f64).await);
    rows
}

impl Slow {
    async fn start() -> Self {
        let world = World::start(ESTATE).await;
        let worker = world.serve().await;
        let (watch, producer) = (Watch::start(&world).await, Producer::to(&world).await);
        let mut slow = Self { world, _worker: worker, watch, producer, made: 0 };
        // The first one reads everything.
        slow.at_once(1).await;
        slow
    }

    fn creates(&mut self, count: usize) -> Vec<Create> {
        self.made += count;
        self.world.creates(self.made - count, count)
    }

    async fn alone(&mut self) -> Alone {
        tokio::time::sleep(QUIET).await;
        let began = Instant::now();
        let mut holds = self.at_once(1).await;
        let seconds = began.elapsed().as_secs_f64();
        assert_eq!(holds.len(), 1, "one push: {holds:?}");
        Alone { hold: holds.remove(0), seconds }
    }

    /// Makes so many creates at once, and returns what the switch counted meanwhile.
    async fn at_once(&mut self, count: usize) -> Vec<Hold> {
        let before = holds(&self.world).await.len();
        let creates = self.creates(count);
        flow_with(&self.producer, &mut self.watch, &creates, LIMIT).await;
        holds(&self.world).await.split_off(before)
    }

    /// Has three of so many creates refused: they ask for MACs that an operator has bound on their ports.
    async fn refused(&mut self, count: usize) -> Row {
        let mut creates = self.creates(count);
        for (nth, at) in [7, count / 2, count - 1].into_iter().enumerate() {
            let mac = format!("06:fe:00:00:00:{nth:02x}");
            bind_as_operator(&self.world, &creates[at], &format!("10.254.0.{}", nth + 1), &mac).await;
            creates[at].mac = Some(mac);
        }
        self.world.sims.order("sw-001 commit").await;
        let (before, active) = (holds(&self.world).await.len(), self.watch.count());
        self.producer.publish_all(&creates).await;
        let done = self.watch.until(active + count - REFUSED, LIMIT).await;
        done.unwrap_or_else(|seen| panic!("{} of {count} creates were active", seen - active));
        self.watch.until_failed(REFUSED, LIMIT).await;
        let holds = holds(&self.world).await.split_off(before);
        let commits: usize = holds.iter().map(Hold::commits).sum();
        let conditions = format!("on that switch, with confirmations and refused ones; {} pushes", holds.len());
        let what = format!("{count} changes of which {REFUSED} are refused: commits");
        Row::goal(NAME, &what, commits.to_string(), "<= 12", commits <= 12, &conditions)
    }
}

/// Binds a MAC on the port of that create, in the shared candidate.
async fn bind_as_operator(world: &World, create: &Create, ip: &str, mac: &str) {
    let port = format!("ethernet-switching-options secure-access-port interface {}", create.interface);
    let binding = format!("static-ip {ip} vlan {} mac {mac}", create.vlan);
    world.sims.order(&format!("sw-001 edit set {port} {binding}")).await;
}

fn rows_alone(alone: &[Alone]) -> Vec<Row> {
    let of = |figure: fn(&Alone) -> f64| alone.iter().map(figure).collect::<Vec<_>>();
    let requests = of(|one| one.hold.requests() as f64);
    let (trips, bytes) = (of(|one| one.hold.round_trips as f64), of(|one| one.hold.bytes as f64));
    let locked = of(|one| one.hold.held_s() - one.hold.committing_s());
    let whole = of(|one| one.seconds - one.hold.committing_s());
    let conditions = format!("one create, {CONDITIONS}");
    let goal = |what, figures: &[f64], digits, unit: &str, text, most: f64| {
        let measured = format!("{}{unit}", spread(figures, digits));
        Row::goal(NAME, what, measured, text, median(figures) <= most, &conditions)
    };
    vec![
        goal("requests while the switch is locked", &requests, 0, "", "<= 8", 8.0),
        goal("their round trips", &trips, 0, "", "<= 6", 6.0),
        goal("bytes from the switch meanwhile", &bytes, 0, "", "<= 20,000", 20_000.0),
        goal("locked beyond commit confirmed and confirmation", &locked, 2, " s", "<= 3 s", 3.0),
        goal("the create beyond these", &whole, 2, " s", "<= 4 s", 4.0),
    ]
}

/// The peer makes one push for each create: a sample of them tells what a thousand would take.
async fn against_peer(options: &Options, creates: usize, held_s: f64) -> Row {
    let sample = options.of(2, 5, 10);
    let peer = peers::run("celery_pyez_careful", ESTATE, sample, 600).await;
    let peer_held_s = peer.switch_seconds / peer.creates_done as f64;
    let ratio = peer_held_s / held_s;
    let all_s = [held_s, peer_held_s].map(|seconds| seconds * creates as f64);
    let measured = format!("{ratio:.0} x fewer: {:.0} s against {:.0} s", all_s[0], all_s[1]);
    let conditions =
        format!("{creates} creates at once on that switch; the peer's figure is {sample} creates, multiplied");
    let what = "switch-seconds locked, against the careful peer";
    Row::goal(NAME, what, measured, ">= 200 x fewer", ratio >= 200.0, &conditions)
}
