//! A clock that a test sets, for programs that believe in it: `libfaketime` under one process.

use super::{run_dir, unique};
use std::path::PathBuf;

/// The clock. Only the time of day is changed: what measures spans goes on as it was.
#[derive(Debug)]
pub struct SkewedClock {
    file: PathBuf,
}

impl SkewedClock {
    /// A clock that is right.
    pub fn start() -> Self {
        let clock = Self { file: run_dir().join(unique("clock")) };
        clock.skew("+0");
        clock
    }

    /// Sets it off by so much, such as `+1d` or `-2h`.
    pub fn skew(&self, by: &str) {
        // Renamed into place: a reader never sees half of it.
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("{by}\n")).expect("the run directory is writable");
        std::fs::rename(&new, &self.file).expect("the run directory is writable");
    }

    /// What to run programs through that are to have it: see [`Settings::through`](super::vmacd::Settings::through).
    pub fn prefix(&self) -> Vec<String> {
        let settings = [
            format!("LD_PRELOAD={}", library().display()),
            format!("FAKETIME_TIMESTAMP_FILE={}", self.file.display()),
            "FAKETIME_NO_CACHE=1".to_owned(),
            "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
        ];
        std::iter::once("/usr/bin/env".to_owned()).chain(settings).collect()
    }
}

fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").expect("/usr/lib").filter_map(Result::ok);
    let mut files = folders.map(|folder| folder.path().join("faketime/libfaketime.so.1"));
    files.find(|file| file.exists()).expect("libfaketime: tests/run installs it")
}
