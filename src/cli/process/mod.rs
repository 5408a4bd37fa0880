//! The operating system's side of the process: signals and the limit of open files.

pub mod file_limits;
pub mod signals;
