//! The disk under Postgres is full. Rows that do not fit are refused; where its log has no room either, the server ends itself.

use vmacd::sim::Options;

use crate::scenario::world::World;
use crate::support::postgres::Postgres;
use crate::support::vmacd::{Output, run};
use crate::support::{TinyDisk, eventually};

/// What Postgres says (SQLSTATE 53100, or as it panics over its log).
const FULL: &str = "No space left on device";
/// Creates that may fit into the pages that the tables have already.
const CREATES_MAX: u32 = 2_000;
const SERVERS: usize = 8;

async fn create(world: &World, number: u32) -> Output {
    let (server, address) = (number as usize % SERVERS, number / SERVERS as u32 + 1);
    run(
        &["create", "--server", &world.server(server).to_string(), "--ip", &world.address(server, address)],
        &world.settings,
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_postgres_loses_nothing_and_everything_goes_on_once_there_is_room_on_a_private_server() {
    let disk = TinyDisk::mount("120m").await;
    let mut postgres = Postgres::private_on(&disk);
    let options = Options { switches: 1, ports_per_switch: SERVERS, ..Options::default() };
    let world = World::on_postgres(postgres.url(), options).await;
    let mut serve = world.serve().await;
    create(&world, 1).await.ok();
    world.until("active", 1).await;
    disk.fill();
    // The broker keeps what the database cannot: each create is published and waits there.
    let mut accepted = 1;
    for number in 2.. {
        if serve.log().contains(FULL) || !postgres.is_running() {
            break;
        }
        assert!(number < CREATES_MAX, "{CREATES_MAX} creates fit on a full disk");
        accepted += usize::from(create(&world, number).await.code == Some(0));
    }
    disk.make_room();
    // A server that ended itself is started again, as its supervisor would.
    eventually("the server runs", async || {
        if postgres.is_running() {
            return true;
        }
        postgres.start_again_on(&disk);
        false
    })
    .await;
    let rows = world.until("active", accepted).await;
    assert!(rows.iter().all(|row| row["attempts"] == 0), "{rows:?}");
    assert!(world.dead_letters().await.is_empty());
    world.assert_consistent().await;
    serve.sigterm();
    assert!(serve.wait().await.success(), "{}", serve.log());
}
