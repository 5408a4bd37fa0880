//! A full disk under the embedded engine: refused clearly, and over as soon as there is room.

use sqlx::{Connection, Row, SqliteConnection};
use vmacd::sim::Options;

use crate::scenario::world::World;
use crate::support::vmacd::{Output, Settings, run};
use crate::support::{Proxy, TinyDisk, run_dir, unique};

const DATABASE: &str = "vmacd.db";
/// What SQLite says (SQLITE_FULL).
const FULL: &str = "database or disk is full";
/// Creates that fit into the room which the write-ahead log has already, at most.
const CREATES_MAX: u32 = 200;

async fn create(world: &World, number: u32) -> Output {
    let (server, ip) = (world.server(0).to_string(), world.address(0, number));
    run(&["create", "--server", &server, "--ip", &ip], &world.settings).await
}

/// Creates until one is refused, and gives the number of the refused one with what it said.
async fn create_until_refused(world: &World, first: u32) -> (u32, Output) {
    for number in first..first + CREATES_MAX {
        let output = create(world, number).await;
        if output.code != Some(0) {
            return (number, output);
        }
    }
    panic!("{CREATES_MAX} creates fit on a full disk");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_and_everything_goes_on_by_itself_once_there_is_room() {
    let disk = TinyDisk::mount("16m").await;
    let settings = Settings::new().through(disk.prefix());
    let world = World::embedded_in(&disk.file(DATABASE), settings, Options { switches: 1, ..Options::default() }).await;
    let proxy = Proxy::start(&world.switches()[0].addr().to_string()).await;
    world.move_switch(0, proxy.port()).await;
    let mut serve = world.serve().await;
    proxy.black_hole();
    create(&world, 1).await.ok();
    world.until("pending", 1).await;
    disk.fill();
    let (refused, output) = create_until_refused(&world, 2).await;
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.stderr.contains(FULL), "{output:?}");
    // The push in hand goes on, and finds nowhere to write its results.
    proxy.restore();
    serve.wait_for_line(FULL).await;
    disk.make_room();
    let accepted = usize::try_from(refused).expect("small") - 1;
    world.until("active", accepted).await;
    world.assert_consistent().await;
    assert_eq!(world.vmacd(&["list"]).await.as_array().map(Vec::len), Some(accepted), "the refused one left a row");
    assert!(world.dead_letters().await.is_empty());
    create(&world, refused).await.ok();
    world.until("active", accepted + 1).await;
    world.assert_consistent().await;
    serve.sigterm();
    assert!(serve.wait().await.success(), "{}", serve.log());
    assert_intact(&disk).await;
}

async fn assert_intact(disk: &TinyDisk) {
    // SQLite follows the links in a path, which lead nowhere outside the namespace.
    let copy = run_dir().join(unique("copy")).with_extension("db");
    std::fs::copy(disk.outside(DATABASE), &copy).expect("a copy");
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", copy.display())).await.expect("the copy");
    let row = sqlx::query("PRAGMA integrity_check").fetch_one(&mut connection).await.expect("checked");
    assert_eq!(row.get::<String, _>(0), "ok");
}
