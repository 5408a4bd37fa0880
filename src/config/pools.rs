//! The pools of the settings, checked against one another.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

use super::settings::PoolSettings;
use super::{ConfigError, Settings};
use crate::domain::{Pool, Pools, Prefix, PrefixError, Strategy};

/// What is wrong with a pool, and with which of its keys.
type Problem = (&'static str, String);

impl Settings {
    /// The pools of MACs.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] for the first setting that cannot be used, by its whole name.
    pub fn mac_pools(&self) -> Result<Pools, ConfigError> {
        let invalid = |name: &str, (key, problem): Problem| ConfigError::Invalid {
            setting: if key.is_empty() { format!("pools.{name}") } else { format!("pools.{name}.{key}") },
            problem,
        };
        let pools =
            self.pools.iter().map(|(name, settings)| pool(name, settings).map_err(|problem| invalid(name, problem)));
        let pools = Pools::new(pools.collect::<Result<_, _>>()?);
        pools.map_err(|problem| invalid(problem.pool.as_str(), (problem.key, problem.text)))
    }
}

fn pool(name: &str, settings: &PoolSettings) -> Result<Pool, Problem> {
    Ok(Pool {
        name: parsed("", name)?,
        strategy: settings.strategy,
        prefix: prefix(settings)?,
        vlans: names("vlans", &settings.vlans)?,
        switches: names("switches", &settings.switches)?,
    })
}

fn prefix(settings: &PoolSettings) -> Result<Prefix, Problem> {
    let prefix = parsed("prefix", &settings.prefix)?;
    match (settings.strategy, settings.tag.is_empty()) {
        (Strategy::Tagged, true) => Err(("tag", "a tagged pool has one, such as a5".to_owned())),
        (Strategy::Tagged, false) if prefix != Prefix::whole() => {
            Err(("prefix", "that of a tagged pool is 02 and its tag; leave it out".to_owned()))
        }
        (Strategy::Tagged, false) => tag(&settings.tag),
        (_, false) => Err(("tag", "only a pool with the strategy `tagged` has one; others have a `prefix`".to_owned())),
        (_, true) => Ok(prefix),
    }
}

fn tag(text: &str) -> Result<Prefix, Problem> {
    let is_octet = text.len() == 2 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let octet = u8::from_str_radix(text, 16).ok().filter(|_| is_octet);
    let octet = octet.ok_or_else(|| ("tag", format!("`{text}` is not two hexadecimal digits such as a5")))?;
    Prefix::tagged(octet).map_err(|error: PrefixError| ("tag", error.to_string()))
}

fn names<T: FromStr<Err: Display> + Ord>(key: &'static str, texts: &[String]) -> Result<BTreeSet<T>, Problem> {
    texts.iter().map(|text| parsed(key, text)).collect()
}

fn parsed<T: FromStr<Err: Display>>(key: &'static str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error: T::Err| (key, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POOLS: &str = r#"
        [pools.customers]
        strategy = "tagged"
        tag = "a5"
        vlans = ["VLAN.13", "VLAN.14"]

        [pools.lab]
        prefix = "02:b0:00:00:01"
        switches = ["sw-lab"]

        [pools.default]
        strategy = "from-address"
    "#;

    fn read(text: &str) -> Result<Pools, ConfigError> {
        let settings: Settings = toml::from_str(text).expect("settings");
        settings.validate()?;
        settings.mac_pools()
    }

    #[test]
    fn pools_are_read_and_there_is_always_a_default_one() {
        let pools = read(POOLS).expect("pools");
        let told: Vec<_> =
            pools.iter().map(|pool| format!("{} {} {}", pool.name, pool.strategy, pool.space())).collect();
        assert_eq!(told, ["customers tagged 02:a5", "default from-address 02:00", "lab random 02:b0:00:00:01"]);
        assert_eq!(read("").expect("pools"), Pools::default());
    }

    #[test]
    fn what_cannot_be_is_named_by_its_setting() {
        for (good, bad, expected) in [
            ("pools.lab", "pools.\"a b\"", "pools.a b: `a b` is not a pool's name"),
            ("02:b0:00:00:01", "02:42", "pools.lab.prefix: 02:42 is used by others"),
            ("02:b0:00:00:01", "06", "pools.lab.prefix: 06 does not begin with 02"),
            ("02:b0:00:00:01", "x", "pools.lab.prefix: `x` is not a valid prefix"),
            ("02:b0:00:00:01", "02:a5", "pools.lab.prefix: the pool `customers` has the same MACs (02:a5)"),
            ("\"a5\"", "\"bf\"", "pools.customers.tag: 02:bf is used by others"),
            ("\"a5\"", "\"+5\"", "pools.customers.tag: `+5` is not two hexadecimal digits"),
            ("tag = \"a5\"", "", "pools.customers.tag: a tagged pool has one"),
            ("tag = \"a5\"", "tag = \"a5\"\nprefix = \"02:a5\"", "pools.customers.prefix: that of a tagged pool"),
            ("\"tagged\"", "\"random\"", "pools.customers.tag: only a pool with the strategy `tagged`"),
            ("VLAN.14", "-V", "pools.customers.vlans: `-V` is not a VLAN name"),
            ("sw-lab", "", "pools.lab.switches: `` is not a switch name"),
        ] {
            assert!(POOLS.contains(good), "{good}");
            let error = read(&POOLS.replacen(good, bad, 1)).expect_err(expected).to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
