//! The receiver of `docs/WEBHOOKS.md`, run as it stands there.

use tokio::process::Command;

use super::{allowing, create};
use crate::scenario::world::World;
use crate::support::vmacd::run;
use crate::support::{eventually, free_port, run_dir, unique};

const PAGE: &str = include_str!("../../../docs/WEBHOOKS.md");

/// The block of code under a heading.
fn block(heading: &str) -> String {
    let (_, under) = PAGE.split_once(&format!("## {heading}\n")).expect("the heading");
    let lines = under.lines().skip_while(|line| !line.starts_with("    "));
    let code = lines.take_while(|line| line.starts_with("    ") || line.is_empty());
    code.map(|line| line.strip_prefix("    ").unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_receiver_takes_what_is_signed_once_and_nothing_else() {
    let world = allowing(World::embedded(1, 1).await).await;
    let (port, script) = (free_port(), run_dir().join(unique("receiver")).with_extension("py"));
    std::fs::write(&script, block("A receiver")).expect("a file");
    let url = format!("http://127.0.0.1:{port}/events");
    let added = world.vmacd(&["webhooks", "add", &url, "--name", "py", "--event", "vmac.active"]).await;
    let secret = added["secret"].as_str().expect("a secret");
    let out = script.with_extension("out");
    let mut receiver = Command::new("python3");
    receiver.arg("-u").arg(&script).env("WEBHOOK_SECRET", secret).env("PORT", port.to_string()).kill_on_drop(true);
    receiver.stdout(std::fs::File::create(&out).expect("a file"));
    let _receiver = receiver.spawn().expect("python3 runs");
    let printed = || std::fs::read_to_string(&out).expect("text");
    eventually("the test is taken", async || run(&["webhooks", "test", "py"], &world.settings).await.code == Some(0))
        .await;
    let _serve = world.serve().await;
    create(&world, 0, 1, &["--wait"]).await;
    let line = format!("vmac.active {}", world.address(0, 1));
    eventually("the event is taken", async || if printed().contains(&line) { Ok(()) } else { Err(printed()) }).await;
    world.vmacd(&["webhooks", "rotate", "py"]).await;
    run(&["webhooks", "test", "py"], &world.settings).await.ok();
    world.vmacd(&["webhooks", "rotate", "py"]).await;
    let refused = run(&["webhooks", "test", "py"], &world.settings).await;
    assert!(refused.stderr.contains("HTTP 401"), "its secret signs no longer: {refused:?}");
}
