//! The statistics of the table: percentiles in a round, medians over rounds.

use std::time::Duration;

use super::quiet::Measured;

/// The value that half of the durations do not exceed, in milliseconds.
pub(super) fn median_ms(durations: &[Duration]) -> f64 {
    let mut values: Vec<f64> = durations
        .iter()
        .map(|time| time.as_secs_f64() * 1e3)
        .collect();
    median(&mut values)
}

/// The median over the clean rounds where there are two of them, else over all; with the
/// noise of the worst round that counted.
pub(super) fn over_rounds(rounds: &[Measured<f64>]) -> Option<Measured<f64>> {
    let clean: Vec<_> = rounds.iter().filter(|round| round.is_clean()).collect();
    let counted = if clean.len() >= 2 {
        clean
    } else {
        rounds.iter().collect()
    };
    let mut values: Vec<f64> = counted.iter().map(|round| round.value).collect();
    let noise = counted.iter().map(|round| round.noise).fold(0.0, f64::max);
    (!values.is_empty()).then(|| Measured {
        value: median(&mut values),
        noise,
    })
}

/// The middle value, or the mean of the two in the middle; zero of nothing.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or_default();
    let half = values.len() / 2;
    if values.len() % 2 == 1 {
        at(half)
    } else {
        (at(half.saturating_sub(1)) + at(half)) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_counts() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&mut []), 0.0);
    }

    #[test]
    fn disturbed_rounds_count_only_where_clean_ones_are_too_few() {
        let round = |value, noise| Measured { value, noise };
        let found =
            |rounds: &[Measured<f64>]| over_rounds(rounds).map(|one| (one.value, one.noise));
        let mixed = [round(1.0, 0.0), round(1.2, 0.1), round(9.0, 0.9)];
        assert_eq!(found(&mixed), Some((1.1, 0.1)));
        let noisy = [round(1.0, 0.0), round(8.0, 0.5), round(9.0, 0.9)];
        assert_eq!(found(&noisy), Some((8.0, 0.9)));
        assert_eq!(found(&[]), None);
    }
}
