//! The primary's host goes silent, as one without power does: nobody says that its connections are gone. And a server that
//! answers, but takes no writes any more.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use vmacd::sim::Options;

use crate::scenario::world::World;
use crate::support::pair::Pair;
use crate::support::{Proxy, eventually};

const DATABASE: &str = "postgres";
const ADMITTED: &str = "SELECT count(*) FROM commands";

fn one_switch() -> Options {
    Options { switches: 1, ports_per_switch: 2, ..Options::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_goes_silent_is_left_for_the_promoted_one_long_before_a_statement_times_out_on_private_servers() {
    let mut pair = Pair::start().await;
    let [one, other] = pair.authorities();
    let (to_one, to_other) = (Proxy::start(&one).await, Proxy::start(&other).await);
    let through = |port: u16| format!("127.0.0.1:{port}");
    let url = pair.url(DATABASE).replace(&one, &through(to_one.port())).replace(&other, &through(to_other.port()));
    let world = World::on_postgres(&url, one_switch()).await;
    let serve = world.serve().await;
    world.command("create", 0, 1, "before").await;
    world.until("active", 1).await;
    to_one.black_hole();
    let began = Instant::now();
    pair.promote().await;
    world.command("create", 0, 2, "after").await;
    eventually("it is admitted", async || pair.count(DATABASE, ADMITTED).await == 2).await;
    let took = began.elapsed();
    // Statements have 30 seconds, and the pool five for a connection.
    assert!(took < Duration::from_secs(10), "it took {took:?}");
    world.until("active", 2).await;
    world.assert_consistent().await;
    assert!(serve.log().contains("another host of the database takes the writes now"), "{}", serve.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_writes_any_more_blames_no_message_and_is_used_again_once_it_does() {
    let world = World::real(1, 1).await;
    let mut serve = world.serve().await;
    world.command("create", 0, 1, "before").await;
    world.until("active", 1).await;
    let name = world.database().name();
    let set = async |value: &str| {
        let mut connection = PgConnection::connect(world.database().url().as_str()).await.expect("a connection");
        let statement = format!("ALTER DATABASE {name} SET default_transaction_read_only = {value}");
        // The test's own session would be read-only as well.
        sqlx::query("SET default_transaction_read_only = off").execute(&mut connection).await.expect("set");
        sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.expect("set");
    };
    set("on").await;
    let end = format!(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}' AND application_name = 'vmacd'"
    );
    world.database().execute(end).await;
    world.command("create", 0, 2, "meanwhile").await;
    serve.wait_for_line("cannot execute").await;
    set("off").await;
    world.until("active", 2).await;
    assert!(world.dead_letters().await.is_empty());
    assert!(!serve.log().contains("one by one"), "a batch was blamed: {}", serve.log());
    world.assert_consistent().await;
}
