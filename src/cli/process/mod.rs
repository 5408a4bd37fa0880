//! The operating system's side of the process: signals, and the limits of open files and of memory.

pub mod file_limits;
pub mod memory_limits;
pub mod signals;

/// Warns of each setting that is lower than wanted because of a limit of the process.
fn say_lowered(lowered: [(&str, usize, usize); 2], limit: u64, of: &str) {
    for (setting, wanted, got) in lowered.into_iter().filter(|(_, wanted, got)| got < wanted) {
        tracing::warn!(setting, wanted, got, limit, "using less than the setting allows: raise {of}");
    }
}
