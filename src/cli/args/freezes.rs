//! `vmacd freeze`, `vmacd thaw` and `vmacd freezes`.

use clap::Args;

use super::examples::examples;
use crate::domain::Scope;

/// Which site.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct SiteArg {
    /// The site's name in the inventory; `-` for switches without a site
    #[arg(value_name = "SITE")]
    site: Option<Scope>,
    /// All sites
    #[arg(long)]
    all: bool,
}

impl SiteArg {
    /// The site, or all.
    pub fn scope(&self) -> Scope {
        self.site.clone().unwrap_or(Scope::All)
    }
}

/// `vmacd freeze`
#[derive(Debug, Args)]
#[command(after_help = examples![
    "vmacd freeze ams1 --until 2h --reason core-upgrade",
    "vmacd freeze ams1 --until 2026-11-22T06:00:00Z",
    "vmacd freeze --all --until 30m",
])]
pub struct FreezeArgs {
    /// Which.
    #[command(flatten)]
    pub site: SiteArg,
    /// When the freeze ends: a time (RFC 3339), or a span from now (2h, 3d)
    #[arg(long, value_name = "TIME")]
    pub until: String,
    /// The reason; shown on every row that is waiting
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// `vmacd thaw`
#[derive(Debug, Args)]
#[command(after_help = examples!["vmacd thaw ams1", "vmacd thaw --all       # ends a freeze of all sites"])]
pub struct ThawArgs {
    /// Which.
    #[command(flatten)]
    pub site: SiteArg,
}
