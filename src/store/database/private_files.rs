//! Files that only their owner may read: rows, configurations of switches and keys are in them.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const OWNER_ONLY: u32 = 0o600;
const OTHERS: u32 = 0o007;

/// Makes a new file with mode 0600, whatever the umask.
///
/// # Errors
/// Where there is one already, or none can be made.
pub(in crate::store) fn create(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(path)?;
    // The mode above is a limit that the umask narrows; here it is said.
    file.set_permissions(Permissions::from_mode(OWNER_ONLY))?;
    Ok(file)
}

/// Takes a file away from everybody but its owner, where everybody may read or write it: then nobody chose its mode. One
/// that a group may read was made so on purpose. Says whether it changed anything.
///
/// # Errors
/// Where it is another user's.
pub(in crate::store) fn close_to_others(path: &Path) -> io::Result<bool> {
    let mode = match fs::metadata(path) {
        Ok(known) if known.is_file() => known.permissions().mode(),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => return Ok(false),
    };
    if mode & OTHERS == 0 {
        return Ok(false);
    }
    fs::set_permissions(path, Permissions::from_mode(OWNER_ONLY)).map(|()| true)
}

/// A SQLite database's file and those that SQLite keeps beside it (sqlite.org/tempfiles.html). It makes them with the
/// mode of the first.
pub(in crate::store) fn of_sqlite(database: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|ending| {
        let mut path = database.as_os_str().to_owned();
        path.push(ending);
        path.into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("a file").permissions().mode() & 0o777
    }

    #[test]
    fn a_new_file_is_its_owners_alone_and_takes_nothings_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("new");
        create(&path).expect("made");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(create(&path).expect_err("it is there").kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn what_everybody_may_read_is_closed_and_what_a_group_may_is_left() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("old");
        assert!(!close_to_others(&path).expect("there is none"));
        for (before, after) in [(0o644, 0o600), (0o666, 0o600), (0o604, 0o600), (0o640, 0o640), (0o600, 0o600)] {
            fs::write(&path, "").expect("written");
            fs::set_permissions(&path, Permissions::from_mode(before)).expect("set");
            assert_eq!(close_to_others(&path).expect("ours"), before != after);
            assert_eq!(mode(&path), after, "{before:o}");
        }
    }
}
