//! Frames of a stack that are not the caller's own: those of Rust's libraries, two lines each.

/// Where frames of Rust's own libraries stand. Those of other languages are left alone: their
/// stacks are short and often the only thing that says what happened.
const FOREIGN: &[&str] = &[
    "at /rustc/",
    "/library/std/src/",
    "/library/core/src/",
    "/library/test/src/",
];

/// Symbols of Rust's own frames; their place stands on the next line.
const RUST: &[&str] = &[
    "core::",
    "std::",
    "alloc::",
    "__rustc::",
    "test::",
    "rust_begin_unwind",
    "__rust",
];

/// What was seen of a stack so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Frames {
    /// The line before names a symbol of the language; its place follows.
    pending: bool,
}

impl Frames {
    /// Whether a line is a frame, or a part of one, that the caller did not write.
    pub(super) fn is_foreign(&mut self, body: &str) -> bool {
        let line = body.trim_start();
        let pending = std::mem::take(&mut self.pending);
        if line.len() == body.len() {
            return false;
        }
        if let Some((number, symbol)) = line.split_once(": ")
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
        {
            let symbol = symbol.trim_start_matches('<');
            self.pending = RUST.iter().any(|start| symbol.starts_with(start));
            return self.pending;
        }
        line.starts_with("at ") && (pending || FOREIGN.iter().any(|part| line.contains(part)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_frames_stay() {
        let mut frames = Frames::default();
        let foreign = [
            "   0: core::panicking::panic_fmt",
            "             at ./library/x.rs:1:2",
            "   1: std::panicking::begin",
            "             at /rustc/59807616e1fa/library/std/src/panicking.rs:689:5",
        ];
        for line in foreign {
            assert!(frames.is_foreign(line), "{line}");
        }
        let own = [
            "   4: demo::tests::parse",
            "             at ./src/lib.rs:250:39",
            "    at Module._compile (node:internal/modules/cjs/loader:1:2)",
            "    at load (/app/src/sum.js:2:30)",
            "\tat com.example.App.main(App.java:5)",
            "  File \"/usr/lib/python3/json/decoder.py\", line 3, in x",
        ];
        for line in own {
            assert!(!frames.is_foreign(line), "{line}");
        }
    }
}
