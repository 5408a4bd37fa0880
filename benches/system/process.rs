//! What a process used, as the kernel counts it.

use crate::support::run_dir;

/// Seconds of CPU that the process has used, in user and kernel mode.
pub fn cpu_seconds(pid: u32) -> f64 {
    ticks(pid, 2)
}

/// The first so many of user and kernel time, and those of the children that have ended (proc(5): fields 14 to 17 of
/// `stat`), in ticks of 1/100 s on every Linux of today.
fn ticks(pid: u32, count: usize) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name, field 2, may hold anything; it ends with the last bracket.
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields).split(' ').skip(11).take(count);
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// The same of a process with all of its children, those that have ended too: a database, a broker.
pub fn tree_cpu_seconds(pid: u32) -> f64 {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|child| child.parse().ok());
    ticks(pid, 4) + children.map(tree_cpu_seconds).sum::<f64>()
}

/// The process id of a server that `tests/servers` started.
pub fn server_pid(name: &str) -> u32 {
    let file = run_dir().join("pids").join(name);
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    text.trim().parse().expect("a process id")
}

/// The most memory it has had resident, MB.
pub fn peak_memory_mb(pid: u32) -> f64 {
    memory_mb(pid, "VmHWM:")
}

/// The memory it has resident now, MB.
pub fn resident_mb(pid: u32) -> f64 {
    memory_mb(pid, "VmRSS:")
}

fn memory_mb(pid: u32, field: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0) / 1024.0
}

/// How many cores there are.
pub fn cores() -> f64 {
    std::thread::available_parallelism().map_or(1.0, |cores| cores.get() as f64)
}

/// The time of all cores since the machine started, in ticks (proc(5), the first line of `/proc/stat`).
pub struct CpuTime {
    all: f64,
    stolen: f64,
}

impl CpuTime {
    pub fn now() -> Self {
        let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
        // user, nice, system, idle, iowait, irq, softirq, steal; guests are within user.
        let ticks = stat.lines().next().unwrap_or_default().split_whitespace().skip(1).take(8);
        let ticks: Vec<f64> = ticks.filter_map(|ticks| ticks.parse().ok()).collect();
        Self { all: ticks.iter().sum(), stolen: ticks.get(7).copied().unwrap_or(0.0) }
    }

    /// The part of the time since then that the hypervisor did not give to this machine while it had work, 0 to 1.
    pub fn stolen_since(&self, before: &Self) -> f64 {
        (self.stolen - before.stolen) / (self.all - before.all).max(1.0)
    }
}
