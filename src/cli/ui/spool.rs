//! A list that is printed as a whole: collected in an unlinked temporary file, so that nobody reads half of it and memory
//! stays small.

use std::fs::{File, OpenOptions};
use std::hash::{DefaultHasher, Hasher};
use std::io::{BufWriter, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cli::fault::Fault;
use crate::cli::terminal::streams::write_bytes;

/// Bytes copied at once.
const CHUNK: usize = 64 << 10;

/// Being written.
pub struct SpoolWriter {
    file: BufWriter<File>,
    hash: DefaultHasher,
}

/// Whole.
pub struct Spool {
    file: File,
    /// Differs where the content does.
    pub hash: u64,
}

impl SpoolWriter {
    pub fn new() -> Result<Self, Fault> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("vmacd-list-{}-{number}", std::process::id()));
        let told = |error| Fault::service(error).context(format!("cannot write {}", path.display()));
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path).map_err(told)?;
        std::fs::remove_file(&path)?;
        Ok(Self { file: BufWriter::new(file), hash: DefaultHasher::new() })
    }

    /// Text that is safe to print.
    pub fn write(&mut self, text: &str) -> Result<(), Fault> {
        self.hash.write(text.as_bytes());
        Ok(self.file.write_all(text.as_bytes())?)
    }

    pub fn finish(self) -> Result<Spool, Fault> {
        let file = self.file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        Ok(Spool { file, hash: self.hash.finish() })
    }
}

impl Spool {
    #[cfg(test)]
    pub fn text(&self) -> String {
        let (mut file, mut text) = (&self.file, String::new());
        file.rewind().and_then(|()| file.read_to_string(&mut text)).expect("read");
        text
    }

    /// Prints it; false where nobody reads any more.
    pub fn print(&self) -> Result<bool, Fault> {
        let (mut file, mut chunk) = (&self.file, vec![0; CHUNK]);
        file.rewind()?;
        loop {
            match file.read(&mut chunk)? {
                0 => return Ok(true),
                read if !write_bytes(&chunk[..read])? => return Ok(false),
                _ => {}
            }
        }
    }
}
