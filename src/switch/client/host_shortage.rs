//! Telling trouble of this host from trouble of a switch: who has no file descriptor left has not tried the switch.

use std::io::Error;

use rustix::io::Errno;

/// True when the system refused for want of something of this host's own: descriptors of the process or of the host,
/// memory, buffers, local ports (errno(3)).
pub(super) fn is_host_shortage(error: &Error) -> bool {
    let own = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS, Errno::ADDRNOTAVAIL];
    Errno::from_io_error(error).is_some_and(|errno| own.contains(&errno))
}

/// The same for a name that could not be looked up. The resolver opens files and sockets of its own and does not always
/// say that it could not (`EAI_AGAIN` in getaddrinfo(3)), so a descriptor is asked for here too.
pub(super) fn is_lookup_shortage(error: &Error) -> bool {
    is_host_shortage(error) || std::fs::File::open("/dev/null").is_err_and(|error| is_host_shortage(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_host_lacks_is_told_from_what_a_switch_does() {
        for errno in [24, 23, 12, 105, 99] {
            assert!(is_host_shortage(&Error::from_raw_os_error(errno)), "{errno}");
        }
        for errno in [111, 110, 113, 104] {
            assert!(!is_host_shortage(&Error::from_raw_os_error(errno)), "{errno}");
        }
        assert!(!is_host_shortage(&Error::other("failed to look it up")));
        assert!(!is_lookup_shortage(&Error::other("failed to look it up")), "descriptors are left");
    }
}
