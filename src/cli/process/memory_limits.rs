//! Memory: a control group may allow less than what the settings take.

use std::path::{Path, PathBuf};

use super::say_lowered;
use crate::config::Settings;

/// Where control groups are mounted (cgroups(7)).
const MOUNT: &str = "/sys/fs/cgroup";
/// What version 1 shows where there is no limit is beyond this.
const NO_LIMIT: u64 = 1 << 60;
/// One part in so many of the memory is for messages in hand: while they are admitted each takes four times its size.
const MESSAGES_SHARE: u64 = 16;
/// One part in so many is for pushes, each of which holds a configuration as text and as a tree.
const PUSHES_SHARE: u64 = 4;
const PUSH_BYTES: u64 = 4 << 20;

/// The settings, with messages in hand and pushes as the memory of this process's control group allows.
pub fn fit(settings: &Settings) -> Settings {
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let Some(limit) = limit(&groups, Path::new(MOUNT)) else { return settings.clone() };
    let fitted = within(limit, settings);
    let lowered = [
        ("broker.prefetch_bytes_max", settings.broker.prefetch_bytes_max, fitted.broker.prefetch_bytes_max),
        ("worker.pushes_max", settings.worker.pushes_max, fitted.worker.pushes_max),
    ];
    say_lowered(lowered, limit, "the memory limit of this control group (MemoryMax)");
    fitted
}

fn within(limit: u64, settings: &Settings) -> Settings {
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let mut fitted = settings.clone();
    let (bytes, pushes) = (&mut fitted.broker.prefetch_bytes_max, &mut fitted.worker.pushes_max);
    *bytes = (*bytes).min(number(limit / MESSAGES_SHARE).max(1 << 20));
    *pushes = (*pushes).min(number(limit / PUSHES_SHARE / PUSH_BYTES).max(1));
    fitted
}

/// The least limit of the groups and of those above them; `groups` as `/proc/self/cgroup` has them. In a container their
/// paths may be those of the host: then its own group is the mount itself.
fn limit(groups: &str, mount: &Path) -> Option<u64> {
    let files = groups.lines().filter_map(|line| file(line, mount)).flat_map(|(root, group, name)| {
        let above: Vec<PathBuf> =
            group.ancestors().take_while(|dir| dir.starts_with(&root)).map(Path::to_owned).collect();
        above.into_iter().map(move |dir| dir.join(name))
    });
    let limits = files.filter_map(|file| std::fs::read_to_string(file).ok()?.trim().parse().ok());
    limits.filter(|limit| *limit < NO_LIMIT).min()
}

/// The hierarchy of a line, the group in it, and the name of the file with its limit; none where it has nothing to do with memory.
fn file(line: &str, mount: &Path) -> Option<(PathBuf, PathBuf, &'static str)> {
    let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
    let (root, name) = match controllers {
        "" => (mount.to_owned(), "memory.max"),
        _ if controllers.split(',').any(|controller| controller == "memory") => {
            (mount.join("memory"), "memory.limit_in_bytes")
        }
        _ => return None,
    };
    let group = root.join(path.trim_start_matches('/'));
    Some((root, group, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(dir: &Path, file: &str, text: &str) {
        let file = dir.join(file);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        std::fs::write(file, text).expect("written");
    }

    #[test]
    fn the_least_limit_of_a_group_and_those_above_it_counts() {
        let dir = tempfile::tempdir().expect("a folder");
        write(dir.path(), "memory.max", "max\n");
        write(dir.path(), "system.slice/memory.max", "1000000\n");
        write(dir.path(), "system.slice/vmacd.service/memory.max", "3000000\n");
        write(dir.path(), "memory/memory.limit_in_bytes", "9223372036854771712\n");
        write(dir.path(), "memory/old/memory.limit_in_bytes", "2000000\n");
        for (groups, expected) in [
            ("0::/system.slice/vmacd.service\n", Some(1_000_000)),
            ("0::/\n", None),
            ("9:name=systemd:/x\n4:memory:/old\n0::/\n", Some(2_000_000)),
            ("4:cpu,memory:/docker/0123\n", None),
            ("", None),
        ] {
            assert_eq!(limit(groups, dir.path()), expected, "{groups}");
        }
    }

    #[test]
    fn a_gigabyte_is_enough_for_the_defaults_and_less_takes_less() {
        let shares = |mib: u64| {
            let fitted = within(mib << 20, &Settings::default());
            (fitted.broker.prefetch_bytes_max >> 20, fitted.worker.pushes_max)
        };
        assert_eq!((shares(2_048), shares(1_024)), ((64, 64), (64, 64)));
        assert_eq!((shares(128), shares(4)), ((8, 8), (1, 1)));
    }
}
