//! What one create alone costs the database, what many at once cost it, and what a worker asks that has nothing to do.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::measure::counts::Counts;
use crate::measure::statements::{self, Statement};
use crate::options::Options;
use crate::report::table::Row;
use crate::world::flow::flow_with;
use crate::world::producer::Producer;
use crate::world::sims::Estate;
use crate::world::watch::Watch;
use crate::world::{Create, World};

const NAME: &str = "cost";
const SWITCHES: usize = 10;
/// From the event of one create to the next create: what follows an event is counted with its create.
const PAUSE: Duration = Duration::from_millis(300);
const GOAL_TRANSACTIONS: f64 = 8.0;
const GOAL_STATEMENTS: f64 = 24.0;
const GOAL_SYNCS: f64 = 4.0;

/// A span of time.
struct Span {
    counts: Counts,
    statements: Vec<Statement>,
    /// The work itself.
    working_s: f64,
    /// With the wait for Postgres' counts.
    seconds: f64,
}

struct Bench {
    world: World,
    producer: Producer,
    watch: Watch,
}

pub async fn run(options: &Options) -> Vec<Row> {
    let world = World::start(Estate { switches: SWITCHES, ports: 10, commit_time: "0s", sim_flags: "" }).await;
    // The worker's sessions begin after it.
    statements::log_all(&world).await;
    autovacuum(&world, "off").await;
    // The page images that follow a checkpoint come with the creates that are not counted.
    world.database.execute("CHECKPOINT".to_owned()).await;
    let _worker = world.serve().await;
    let (watch, producer) = (Watch::start(&world).await, Producer::to(&world).await);
    let mut bench = Bench { world, producer, watch };
    let (alone, together) = (options.of(20, 50, 200), options.of(500, 2_000, 5_000));
    let all = bench.world.creates(0, 4 * SWITCHES + alone + together);
    let (warm, rest) = all.split_at(4 * SWITCHES);
    bench.one_at_a_time(warm).await;
    let busy = bench.span(async |bench| bench.one_at_a_time(&rest[..alone]).await).await;
    let seconds = busy.working_s;
    let idle = bench.span(async |_| tokio::time::sleep(Duration::from_secs_f64(seconds)).await).await;
    bench.list_one(&rest[alone - 1..=alone]).await;
    let pushes = bench.pushes().await;
    let mark = statements::mark();
    let burst = bench.span(async |bench| bench.at_once(&rest[alone + 1..]).await).await;
    print_longest(mark);
    let pushes = bench.pushes().await - pushes;
    autovacuum(&bench.world, "on").await;
    print_idle(&idle);
    [alone_rows(&busy, &idle, alone), burst_rows(&burst, &idle, together - 1, pushes), idle_rows(&idle)].concat()
}

/// It would write to the log when it likes.
async fn autovacuum(world: &World, value: &str) {
    world.database.execute(format!("ALTER SYSTEM SET autovacuum = {value}")).await;
    world.database.execute("SELECT pg_reload_conf()".to_owned()).await;
}

impl Bench {
    async fn span(&mut self, work: impl AsyncFnOnce(&mut Self)) -> Span {
        let (before, mark, began) = (Counts::of(&self.world).await, statements::mark(), Instant::now());
        work(self).await;
        let working_s = began.elapsed().as_secs_f64();
        let counts = Counts::of(&self.world).await - before;
        Span { counts, statements: statements::since(mark), working_s, seconds: began.elapsed().as_secs_f64() }
    }

    async fn one_at_a_time(&mut self, creates: &[Create]) {
        for create in creates {
            self.at_once(std::slice::from_ref(create)).await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn at_once(&mut self, creates: &[Create]) {
        flow_with(&self.producer, &mut self.watch, creates, Duration::from_secs(120)).await;
    }

    async fn pushes(&self) -> f64 {
        self.world.database.count("SELECT count(*) FROM pushes").await as f64
    }

    /// Prints the statements of the last of these, in their order.
    async fn list_one(&mut self, creates: &[Create]) {
        let create = creates.last().expect("a create");
        let mark = statements::mark();
        self.one_at_a_time(std::slice::from_ref(create)).await;
        let statements = statements::since(mark);
        let began = statements.first().map_or(0.0, |first| first.at_ms);
        let mut backends: Vec<&str> = Vec::new();
        eprintln!("   the statements of one create: ms, connection, text");
        for statement in &statements {
            let known = backends.iter().position(|backend| *backend == statement.backend);
            let connection = known.unwrap_or_else(|| {
                backends.push(&statement.backend);
                backends.len() - 1
            });
            eprintln!("   {:6.0} c{connection} {}", statement.at_ms - began, statement.shortened(160));
        }
    }
}

fn alone_rows(busy: &Span, idle: &Span, creates: usize) -> Vec<Row> {
    let each = (busy.counts - idle.counts).each(creates as f64);
    let statements = (busy.statements.len() as f64 - idle.statements.len() as f64) / creates as f64;
    let conditions = format!(
        "the average of {creates} creates one at a time, one every {:.2} s, {SWITCHES} switches, sessions open; what the idle \
         worker asks in the same time taken off; no autovacuum meanwhile",
        busy.working_s / creates as f64
    );
    let goal = |what: &str, figure: f64, goal: f64, conditions: &str| {
        let (measured, limit) = (format!("{figure:.1}"), format!("<= {goal:.0}"));
        Row::goal(NAME, &format!("one create alone: {what}"), measured, &limit, figure <= goal, conditions)
    };
    vec![
        goal("transactions", each.transactions, GOAL_TRANSACTIONS, &conditions),
        goal(
            "statements",
            statements,
            GOAL_STATEMENTS,
            "BEGIN and COMMIT too; from the server's log of all statements",
        ),
        goal("syncs of Postgres' log", each.syncs, GOAL_SYNCS, "pg_stat_wal"),
        Row::context(NAME, "one create alone: log and dead rows", log_and_dead(each), "the change and its push"),
    ]
}

fn burst_rows(burst: &Span, idle: &Span, creates: usize, pushes: f64) -> Vec<Row> {
    let share = burst.seconds / idle.seconds;
    let of = |count: f64| {
        let each = (burst.counts - idle.counts.each(1.0 / share)).each(count);
        let statements = (burst.statements.len() as f64 - idle.statements.len() as f64 * share) / count;
        format!(
            "{:.1} transactions, {statements:.1} statements, {:.2} syncs, {}",
            each.transactions,
            each.syncs,
            log_and_dead(each)
        )
    };
    let conditions = format!(
        "{creates} creates at once, {SWITCHES} switches, commit 0 s; {:.1} changes a push",
        creates as f64 / pushes
    );
    vec![
        Row::context(NAME, "many at once: each change", of(creates as f64), &conditions),
        Row::context(NAME, "many at once: each push", of(pushes), &format!("{pushes:.0} pushes")),
    ]
}

fn idle_rows(idle: &Span) -> Vec<Row> {
    let each = idle.counts.each(idle.seconds);
    let a_second = |wanted: &dyn Fn(&Statement) -> bool| {
        idle.statements.iter().filter(|statement| wanted(statement)).count() as f64 / idle.seconds
    };
    let is_work = |statement: &Statement| statement.text.contains("switch_work");
    let reads = a_second(&|statement| is_work(statement) && !statement.writes());
    let writes = a_second(&|statement| is_work(statement) && statement.writes());
    let all = format!(
        "{:.1} statements, {:.2} of them writes; {:.2} syncs, {:.0} bytes of log",
        a_second(&|_| true),
        a_second(&Statement::writes),
        each.syncs,
        each.wal_bytes
    );
    let conditions = format!("{:.0} s", idle.seconds);
    let (work, met) = (format!("{reads:.2} reads, {writes:.2} writes"), reads < 1.1 && writes == 0.0);
    vec![
        Row::goal(
            NAME,
            "nothing to do: the statements about work that waits, a second",
            work,
            "1 read, 0 writes",
            met,
            &conditions,
        ),
        Row::context(NAME, "nothing to do: all that a worker asks, a second", all, &conditions),
    ]
}

fn log_and_dead(each: Counts) -> String {
    let Counts { wal_bytes, dead, dead_hot, .. } = each;
    format!(
        "{:.1} KB of log, {dead:.1} dead rows ({dead_hot:.1} of them by updates that touch no index)",
        wal_bytes / 1000.0
    )
}

/// What took Postgres' time since then.
fn print_longest(mark: u64) {
    eprintln!("   many at once, what took Postgres' time: ms in all, how often, text");
    for (text, count, took_ms) in statements::longest_since(mark).into_iter().take(25) {
        eprintln!("   {took_ms:8.1} {count:5} {}", text.chars().take(160).collect::<String>());
    }
}

/// What the idle worker asks, most often first.
fn print_idle(idle: &Span) {
    let mut texts: BTreeMap<&str, usize> = BTreeMap::new();
    for statement in &idle.statements {
        *texts.entry(&statement.text).or_default() += 1;
    }
    let mut texts: Vec<_> = texts.into_iter().collect();
    texts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    eprintln!("   the statements of an idle worker in {:.0} s: how often, text", idle.seconds);
    for (text, count) in texts {
        eprintln!("   {count:6} {}", text.chars().take(160).collect::<String>());
    }
}
