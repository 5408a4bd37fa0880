//! How likely random MACs clash: what the checks and the unique index save from.

/// The odds that one draw from `size` MACs hits one of the `used`.
pub fn odds_of_clash(used: u64, size: u64) -> f64 {
    if size == 0 { 1.0 } else { (used as f64 / size as f64).min(1.0) }
}

/// The odds that `draws` draws from `size` MACs, looked up nowhere, have two alike: 1 - e^(-n(n-1)/2s), the usual
/// approximation of the birthday problem (Feller, An Introduction to Probability Theory, II.3).
pub fn odds_of_any_clash(draws: u64, size: u64) -> f64 {
    let pairs = draws as f64 * draws.saturating_sub(1) as f64 / 2.0;
    if draws > size { 1.0 } else { -(-pairs / size as f64).exp_m1() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_odds_are_those_of_the_birthday_problem() {
        assert!((odds_of_any_clash(23, 365) - 0.5).abs() < 0.01);
        assert!((odds_of_any_clash(1_000_000, 1 << 40) - 0.365).abs() < 0.01);
        assert_eq!(
            (odds_of_any_clash(0, 256), odds_of_any_clash(1, 256), odds_of_any_clash(257, 256)),
            (0.0, 0.0, 1.0)
        );
        assert!(odds_of_any_clash(2, 1 << 40) > 0.0, "small odds are not lost");
    }

    #[test]
    fn one_draw_clashes_by_the_part_that_is_used() {
        assert_eq!((odds_of_clash(64, 256), odds_of_clash(256, 256), odds_of_clash(0, 0)), (0.25, 1.0, 1.0));
    }
}
