//! A table that has grown for years: the same work with ten thousand rows and with a hundred times as many.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, Executor};

use crate::options::Options;
use crate::process::resident_mb;
use crate::report::stats::{median, spread};
use crate::report::table::Row;
use crate::world::World;
use crate::world::flow::flow_with;
use crate::world::producer::Producer;
use crate::world::sims::Estate;
use crate::world::watch::Watch;
use crate::world::worker::Worker;

const NAME: &str = "growth";
const CREATES: usize = 2_000;
const GOAL: f64 = 1.2;

/// A world with many rows, and what was measured in it.
struct Grown {
    world: World,
    worker: Worker,
    producer: Producer,
    watch: Watch,
    rows: usize,
    seconds: Vec<f64>,
    resident_mb: f64,
}

pub async fn run(options: &Options) -> Vec<Row> {
    let sizes: &[usize] = options.of(&[10_000, 100_000], &[10_000, 1_000_000], &[10_000, 1_000_000, 10_000_000]);
    let mut worlds = Vec::new();
    for rows in sizes {
        worlds.push(Grown::new(*rows).await);
    }
    for round in 0..options.of(2, 4, 4) {
        for grown in &mut worlds {
            grown.measure(round).await;
        }
    }
    let (small, grown) = worlds.split_first().expect("sizes");
    grown.iter().flat_map(|grown| rows(small, grown)).collect()
}

fn rows(small: &Grown, grown: &Grown) -> [Row; 2] {
    // The first round opens the sessions.
    let (base, now) = (&small.seconds[1..], &grown.seconds[1..]);
    let ratio = median(now) / median(base);
    let size = grown.rows;
    let measured = format!("{ratio:.2} x: {} against {} s", spread(now, 2), spread(base, 2));
    let conditions = format!("{CREATES} creates at once, 50 switches, commit 0 s; alternating, {} rounds", base.len());
    let memory = grown.resident_mb / small.resident_mb;
    let resident = format!("{memory:.2} x: {:.0} against {:.0} MB", grown.resident_mb, small.resident_mb);
    [
        Row::goal(
            NAME,
            &format!("time with {size} rows / with {}", small.rows),
            measured,
            "<= 1.2 x",
            ratio <= GOAL,
            &conditions,
        ),
        Row::goal(
            NAME,
            &format!("worker's memory with {size} rows / with {}", small.rows),
            resident,
            "<= 1.2 x",
            memory <= GOAL,
            "resident after the last round",
        ),
    ]
}

impl Grown {
    async fn new(rows: usize) -> Self {
        let world = World::start(Estate { switches: 50, ports: 4, commit_time: "0s", sim_flags: "" }).await;
        fill(&world, rows).await;
        let worker = world.serve().await;
        let (watch, producer) = (Watch::start(&world).await, Producer::to(&world).await);
        Self { world, worker, producer, watch, rows, seconds: Vec::new(), resident_mb: 0.0 }
    }

    async fn measure(&mut self, round: usize) {
        let creates = self.world.creates(round * CREATES, CREATES);
        let flow = flow_with(&self.producer, &mut self.watch, &creates, Duration::from_secs(120)).await;
        self.seconds.push(flow.seconds);
        self.resident_mb = resident_mb(self.worker.pid());
        eprintln!("   {} rows: {:.2} s, {:.0} MB", self.rows, flow.seconds, self.resident_mb);
    }
}

/// Rows as years leave them: one in ten live, the others revoked, on addresses that were used again and again.
async fn fill(world: &World, rows: usize) {
    let mut connection = world.database.connect().await;
    let insert = format!(
        "INSERT INTO virtual_macs (server_id, ip_address, mac_address, vlan_name, status, desired, switch_bindings,
                                   created_at, updated_at, activated_at, revoked_at)
         SELECT 5000000 + n / 10, format('100.%s.%s.%s', n / 655360 % 256, n / 2560 % 256, n / 10 % 256),
                format('06:00:%s:%s:%s:%s', lpad(to_hex(n >> 24 & 255), 2, '0'), lpad(to_hex(n >> 16 & 255), 2, '0'),
                       lpad(to_hex(n >> 8 & 255), 2, '0'), lpad(to_hex(n & 255), 2, '0')),
                'VLAN.13', CASE WHEN n % 10 = 9 THEN 'active' ELSE 'revoked' END,
                CASE WHEN n % 10 = 9 THEN 'bound' ELSE 'unbound' END,
                jsonb_build_array(jsonb_build_object('switch', 'sw-' || n % 500, 'interface', 'ge-0/0/1.0',
                    'vlan', 'VLAN.13', 'mac', '02:00:00:00:00:01', 'state', 'bound', 'at', now())),
                now(), now(), now(), CASE WHEN n % 10 = 9 THEN NULL ELSE now() END
         FROM generate_series(0, {} - 1) AS n",
        rows
    );
    for statement in [insert.as_str(), "VACUUM ANALYZE virtual_macs", "CHECKPOINT"] {
        connection
            .execute(AssertSqlSafe(statement.to_owned()))
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
    let _ = connection.close().await;
}
