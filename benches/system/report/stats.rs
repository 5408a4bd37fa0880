//! Medians and percentiles.

/// The value below which that share of the values lies (nearest rank); 0 of none.
pub fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied().unwrap_or(0.0)
}

/// The middle value.
pub fn median(values: &[f64]) -> f64 {
    percentile(values, 0.5)
}

/// `median (least to most)`, with so many digits.
pub fn spread(values: &[f64], digits: usize) -> String {
    let (least, most) = (percentile(values, 0.0), percentile(values, 1.0));
    match values {
        [only] => format!("{only:.digits$}"),
        _ => format!("{:.digits$} ({least:.digits$} to {most:.digits$})", median(values)),
    }
}
