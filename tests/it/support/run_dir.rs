//! The directory of this run, and names that no other test has.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use vmacd::sim::DuplicateScope;

/// The directory of this test run. Panics with what to do when the tests were not started through `tests/run`.
pub fn run_dir() -> PathBuf {
    PathBuf::from(setting("VMACD_TEST_DIR"))
}

/// A variable that `tests/servers` exports.
pub fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run tests/run, or `eval \"$(tests/servers up)\"` before cargo nextest run")
    })
}

/// A number that whoever runs the tests may give.
pub fn number<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// A size that whoever runs the tests may give by this name; else the first, or the second in a long run
/// (`tests/run --long`).
pub fn size<T: std::str::FromStr>(name: &str, short: T, long: T) -> T {
    number(name).unwrap_or(if is_long() { long } else { short })
}

/// The rule of duplicates that whoever runs the tests gives simulated switches (`VMACD_TEST_DUPLICATES`), in place of the
/// likely one of their dialect.
pub fn duplicates() -> Option<DuplicateScope> {
    match std::env::var("VMACD_TEST_DUPLICATES").ok()?.as_str() {
        "none" => Some(DuplicateScope::Off),
        "port" => Some(DuplicateScope::Interface),
        "vlan" => Some(DuplicateScope::Vlan),
        "switch" => Some(DuplicateScope::Switch),
        other => panic!("VMACD_TEST_DUPLICATES={other}: expected none, port, vlan or switch"),
    }
}

/// True in a long run.
pub fn is_long() -> bool {
    std::env::var_os("VMACD_TEST_LONG").is_some()
}

/// `prefix` with an ending that no other test of this run has: fit for databases, queues and files.
pub fn unique(prefix: &str) -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    // A long run comes by the same process number more than once, and what a test leaves in the shared servers stays.
    static PROCESS: LazyLock<u32> = LazyLock::new(rand::random);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}_{}_{:08x}_{count}", std::process::id(), *PROCESS)
}
