//! Which pool serves, whose a MAC is, and that no two pools ever share one.

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::Strategy;
use super::*;

fn pool(name: &str, prefix: &str, vlans: &[&str], switches: &[&str]) -> Pool {
    Pool {
        name: name.parse().expect("a name"),
        strategy: Strategy::Random,
        prefix: prefix.parse().expect("a prefix"),
        vlans: vlans.iter().map(|vlan| vlan.parse().expect("a name")).collect(),
        switches: switches.iter().map(|switch| switch.parse().expect("a name")).collect(),
    }
}

fn from_addresses(name: &str) -> Pool {
    Pool { strategy: Strategy::FromAddress, ..pool(name, "02", &["v9"], &[]) }
}

fn some_pools() -> Pools {
    let pools = vec![
        pool("wide", "02:a5", &["v1"], &[]),
        pool("narrow", "02:a5:10", &[], &["sw-a", "sw-b"]),
        pool("both", "02:a6", &["v1"], &["sw-b"]),
        pool("asked", "02:a7:00:00:00", &[], &[]),
        pool("other", "02:a8", &[], &["sw-c"]),
        from_addresses("made"),
    ];
    Pools::new(pools).expect("pools")
}

#[test]
fn the_most_specific_pool_serves() {
    let pools = some_pools();
    let serving = |vlan: Option<&str>, switches: &[&str]| {
        let vlan = vlan.map(|vlan| vlan.parse().expect("a name"));
        let switches: Vec<SwitchName> = switches.iter().map(|name| name.parse().expect("a name")).collect();
        pools.serving(vlan.as_ref(), &switches).name.to_string()
    };
    assert_eq!(serving(None, &[]), "default");
    assert_eq!(serving(Some("v2"), &["sw-z"]), "default");
    assert_eq!(serving(Some("v1"), &["sw-a"]), "wide", "the VLAN counts for more than a switch");
    assert_eq!(serving(Some("v1"), &["sw-a", "sw-b"]), "both");
    assert_eq!(serving(Some("v2"), &["sw-b"]), "narrow");
    assert_eq!(serving(None, &["sw-c", "sw-a"]), "other", "the server's first switch counts");
    assert_eq!(serving(Some("v9"), &[]), "made");
}

#[test]
fn what_two_pools_would_share_is_refused_by_name() {
    let refused = |one: Pool, other: Pool, expected: &str| {
        let problem = Pools::new(vec![one, other]).expect_err(expected);
        let told = format!("{}.{}: {}", problem.pool, problem.key, problem.text);
        assert!(told.starts_with(expected), "{told}");
    };
    refused(
        pool("a", "02:a5", &[], &[]),
        pool("b", "02:a5", &[], &[]),
        "b.prefix: the pool `a` has the same MACs (02:a5)",
    );
    refused(pool("a", "02:00", &[], &[]), from_addresses("b"), "b.strategy: the pool `a` has the same MACs (02:00)");
    refused(from_addresses("a"), from_addresses("b"), "b.strategy: the pool `a` has the same MACs");
    refused(
        pool("a", "02:a5", &["v1"], &[]),
        pool("b", "02:a6", &["v1"], &[]),
        "b.vlans: the pool `a` serves the VLAN v1 too",
    );
    refused(
        pool("a", "02:a5", &[], &["s", "t"]),
        pool("b", "02:a6", &[], &["t"]),
        "b.switches: the pool `a` serves the switch t too",
    );
    refused(
        pool("a", "02:a5", &["v1"], &["s"]),
        pool("b", "02:a6", &["v1"], &["s"]),
        "b.vlans: the pool `a` serves the VLAN v1 on s too",
    );
    refused(
        pool("default", "02", &["v1"], &[]),
        pool("b", "02:a6", &[], &[]),
        "default.vlans: this pool serves whatever",
    );
    refused(pool("a", "02", &[], &[]), pool("b", "02:a6", &[], &[]), "default.prefix: the pool `a` has the same MACs");
    let full = (0..=255).map(|last| pool(&format!("p{last}"), &format!("02:a5:10:00:{last:02x}"), &[], &[]));
    let problem = Pools::new(full.chain([pool("around", "02:a5:10:00", &[], &[])]).collect()).expect_err("refused");
    assert_eq!((problem.pool.as_str(), problem.key), ("around", "prefix"));
}

#[test]
fn the_same_vlan_on_different_switches_may_have_different_pools() {
    let pools = vec![
        pool("a", "02:a5", &["v1"], &["s"]),
        pool("b", "02:a6", &["v1"], &["t"]),
        pool("c", "02:a7", &["v1"], &[]),
    ];
    assert!(Pools::new(pools).is_ok());
}

#[test]
fn a_size_leaves_out_what_is_other_pools() {
    let pools = some_pools();
    let size = |name: &str| pools.size(pools.named(&name.parse().expect("a name")).expect("a pool"));
    assert_eq!(size("asked"), 256);
    assert_eq!(size("narrow"), 1 << 24);
    assert_eq!(size("wide"), (1 << 32) - (1 << 24));
    assert_eq!(size("made"), (1 << 32) - 1);
    let parts = 3 * (1 << 32) + 256 + ((1_u64 << 32) - 1);
    assert_eq!(size("default"), Prefix::whole().size() - parts);
}

proptest! {
    /// Every MAC that a pool gives, whatever its strategy, is virtual, not reserved, and one that no other pool gives.
    #[test]
    fn no_mac_is_given_by_two_pools(seed: u64, ip in 0x0100_0000_u32..0x7f00_0000) {
        let pools = some_pools();
        let mut rng = StdRng::seed_from_u64(seed);
        for pool in pools.iter() {
            let address = std::net::IpAddr::V4(ip.into()).try_into().expect("an address");
            let drawn = pools.draw(pool, &mut rng);
            for mac in pool.mac_of(address).into_iter().chain([drawn]) {
                prop_assert!(mac.as_virtual().is_ok() && !mac.is_reserved());
                let gives = |other: &&Pool| other.space().covers(mac) && other.strategy == Strategy::FromAddress
                    || other.strategy != Strategy::FromAddress && pools.may_draw(other, mac);
                let givers: Vec<_> = pools.iter().filter(gives).map(|pool| pool.name.to_string()).collect();
                // What is drawn where an address gives no MAC comes from under `02`, as that of `default` does.
                let expected = if pool.strategy == Strategy::FromAddress && mac == drawn { "default" } else { pool.name.as_str() };
                prop_assert_eq!(givers, [expected]);
            }
        }
    }

    #[test]
    fn what_is_drawn_has_the_prefix(seed: u64, octets in proptest::collection::vec(0x21_u8..0x40, 0..5)) {
        let text: Vec<String> = std::iter::once(2).chain(octets).map(|octet| format!("{octet:02x}")).collect();
        let pools = match text.len() {
            1 => Pools::default(),
            _ => Pools::new(vec![pool("p", &text.join(":"), &[], &[])]).expect("pools"),
        };
        let pool = pools.iter().last().expect("a pool");
        let mac = pools.draw(pool, &mut StdRng::seed_from_u64(seed));
        prop_assert!(mac.to_string().starts_with(&text.join(":")));
    }
}
