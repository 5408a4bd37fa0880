//! Configurations that are neither plain ASCII nor well-formed XML when a switch sends them.

use std::path::PathBuf;

use vmacd::sim::Options;
use vmacd::store::{Store, StoreOptions};

use super::world::World;
use crate::support::vmacd::run;
use crate::support::{run_dir, unique};

/// Latin-1, markup, a bare ampersand, UTF-8, a carriage return, a colour of a terminal.
const CONFIGURATION: &[u8] = b"system {
    host-name sw-odd;
    login {
        message \"caf\xe9 \xfc\xff & <*> \xc3\xa9\xe2\x82\xac\r\x1b[1m\";
    }
}
policy-options {
    prefix-list clocks {
        apply-path \"system ntp server <*>\";
    }
}
";

async fn configuration() -> PathBuf {
    let file = run_dir().join(unique("odd")).with_extension("conf");
    tokio::fs::write(&file, CONFIGURATION).await.expect("written");
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_of_odd_bytes_is_kept_and_comes_back_as_it_was() {
    for faults in [vec![], vec!["unescaped_text".to_owned()]] {
        let options = Options {
            switches: 1,
            ports_per_switch: 1,
            config: Some(configuration().await),
            faults,
            ..Options::default()
        };
        let world = World::embedded_with(options).await;
        let (sim, mut worker) = (world.switches()[0].clone(), world.serve().await);
        let then = sim.committed_bytes();
        assert!(
            then.windows(5).any(|part| part == b"caf\xe9 ")
                && then.windows(6).any(|part| part == b" <*>\";" || part == b" & <*>")
        );
        let (server, ip) = (world.server(0).to_string(), world.address(0, 1));
        let bound = world.vmacd(&["create", "--server", &server, "--ip", &ip, "--wait"]).await;
        assert_eq!(bound["status"], "active", "{bound}");
        worker.sigterm();
        assert!(worker.wait().await.success());
        let url = world.settings.get("VMACD_DATABASE_URL").expect("a URL");
        let store = Store::connect(url, StoreOptions::default()).await.expect("the database");
        let (backup, kept) = store.backups().get(1).await.expect("the backup");
        assert_eq!(kept.escape_ascii().to_string(), then.escape_ascii().to_string());
        assert_eq!(backup.bytes, i64::try_from(then.len()).expect("small"));
        let shown = run(&["backups", "show", "1"], &world.settings).await;
        assert!(shown.stdout.contains(r"caf\xe9 \xfc\xff & <*> é€\r\u001b[1m"), "{shown:?}");
        sim.operator_edit("set system login message plain").expect("edited");
        sim.operator_commit().expect("committed");
        let restored = run(&["backups", "restore", "sw-001", "1", "--yes", "--json"], &world.settings).await.json();
        assert_eq!(restored["outcome"], "restored", "{restored}");
        assert_eq!(sim.committed_bytes().escape_ascii().to_string(), then.escape_ascii().to_string());
    }
}
