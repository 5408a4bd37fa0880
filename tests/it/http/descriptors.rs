//! A worker with few file descriptors, or none left.

use std::process::Command;

use super::{Crowd, HALF};
use crate::scenario::world::World;
use crate::support::vmacd::Serve;
use crate::support::{Proxy, Rabbit, eventually};

/// Starts a worker that may have so many files open.
async fn serve_with(world: &World, files_max: u32) -> Serve {
    let script = format!("ulimit -n {files_max} && exec \"$0\" \"$@\"");
    let prefix = vec!["/bin/sh".to_owned(), "-c".to_owned(), script];
    Serve::start(&world.settings.clone().through(prefix)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn with_few_descriptors_and_many_clients_a_good_order_becomes_active() {
    let world = World::real(4, 1).await;
    let mut serve = serve_with(&world, 80).await;
    serve.wait_for_line("raise the limit of open files").await;
    let crowd = Crowd::gather(&serve, 700, &["", HALF]);
    eventually("the crowd is there", async || crowd.opened() >= 700).await;
    for number in 1..=5 {
        for index in 0..4 {
            world.command("create", index, number, &format!("m-{index}-{number}")).await;
        }
    }
    let rows = world.until("active", 20).await;
    assert!(rows.iter().all(|row| row["attempts"] == 0), "{rows:?}");
    assert!(world.dead_letters().await.is_empty());
    assert!(!serve.log().contains("unreachable"), "a switch was blamed");
    assert!(serve.is_running());
    world.assert_consistent().await;
}

/// Lets a process open no file more, or as many as it may.
fn limit_files(serve: &Serve, files_max: &str) {
    let (pid, limit) = (serve.pid().to_string(), format!("--nofile={files_max}:"));
    let status = Command::new("prlimit").args(["--pid", &pid, &limit]).status();
    assert!(status.is_ok_and(|status| status.success()), "prlimit, of util-linux");
}

/// The lowest number that no open file of the process has: a limit of so many leaves none for another.
fn next_file(serve: &Serve) -> u32 {
    let open = |number: &u32| std::path::Path::new(&format!("/proc/{}/fd/{number}", serve.pid())).is_symlink();
    (0..).find(|number| !open(number)).expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_descriptors_blames_no_switch_and_goes_on_once_it_has_some() {
    let mut world = World::real(3, 1).await;
    // One switch by its address, one by a name: the resolver needs descriptors of its own.
    world.inventory["switches"][2]["host"] = "localhost".into();
    world.import(&world.inventory).await;
    let serve = world.serve().await;
    world.command("create", 0, 1, "m-0").await;
    world.until("active", 1).await;
    limit_files(&serve, &next_file(&serve).to_string());
    for index in [1, 2] {
        world.command("create", index, 1, &format!("m-{index}")).await;
    }
    for index in [1, 2] {
        let switch = world.switch_of(index);
        eventually("what the worker lacks is told", async || {
            serve.log().lines().any(|line| line.contains("worker_trouble") && line.contains(&switch))
        })
        .await;
    }
    limit_files(&serve, "1024");
    let rows = world.until("active", 3).await;
    assert!(rows.iter().all(|row| row["attempts"] == 0), "{rows:?}");
    let switches = world.vmacd(&["switches", "list"]).await.to_string();
    assert!(!switches.contains("worker_trouble") && !serve.log().contains("unreachable"), "{switches}");
    assert!(world.dead_letters().await.is_empty());
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_has_no_descriptors_to_connect_again_goes_on_once_it_has_some() {
    let rabbit = Rabbit::shared();
    let proxy = Proxy::start(rabbit.authority()).await;
    let mut world = World::real(2, 1).await;
    world.settings = world.settings.clone().set("VMACD_AMQP_URL", rabbit.url_through(proxy.port()));
    let mut serve = world.serve().await;
    world.command("create", 0, 1, "m-0").await;
    world.until("active", 1).await;
    // None that is closed from here on is had again.
    limit_files(&serve, "3");
    proxy.cut();
    serve.wait_for_line("not consuming").await;
    proxy.restore();
    let backends =
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'", world.database().name());
    world.database().execute(format!("{backends} AND pid <> pg_backend_pid()")).await;
    world.command("create", 1, 1, "m-1").await;
    eventually("what it lacks is told", async || serve.log().contains("Too many open files")).await;
    limit_files(&serve, "1024");
    world.until("active", 2).await;
    eventually("it answers again", async || serve.get("/readyz").await.0 == 200).await;
    assert!(serve.is_running() && world.dead_letters().await.is_empty());
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_descriptors_waits_a_moment_before_it_takes_the_next_connection() {
    let world = World::embedded(1, 1).await;
    let mut serve = world.serve().await;
    let used = cpu_ticks(&serve);
    limit_files(&serve, &next_file(&serve).to_string());
    let crowd = Crowd::gather(&serve, 20, &[HALF]);
    serve.wait_for_line("cannot accept connections").await;
    eventually("the crowd is there", async || crowd.opened() >= 20).await;
    limit_files(&serve, "1024");
    drop(crowd);
    eventually("it answers again", async || serve.get("/healthz").await.0 == 200).await;
    assert_eq!(serve.log().matches("cannot accept connections").count(), 1, "one line in ten seconds");
    assert!(cpu_ticks(&serve) - used < 300, "it used three seconds of CPU for nothing");
}

/// Time that the process has used, in ticks of ten milliseconds (proc(5), fields 14 and 15).
fn cpu_ticks(serve: &Serve) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", serve.pid())).expect("a running process");
    let fields = stat.rsplit_once(')').expect("a name").1.split_whitespace().skip(11).take(2);
    fields.map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
}
