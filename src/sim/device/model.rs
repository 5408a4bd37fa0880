//! Which switch is simulated: the name it reports and the dialect of its bindings.

/// How a switch holds static bindings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// `ethernet-switching-options secure-access-port`, as EX2200 to EX8200 speak it.
    #[default]
    NonEls,
    /// `vlans NAME forwarding-options dhcp-security`, as EX2300 and later speak it.
    Els,
    /// Every other switch the one and the other.
    Mixed,
}

/// What a switch says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Model {
    pub els: bool,
    pub product: &'static str,
    /// The full release, such as `15.1R7.9`.
    pub release: String,
    pub host_name: String,
    pub serial: String,
    /// Whether base:1.1 and its chunks are offered; no EX release is known to.
    pub base_1_1: bool,
}

impl Model {
    /// The `number`th switch of an estate.
    pub(crate) fn of(dialect: Dialect, number: usize, host_name: &str, release: Option<&str>) -> Model {
        let els = match dialect {
            Dialect::NonEls => false,
            Dialect::Els => true,
            Dialect::Mixed => number % 2 == 1,
        };
        let (product, stock) = if els { ("ex2300-48t", "18.4R3.3") } else { ("ex3300-48t", "15.1R7.9") };
        Model {
            els,
            product,
            release: release.unwrap_or(stock).to_owned(),
            host_name: host_name.to_owned(),
            serial: format!("GA02{:08}", 14_000_000 + number),
            base_1_1: false,
        }
    }

    /// Whether the commit history marks a commit that waits to be confirmed. 24.4 was seen to; from which release on is not
    /// known.
    pub(crate) fn marks_pending(&self) -> bool {
        let year = self.release.split(|c: char| !c.is_ascii_digit()).next().and_then(|year| year.parse::<u32>().ok());
        year.is_some_and(|year| year >= 20)
    }

    /// The release as namespaces show it: without the build number.
    pub(crate) fn namespace_release(&self) -> &str {
        self.release.rsplit_once('.').map_or(&self.release, |(release, build)| {
            if build.chars().all(|c| c.is_ascii_digit()) && release.contains('R') { release } else { &self.release }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_from_20_on_mark_a_commit_that_waits() {
        for (release, marks) in [("15.1R7.9", false), ("18.4R3.3", false), ("20.4R3-S1", true), ("24.4R2", true)] {
            assert_eq!(Model::of(Dialect::Els, 0, "sw", Some(release)).marks_pending(), marks, "{release}");
        }
    }
}
