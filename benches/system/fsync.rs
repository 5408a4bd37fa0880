//! How often the disk under the servers takes a sync: what bounds every durable thing here.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use crate::support::{run_dir, unique};

/// Appends of 4 KiB, each synced before the next, in a second; measured for half of one.
pub fn per_second() -> f64 {
    let path = run_dir().join(unique("fsync"));
    let mut file = File::create(&path).expect("the run directory is writable");
    let (began, mut count) = (Instant::now(), 0.0);
    while began.elapsed() < Duration::from_millis(500) {
        file.write_all(&[0; 4096]).and_then(|()| file.sync_data()).expect("the disk has room");
        count += 1.0;
    }
    let per_second = count / began.elapsed().as_secs_f64();
    let _ = std::fs::remove_file(path);
    per_second
}
