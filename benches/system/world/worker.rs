//! The `vmacd` that is measured, and a worker of it.

use crate::support::vmacd::{Serve, Settings};
use crate::support::{free_port, http};

/// An executable `vmacd`.
#[derive(Clone, Debug)]
pub struct Program {
    path: String,
    /// What it is called in what is printed.
    pub name: &'static str,
}

impl Program {
    /// `VMACD_BENCH_BINARY`, or what was built with this program.
    pub fn measured() -> Self {
        let other = std::env::var("VMACD_BENCH_BINARY").ok();
        Self { path: other.unwrap_or_else(|| env!("CARGO_BIN_EXE_vmacd").to_owned()), name: "now" }
    }

    /// `VMACD_BENCH_BEFORE`: an earlier one to compare with.
    pub fn before() -> Option<Self> {
        Some(Self { path: std::env::var("VMACD_BENCH_BEFORE").ok()?, name: "before" })
    }

    pub fn path(&self) -> &str {
        &self.path
    }
}

/// A running `vmacd serve`; killed when dropped.
#[derive(Debug)]
pub struct Worker {
    process: Serve,
    metrics_url: String,
}

impl Worker {
    /// Starts one and waits until it is ready.
    pub async fn start(program: &Program, settings: &Settings) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let settings = settings.clone().set("VMACD_HTTP_ADDR", &address);
        let process = Serve::start_program(program.path(), &["serve"], &settings, "ready").await;
        Self { process, metrics_url: format!("http://{address}/metrics") }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// One figure of its `/metrics`, summed over its labels; 0 where it has none yet.
    pub async fn metric(&self, name: &str) -> f64 {
        let answer = http::get(&self.metrics_url, None).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let of = |line: &str| {
            let (series, value) = line.split_once(' ')?;
            (series.split('{').next() == Some(name)).then(|| value.trim().parse::<f64>().ok())?
        };
        answer.body.lines().filter_map(of).sum()
    }
}
