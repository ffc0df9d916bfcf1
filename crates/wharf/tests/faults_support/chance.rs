//! Rounds and randomness, from outside when `cargo xtask faults` gives them.

use super::tell;

/// Where the random choices start unless said otherwise.
const SEED: u64 = 7304;

/// How often, and where chance begins; said, so that a failure can be had again.
pub(crate) fn given(test: &str, rounds: u32) -> (u32, Chance) {
    let rounds = read("WHARF_FAULT_ROUNDS").map_or(rounds, |n| u32::try_from(n).unwrap());
    let seed = read("WHARF_FAULT_SEED").unwrap_or(SEED);
    tell(&format!("{test}: {rounds} rounds, seed {seed}"));
    (rounds, Chance(seed))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the contract with `cargo xtask faults`; a test has no wire.rs"
)]
fn read(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// SplitMix64: the same choices for the same seed, everywhere.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// That many letters and digits.
    pub(crate) fn word(&mut self, length: usize) -> String {
        let letters = b"abcdefghijkmnpqrstuvwxyz23456789";
        let pick = |_| char::from(letters[usize::try_from(self.next() % 32).unwrap()]);
        (0..length).map(pick).collect()
    }
}
