//! A control group with little memory, for programs of a test.

use std::path::{Path, PathBuf};

/// The group; removed with the value, once nothing runs in it any more.
#[derive(Debug)]
pub struct MemoryGroup {
    dir: PathBuf,
    /// The file with the number of processes that the kernel killed for want of memory.
    kills: &'static str,
}

impl MemoryGroup {
    /// Makes one beside this process's other groups; none where the machine does not allow it: `tests/run` found that out, and
    /// says at its end that it was not tested.
    pub fn make(mib: u64) -> Option<Self> {
        let Ok(parent) = std::env::var("VMACD_TEST_MEMORY_GROUP") else {
            eprintln!("not tested here: this machine allows no control groups");
            return None;
        };
        let dir = Path::new(&parent).join(super::unique("vmacd"));
        std::fs::create_dir(&dir).expect("a control group");
        let is_first_version = dir.join("memory.limit_in_bytes").exists();
        let (limit, kills) = if is_first_version {
            ("memory.limit_in_bytes", "memory.oom_control")
        } else {
            ("memory.max", "memory.events")
        };
        std::fs::write(dir.join(limit), (mib << 20).to_string()).expect("a limit");
        Some(Self { dir, kills })
    }

    /// What to run programs through that are to be in it: see [`Settings::through`](super::vmacd::Settings::through).
    pub fn prefix(&self) -> Vec<String> {
        let procs = self.dir.join("cgroup.procs").display().to_string();
        let script = format!("echo $$ > {procs} && exec \"$0\" \"$@\"");
        vec!["/bin/sh".to_owned(), "-c".to_owned(), script]
    }

    /// How many processes the kernel has killed here.
    pub fn kills(&self) -> u64 {
        let text = std::fs::read_to_string(self.dir.join(self.kills)).expect("the group");
        let line = text.lines().find_map(|line| line.strip_prefix("oom_kill ")).expect("the kernel counts");
        line.trim().parse().expect("a number")
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // A process that was just reaped is counted a moment longer.
        for _ in 0..1_000 {
            if std::fs::remove_dir(&self.dir).is_ok() {
                return;
            }
            std::thread::yield_now();
        }
    }
}
