//! What is said when something is wrong: what it is, and what to do.

use serde_json::Value;
use sqlx::Executor;

use super::world::World;
use crate::support::postgres::fresh_database;
use crate::support::vmacd::{Output, Serve, Settings, run};
use crate::support::{Rabbit, eventually, free_port, run_dir, unique};

/// Asserts that the error says these words and its hint those.
#[track_caller]
pub fn assert_advised(output: &Output, words: &str, hint: &str) {
    assert_ne!(output.code, Some(0), "{output:?}");
    let error = output.stderr.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
    let hinted = output.stderr.lines().find(|line| line.starts_with("hint: ")).unwrap_or_default();
    assert!(error.contains(words) && hinted.contains(hint), "{output:?}");
}

#[tokio::test]
async fn tables_that_are_missing_old_or_new_are_told_apart() {
    let database = fresh_database().await;
    let settings = Settings::new().set("VMACD_DATABASE_URL", database.url());
    assert_advised(&run(&["list"], &settings).await, "no tables", "vmacd migrate");
    run(&["migrate"], &settings).await.ok();
    run(&["list"], &settings).await.ok();
    let mut connection = database.connect().await;
    connection.execute("UPDATE _sqlx_migrations SET version = version + 1000").await.expect("changed");
    assert_advised(&run(&["list"], &settings).await, "newer", "install the version");
    connection.execute("DELETE FROM _sqlx_migrations WHERE version > 1001").await.expect("changed");
    connection.execute("UPDATE _sqlx_migrations SET version = 1").await.expect("changed");
    assert_advised(&run(&["list"], &settings).await, "older (version 1)", "vmacd migrate");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_login_may_not_declare_uses_what_is_there_or_says_what_is_missing() {
    let world = World::real(1, 1).await;
    let login = Rabbit::shared().login(["^$", ".*", ".*"]);
    let limited = world.settings.clone().set("VMACD_AMQP_URL", &login.url);
    let missing = run(&["serve"], &limited).await;
    assert_advised(&missing, "this login may not declare it", "a login that may configure");
    assert_eq!(missing.code, Some(2));
    assert_eq!(missing.stderr.matches("ACCESS_REFUSED").count(), 1, "{missing:?}");
    let server = world.server(0).to_string();
    // A login that may declares everything.
    run(&["create", "--server", &server, "--ip", &world.address(0, 1)], &world.settings).await.ok();
    let _worker = Serve::start(&limited).await;
    run(&["create", "--server", &server, "--ip", &world.address(0, 2), "--wait"], &limited).await.ok();
    world.until("active", 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_a_worker_lacks_is_reported_once_and_it_goes_on_when_it_has_it() {
    let world = World::real(1, 1).await;
    let server = world.server(0).to_string();
    run(&["revoke", "--server", &server, "--ip", &world.address(0, 9)], &world.settings).await.ok();
    let login = Rabbit::shared().login(["^$", ".*", "vmac.dead$"]);
    let limited = world.settings.clone().set("VMACD_AMQP_URL", &login.url).set("VMACD_LOG", "info");
    let mut worker = Serve::spawn(&limited);
    let line = worker.wait_for_line("not consuming").await;
    assert!(line.contains("vmac.commands' in vhost") && line.contains(&login.user), "{line}");
    Rabbit::shared().ctl(&["set_permissions", &login.user, "^$", ".*", ".*"]);
    let body = world.body(0, 1).to_string();
    world.publish("vmac.create", Some("m-1"), body.as_bytes()).await;
    world.until("active", 1).await;
    assert_eq!(worker.log().matches("not consuming").count(), 1, "{}", worker.log());
}

#[tokio::test]
async fn what_rabbitmq_refuses_is_said_once_with_what_to_do() {
    let world = World::embedded(1, 1).await;
    let url = Rabbit::shared().url().to_owned();
    let user = Rabbit::shared().login(["^$", ".*", ".*"]);
    // Since 4.3 such a one is not told whether anything is there.
    let stranger = Rabbit::shared().login(["^$", "^$", "^$"]);
    for (url, said, hint) in [
        (url.replace("guest:guest", "guest:wrong"), "ACCESS_REFUSED", "check user and password"),
        (url.replace("%2f", "none"), "NOT_ALLOWED", "the virtual host"),
        (user.url.clone(), "ACCESS_REFUSED", "a login that may configure"),
        (stranger.url.clone(), "ACCESS_REFUSED", "grant this login the permission"),
    ] {
        let settings = world.settings.clone().set("VMACD_AMQP_URL", url);
        let settings = settings.set("VMACD_BROKER_NAMESPACE", Rabbit::namespace());
        let refused = run(&["create", "--server", "1", "--ip", "10.0.0.9"], &settings).await;
        assert_advised(&refused, said, hint);
        assert_eq!((refused.code, refused.stderr.matches(said).count()), (Some(2), 1), "{refused:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_reached_is_named_by_its_setting() {
    let nowhere = Settings::new().set("VMACD_DATABASE_URL", format!("postgres://u:p@127.0.0.1:{}/none", free_port()));
    assert_advised(&run(&["list"], &nowhere).await, "cannot connect to the database", "VMACD_DATABASE_URL");
    let world = World::embedded(1, 1).await;
    let no_broker = world.settings.clone().set("VMACD_AMQP_URL", format!("amqp://u:p@127.0.0.1:{}", free_port()));
    let created = run(&["create", "--server", "1", "--ip", "10.0.0.9"], &no_broker).await;
    assert_advised(&created, "RabbitMQ", "VMACD_AMQP_URL");
    let no_token = world.settings.clone().set("VMACD_HTTP_ADDR", "0.0.0.0:0");
    assert_advised(&run(&["serve"], &no_token).await, "api.token", "VMACD_API_TOKEN");
    assert_advised(&run(&["list", "--config", "no-such.toml"], &world.settings).await, "no-such.toml", "VMACD_CONFIG");
}

#[tokio::test]
async fn a_name_that_is_not_known_is_answered_with_the_nearest() {
    let world = World::embedded(1, 1).await;
    let settings = &world.settings;
    for verb in
        [["switches", "check", "sw-01"].as_slice(), &["backups", "list", "sw-01"], &["list", "--switch", "sw-01"]]
    {
        assert_advised(&run(verb, settings).await, "there is no switch sw-01", "did you mean `sw-001`?");
    }
    let typo = run(&["dead-letters", "list", "--reason", "unreachble"], settings).await;
    assert_advised(&typo, "`unreachble`", "did you mean `unreachable`?");
    let _worker = world.serve().await;
    let server = format!("{}1", world.server(0));
    let created = run(&["create", "--server", &server, "--ip", "10.0.0.9", "--wait"], settings).await;
    assert_advised(&created, "unknown_server", &format!("did you mean `{}`?", world.server(0)));
    eventually("the dead letter is collected", async || world.dead_letters().await.len() == 1).await;
    let other = run(&["dead-letters", "list", "--reason", "zzz"], settings).await;
    assert_advised(&other, "`zzz`", "waiting dead letters have unknown_server");
}

#[tokio::test]
async fn a_changed_host_key_names_the_verb_that_pins_the_new_one() {
    let world = World::embedded(1, 1).await;
    let other = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let mut inventory = world.inventory.clone();
    inventory["switches"][0]["host_key"] = other.into();
    let file = run_dir().join(unique("inventory")).with_extension("json");
    std::fs::write(&file, inventory.to_string()).expect("a file");
    run(&["inventory", "import", &file.display().to_string()], &world.settings).await.ok();
    let checked = run(&["switches", "check", "sw-001"], &world.settings).await;
    assert_advised(&checked, other, "vmacd switches trust");
}

#[tokio::test]
async fn with_json_an_error_is_an_object() {
    let world = World::embedded(1, 1).await;
    let output = run(&["switches", "check", "sw-01", "--json"], &world.settings).await;
    let fault: Value = serde_json::from_str(output.stderr.trim()).expect("JSON");
    insta::assert_snapshot!(fault.to_string(), @r#"{"code":"not_found","hint":"did you mean `sw-001`?","text":"there is no switch sw-01"}"#);
}
