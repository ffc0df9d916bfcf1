//! Sizes as people read them.

/// A size, with its unit.
pub(crate) fn size_of(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut whole, mut rest, mut unit) = (bytes, 0, 0);
    while whole >= 1024 && unit + 1 < UNITS.len() {
        rest = whole % 1024;
        whole /= 1024;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if unit == 0 {
        format!("{whole} {name}")
    } else {
        format!("{whole}.{} {name}", rest * 10 / 1024)
    }
}

#[cfg(test)]
mod tests {
    use super::size_of;

    #[test]
    fn sizes_are_read_at_a_glance() {
        assert_eq!(size_of(0), "0 B");
        assert_eq!(size_of(1023), "1023 B");
        assert_eq!(size_of(1536), "1.5 KiB");
        assert_eq!(size_of(5 * 1024 * 1024), "5.0 MiB");
        assert_eq!(size_of(u64::MAX), "16777215.9 TiB");
    }
}
