//! Tables of our own names, looked up for every word of a command.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A table by name. What stands in it is known when the program is built, so that nobody can choose
/// names that all fall into one place; a hash that is made against that would cost as much as all
/// else that is done with most words.
pub(crate) type Table<K, V> = HashMap<K, V, BuildHasherDefault<NameHasher>>;

/// Bytes of a name that count for its place. No name of ours is longer, and a word of the command
/// may be a mebibyte.
const MAX_HASHED: usize = 48;

/// The hash of Fowler, Noll and Vo, which is good for short names.
pub(crate) struct NameHasher(u64);

impl Default for NameHasher {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().take(MAX_HASHED) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        // The table takes the place from the low bits and tells entries apart by the high ones.
        self.0 ^ (self.0 >> 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_spread() {
        let names: Vec<String> = (0..1_000).map(|n| format!("name-{n}")).collect();
        let table: Table<String, usize> = names.iter().cloned().zip(0..).collect();
        assert!(
            names
                .iter()
                .zip(0..)
                .all(|(name, n)| table.get(name) == Some(&n))
        );
        let low = |name: &String| {
            let mut hasher = NameHasher::default();
            hasher.write(name.as_bytes());
            hasher.finish() % 1_024
        };
        let places: std::collections::HashSet<u64> = names.iter().map(low).collect();
        assert!(places.len() > 550, "{}", places.len());
    }
}
