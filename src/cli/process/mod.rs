//! The operating system's side of the process: signals, and the limits of open files and of memory.

pub mod file_limits;
pub mod memory_limits;
pub mod signals;
