//! The example of `docs/HOOKS.md`, run as it stands there.

use tokio::process::Command;

use super::with_file;
use crate::scenario::world::World;
use crate::support::vmacd::Serve;

const PAGE: &str = include_str!("../../../docs/HOOKS.md");

/// The block of code under a heading.
fn block(heading: &str) -> String {
    let (_, under) = PAGE.split_once(&format!("## {heading}\n")).expect("the heading");
    let lines = under.lines().skip_while(|line| !line.starts_with("    "));
    let code = lines.take_while(|line| line.starts_with("    ") || line.is_empty());
    code.map(|line| line.strip_prefix("    ").unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn the_documented_hook_takes_the_documented_request() {
    let world = World::embedded(1, 1).await;
    let serve = Serve::start(&with_file(&world.settings, &block("Settings"))).await;
    let script = block("A request by hand")
        .replace("http://127.0.0.1:8080", &serve.http_url())
        .replace("1042", &world.server(0).to_string())
        .replace("10.0.48.6", &world.address(0, 1));
    let output = Command::new("bash").args(["-euc", &script]).kill_on_drop(true).output().await.expect("bash runs");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(printed.starts_with("HTTP/1.1 202"), "{output:?}");
    let row = &world.until("active", 1).await[0];
    assert_eq!((row["requested_by"].as_str(), row["reference"].as_str()), (Some("billing"), Some("7781")), "{row}");
}
