//! `vmacd pools`: how full the pools of MACs are.

use crate::cli::app_env::AppEnv;
use crate::cli::fault::Fault;
use crate::cli::ui::output::Output;
use crate::cli::ui::style::{Cell, Tone};
use crate::store::PoolFigures;

const COLUMNS: &[&str] =
    &["POOL", "STRATEGY", "PREFIX", "SIZE", "USED", "FULL", "NEXT DRAW CLASHES", "UNCHECKED DRAWS CLASH"];
/// Used part from which a pool is marked.
const FULL_SOON: f64 = 0.5;

pub async fn run(env: AppEnv, output: Output) -> Result<(), Fault> {
    let store = env.store().await?;
    output.list(&store.mac_registry().pool_figures().await?, COLUMNS, row)
}

fn row(figures: &PoolFigures) -> Vec<Cell> {
    let tone = match figures.used_ratio {
        full if full >= 1.0 => Tone::Bad,
        full if full >= FULL_SOON => Tone::Waiting,
        _ => Tone::Plain,
    };
    vec![
        figures.pool.to_string().into(),
        figures.strategy.to_string().into(),
        figures.prefix.as_str().into(),
        figures.size.to_string().into(),
        figures.used.to_string().into(),
        Cell::new(tone, percent(figures.used_ratio)),
        percent(figures.clash_odds).into(),
        percent(figures.unchecked_clash_odds).into(),
    ]
}

/// Per cent with three significant digits, also of very small parts.
fn percent(part: f64) -> String {
    let percent = part * 100.0;
    match percent {
        0.0 => "0 %".to_owned(),
        small if small < 0.001 => format!("{small:.2e} %"),
        small if small < 1.0 => format!("{small:.3} %"),
        large => format!("{large:.1} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_in_per_cent_however_small() {
        let told: Vec<String> = [0.0, 1.2e-11, 0.00042, 0.365, 1.0].into_iter().map(percent).collect();
        assert_eq!(told, ["0 %", "1.20e-9 %", "0.042 %", "36.5 %", "100.0 %"]);
    }
}
