//! What the disk under the servers takes for a sync: it bounds every durable thing here.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::support::{run_dir, unique};

/// A file on that disk; removed when dropped.
pub struct Disk {
    file: File,
    path: PathBuf,
}

impl Disk {
    pub fn open() -> Self {
        let path = run_dir().join(unique("fsync"));
        Self { file: File::create(&path).expect("the run directory is writable"), path }
    }

    /// Milliseconds that 4 KiB take to be appended and synced.
    pub fn sync_ms(&mut self) -> f64 {
        let began = Instant::now();
        self.file.write_all(&[0; 4096]).and_then(|()| self.file.sync_data()).expect("the disk has room");
        began.elapsed().as_secs_f64() * 1000.0
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Appends of 4 KiB, each synced before the next, in a second; measured for half of one.
pub fn per_second() -> f64 {
    let (mut disk, began, mut count) = (Disk::open(), Instant::now(), 0.0);
    while began.elapsed() < Duration::from_millis(500) {
        disk.sync_ms();
        count += 1.0;
    }
    count / began.elapsed().as_secs_f64()
}
