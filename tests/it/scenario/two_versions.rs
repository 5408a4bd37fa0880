//! The binary of the version before and this one, side by side under load, and the tables brought up to date in between.
//!
//! `VMACD_TEST_FORMER=PATH tests/run two_versions`: it takes a binary of another commit, so CI does not run it.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::world::World;
use crate::support::postgres::fresh_database;
use crate::support::vmacd::{Serve, Settings, run, run_program};
use crate::support::{Rabbit, eventually, size};

const SERVERS: usize = 8;

/// A load that goes on whatever the workers do: creates, and revokes of every fourth.
struct Load<'a> {
    world: &'a World,
    published: u32,
}

impl Load<'_> {
    async fn publish(&mut self, count: u32) {
        for number in self.published..self.published + count {
            let (server, of_server) = (number as usize % SERVERS, 1 + number / SERVERS as u32);
            self.world.command("create", server, of_server, &format!("c-{number}")).await;
            if number % 4 == 3 {
                self.world.command("revoke", server, of_server, &format!("r-{number}")).await;
            }
        }
        self.published += count;
    }

    /// Waits until all of it is done, and says how long that took.
    async fn done(&self, phase: &str) {
        let since = Instant::now();
        let revoked = self.published / 4;
        eventually(&format!("{phase}: everything is done"), async || {
            let count = async |sql| u32::try_from(self.world.database().count(sql).await).expect("a number");
            let active = count("SELECT COUNT(*) FROM virtual_macs WHERE status = 'active'").await;
            let gone = count("SELECT COUNT(*) FROM virtual_macs WHERE status = 'revoked'").await;
            if (active, gone) == (self.published - revoked, revoked) { Ok(()) } else { Err((active, gone)) }
        })
        .await;
        eprintln!(
            "{phase}: {} creates, {revoked} revokes in all; done {} ms after the last",
            self.published,
            since.elapsed().as_millis()
        );
    }
}

async fn is_ready(serve: &Serve, what: &str) {
    eventually(&format!("{what} is ready"), async || match serve.get("/readyz").await {
        (200, _) => Ok(()),
        (_, body) => Err(body),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_versions_share_a_database_and_a_broker_while_the_tables_are_brought_up_to_date_and_back() {
    let Ok(former) = std::env::var("VMACD_TEST_FORMER") else {
        eprintln!("not tested here: VMACD_TEST_FORMER names no binary");
        return;
    };
    let database = fresh_database().await;
    let settings = Settings::new().set("VMACD_DATABASE_URL", database.url());
    run_program(&former, &["migrate"], &settings).await.ok();
    let world = World::real_in(
        &Rabbit::shared(),
        database,
        &former,
        vmacd::sim::Options { switches: SERVERS / 2, ports_per_switch: 2, ..Default::default() },
    )
    .await;
    let settings = world.settings.clone().set("VMACD_DATABASE_MIGRATE", "never");
    let part: u32 = size("VMACD_TEST_PART", 100, 500);
    let mut load = Load { world: &world, published: 0 };

    let mut first = Serve::start_version(&former, &settings).await;
    let second = Serve::start_version(&former, &settings).await;
    load.publish(part).await;

    let plan = run(&["migrate", "--plan", "--json"], &settings).await.json();
    assert_eq!(plan["workers_go_on"], true, "{plan}");
    let names = |plan: &Value| {
        plan["migrations"].as_array().expect("a list").iter().map(|of| of["name"].to_string()).collect::<Vec<_>>()
    };
    let since = Instant::now();
    let (_, migrated) = tokio::join!(load.publish(part), run(&["migrate"], &settings));
    migrated.ok();
    eprintln!("migrated under load within {} ms: {:?}", since.elapsed().as_millis(), names(&plan));
    for worker in [&first, &second] {
        // Longer than what is known of the tables may be old.
        tokio::time::sleep(Duration::from_secs(3)).await;
        is_ready(worker, "the former version with the newer tables").await;
    }
    load.done("the former version alone, tables migrated under it").await;

    let mut newer = Serve::start(&settings).await;
    first.sigterm();
    first.wait().await;
    load.publish(part).await;
    load.done("one worker of each version").await;

    newer.sigterm();
    newer.wait().await;
    // Back again: the former version starts on the newer tables.
    let back = Serve::start_version(&former, &settings).await;
    is_ready(&back, "the former version, started anew").await;
    load.publish(part).await;
    load.done("back to the former version").await;

    assert_eq!(world.dead_letters().await.len(), 0);
    world.assert_consistent().await;
    let twice = "SELECT COUNT(*) - COUNT(DISTINCT mac_address) FROM virtual_macs";
    assert_eq!(world.database().count(twice).await, 0);
}
