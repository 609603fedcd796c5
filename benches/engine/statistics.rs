//! What is said of a few measurements of the same thing.

pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// Half of the way between the quarters.
pub fn spread(values: &[f64]) -> f64 {
    (quantile(values, 0.75) - quantile(values, 0.25)) / 2.0
}

pub fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * part).round() as usize]
}
