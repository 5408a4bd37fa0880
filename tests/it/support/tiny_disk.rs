//! A disk of a few megabytes that a test may fill: a tmpfs in a mount namespace of its own.
//!
//! As root by `unshare -m`, else by a user namespace beside it (`unshare -rm`). A machine that allows neither fails the
//! test with what `unshare` or `mount` said.

use super::vmacd::{Serve, Settings};
use super::{run_dir, unique};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

const MOUNT: &str = r#"mount -t tmpfs -o size="$1" none "$0" && echo mounted && exec sleep infinity"#;

/// The disk; unmounted with the value, once nothing runs on it any more.
#[derive(Debug)]
pub struct TinyDisk {
    /// Keeps the namespace.
    holder: Serve,
    /// Where it is mounted, as the namespace sees it.
    dir: PathBuf,
}

impl TinyDisk {
    /// Mounts one of that size, such as `16m`.
    pub async fn mount(size: &str) -> Self {
        let dir = run_dir().join(unique("disk"));
        std::fs::create_dir(&dir).expect("a folder");
        let unshare = if is_root() { "-m" } else { "-rm" };
        let arguments = [unshare, "/bin/sh", "-c", MOUNT, &dir.display().to_string(), size];
        Self { holder: Serve::start_program("unshare", &arguments, &Settings::new(), "mounted").await, dir }
    }

    /// What to run programs through that are to see it: see [`Settings::through`].
    pub fn prefix(&self) -> Vec<String> {
        let pid = self.holder.pid().to_string();
        let user = ["-U", "--preserve-credentials"];
        let user = if is_root() { &user[..0] } else { &user[..] };
        [&["nsenter", "-t", &pid, "-m"], user, &["--"]].concat().into_iter().map(String::from).collect()
    }

    /// The name of its folder in the run directory.
    pub fn name(&self) -> String {
        self.dir.file_name().expect("a folder").to_string_lossy().into_owned()
    }

    /// A file on it, as the namespace sees it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The same file as everybody else reaches it.
    pub fn outside(&self, name: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.pid()));
        root.join(self.file(name).strip_prefix("/").expect("an absolute path"))
    }

    /// Takes all the room that is left.
    pub fn fill(&self) {
        let mut filler = std::fs::File::create(self.outside("filler")).expect("a filler");
        let full = loop {
            if let Err(error) = filler.write_all(&[0; 4096]) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::StorageFull, "{full}");
    }

    /// Gives back what [`fill`](Self::fill) took.
    pub fn make_room(&self) {
        std::fs::remove_file(self.outside("filler")).expect("the filler is removed");
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
