//! Ports that nothing else of this run is given.

use super::run_dir::run_dir;
use std::net::TcpListener;

/// A free port on 127.0.0.1, reserved for this run the way `tests/servers` does it (a directory of that name), from
/// below the range the kernel hands to outgoing connections: nothing takes it between this call and its use.
pub fn free_port() -> u16 {
    let reserved = run_dir().join("ports");
    std::fs::create_dir_all(&reserved).expect("the run directory is writable");
    loop {
        let port = rand::random_range(20_000..32_000);
        let ours = std::fs::create_dir(reserved.join(port.to_string())).is_ok();
        if ours && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
