//! Clocks that jump, and a clock that does not answer: nothing that waits is given up for it.

use serde_json::Value;

use super::freeze::metric;
use super::world::World;
use crate::support::vmacd::Serve;
use crate::support::{SkewedClock, eventually};

/// Gives the database a clock of the test's own, which `fake.settings` makes jump or refuse. What is in `pg_catalog` is
/// found first unless the search path says otherwise.
async fn with_a_clock_of_its_own(world: &World) {
    let name = world.database().name();
    world
        .database()
        .execute(format!(
            "CREATE SCHEMA fake;
             CREATE TABLE fake.settings (jump interval NOT NULL, refuses boolean NOT NULL);
             INSERT INTO fake.settings VALUES (interval '0', false);
             CREATE FUNCTION fake.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql VOLATILE AS $$
             BEGIN
                 IF (SELECT refuses FROM fake.settings) THEN RAISE EXCEPTION 'the clock is being wound'; END IF;
                 RETURN pg_catalog.clock_timestamp() + (SELECT jump FROM fake.settings);
             END $$;
             ALTER DATABASE {name} SET search_path = public, fake, pg_catalog"
        ))
        .await;
}

async fn set(world: &World, what: &str) {
    world.database().execute(format!("UPDATE fake.settings SET {what}")).await;
}

fn last_line_is_of(serve: &Serve, day: &str) -> bool {
    serve.log().lines().rev().take(1).any(|line| line.starts_with(day))
}

async fn came_again(serve: &Serve, times: f64) {
    eventually("its message came again and again", async || {
        let retried = metric(serve, "vmacd_retries_total{code=\"locked_by_other\"}").await;
        if retried >= times { Ok(()) } else { Err(retried) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_by_a_day_ends_nothing_that_waits() {
    let mut world = World::real(1, 1).await;
    world.settings = world.settings.clone().set("VMACD_RETRY_AGE_MAX_MS", 3_600_000);
    with_a_clock_of_its_own(&world).await;
    let serve = world.serve().await;
    world.switches()[0].set_fault("lock_denied").expect("a fault");
    world.command("create", 0, 1, "waits").await;
    came_again(&serve, 2.0).await;
    for (jump, retries) in [("interval '1 day'", 5.0), ("interval '-1 day'", 8.0)] {
        set(&world, &format!("jump = {jump}")).await;
        came_again(&serve, retries).await;
    }
    let logged = async || serve.log().matches("no longer agree").count() >= 2;
    eventually("both jumps are in the log", logged).await;
    assert_eq!(world.dead_letters().await, Vec::<Value>::new());
    world.switches()[0].clear_faults();
    world.until("active", 1).await;
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workers_own_clock_may_jump_both_ways_while_another_works_beside_it() {
    let mut world = World::real(2, 2).await;
    world.settings = world.settings.clone().set("VMACD_RETRY_AGE_MAX_MS", 3_600_000);
    let clock = SkewedClock::start();
    let skewed = Serve::start(&world.settings.clone().through(clock.prefix())).await;
    world.switches()[0].set_fault("lock_denied").expect("a fault");
    world.command("create", 0, 1, "waits").await;
    came_again(&skewed, 2.0).await;
    let other = world.serve().await;
    for (number, days) in (2..).zip([1, -1, 3_600, 0]) {
        clock.skew(&format!("{days:+}d"));
        for index in [2, 3] {
            world.command("create", index, number, &format!("m-{index}-{number}")).await;
        }
        world.until("active", 2 * (number as usize - 1)).await;
        let day = (chrono::Utc::now() + chrono::Duration::days(days)).format("%Y-%m-%dT").to_string();
        let logged = async || last_line_is_of(&skewed, &day);
        // While both work, chance decides which of them tries the locked switch again, and says so in its log.
        other.signal("STOP");
        eventually("it works on by its own clock", logged).await;
        other.signal("CONT");
    }
    assert_eq!(world.dead_letters().await, Vec::<Value>::new());
    world.switches()[0].clear_faults();
    world.until("active", 9).await;
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_refuses_the_question_for_the_time_is_waited_for_and_nothing_is_given_up() {
    let world = World::real(1, 1).await;
    with_a_clock_of_its_own(&world).await;
    let serve = world.serve().await;
    world.switches()[0].set_fault("lock_denied").expect("a fault");
    world.command("create", 0, 1, "before").await;
    came_again(&serve, 1.0).await;
    set(&world, "refuses = true").await;
    world.command("create", 0, 2, "meanwhile").await;
    world.switches()[0].clear_faults();
    let refused = async || serve.log().matches("the clock is being wound").count() >= 10;
    eventually("the refusals are in the log", refused).await;
    set(&world, "refuses = false").await;
    world.until("active", 2).await;
    assert_eq!(world.dead_letters().await, Vec::<Value>::new());
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_that_does_not_tell_its_time_does_not_end_what_waits_for_a_confirmation() {
    let world = World::real(1, 1).await;
    let switch = &world.switches()[0];
    switch.operator_commit_confirmed("set system host-name trial", 10).expect("committed");
    switch.set_fault("time_refused").expect("a fault");
    let serve = world.serve().await;
    world.command("create", 0, 1, "waits").await;
    eventually("it waits for the confirmation", async || {
        metric(&serve, "vmacd_retries_total{code=\"confirm_pending\"}").await >= 2.0
    })
    .await;
    let row = world.with_status("pending").await.remove(0);
    let text = row["failure_text"].as_str().expect("a text");
    assert!(text.contains("waits for its confirmation") && text.contains("permission denied"), "{text}");
    assert_eq!(world.dead_letters().await, Vec::<Value>::new());
    switch.operator_commit().expect("the operator confirms");
    world.until("active", 1).await;
    world.assert_consistent().await;
}
