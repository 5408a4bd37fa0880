//! Runs a peer of `benches/peers` against switches of its own.

use serde::Deserialize;
use tokio::process::Command;

use crate::support::Rabbit;
use crate::world::sims::{Estate, Sims};

/// What a peer prints.
#[derive(Debug, Deserialize)]
pub struct PeerRun {
    pub creates_done: usize,
    pub seconds: f64,
    pub failed: usize,
    /// Time the switches were locked, summed over all pushes.
    pub switch_seconds: f64,
}

impl PeerRun {
    pub fn per_second(&self) -> f64 {
        self.creates_done as f64 / self.seconds
    }
}

/// Has a peer do so many creates on fresh switches.
pub async fn run(peer: &str, estate: Estate, creates: usize, limit_s: u32) -> PeerRun {
    let sims = Sims::start(estate).await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/run");
    let mut command = Command::new(script);
    command.args([peer, "--amqp", Rabbit::shared().url()]).arg("--inventory").arg(sims.inventory_file());
    command.args(["--creates", &creates.to_string(), "--seconds", &limit_s.to_string()]).kill_on_drop(true);
    let output = command.stderr(std::process::Stdio::inherit()).output().await.expect("benches/peers/run");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{peer}: {}", output.status);
    let run: PeerRun = serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{peer}: {error} in {text}"));
    eprintln!("   {peer}: {run:?}");
    assert!(run.creates_done > 0 && run.failed == 0, "{peer}: {run:?}");
    run
}
