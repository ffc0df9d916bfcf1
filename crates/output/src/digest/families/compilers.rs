//! Compilers, linkers, type checkers and linters: rustc, gcc, clang, go, javac, tsc, mypy, ruff,
//! eslint, and the tracebacks of languages.

use super::{Class, Rule, at, ends, has};
use crate::digest::blocks::Block;
use crate::digest::records::Kind::Build;

use Class::{Detail, Fail, Head, Noise, Note, Open, Step, Sum, Warn};

const GO: Block = Block::Until(&["exit status ", "FAIL\t", "ok  \t"]);

pub(super) const RULES: &[Rule] = &[
    // tracebacks
    at("Traceback (most recent call last)", Open(Block::Traceback)),
    at("+ Exception Group Traceback", Open(Block::Traceback)),
    at(
        "During handling of the above exception",
        Detail(Block::None),
    ),
    at(
        "The above exception was the direct cause",
        Detail(Block::None),
    ),
    at("Exception in thread ", Open(Block::Java)),
    at("Caused by: ", Open(Block::Java)),
    at("Caused by:", Detail(Block::Deeper)),
    at("stack backtrace:", Detail(Block::Deeper)),
    at("note: run with `RUST_BACKTRACE=1`", Class::Near),
    at("panic: ", Open(GO)),
    at("fatal error: ", Open(GO)),
    at("goroutine ", Detail(Block::ToBlank)),
    at("PHP Fatal error", Open(Block::Deeper)),
    at("Unhandled exception", Open(Block::Deeper)),
    has("at ", "(node:", Detail(Block::None)),
    ends("at ", ")", Detail(Block::None)),
    has("at ", ":", Detail(Block::None)),
    has("^Node.js v", "", Detail(Block::None)),
    // rustc and cargo
    at("^error[", Open(Block::ToBlank)),
    at("^error: ", Open(Block::ToBlank)),
    has("^warning: ", " generated ", Sum),
    has("^warning: unused manifest key", "", Warn(Block::None)),
    at("^warning: ", Warn(Block::ToBlank)),
    at("^For more information about this error", Class::Near),
    at("^Some errors have detailed explanations", Class::Near),
    at("^# ", Head),
    // gcc and clang
    has("In file included from ", "", Head),
    has("", ": In function ", Head),
    has("", ": In member function ", Head),
    has("", ": In constructor ", Head),
    has("", ": in function `", Head),
    has("", ": At global scope:", Head),
    has("", ": In instantiation of ", Note(Block::None)),
    has("", ":   required from ", Note(Block::None)),
    has("", "required from here", Note(Block::None)),
    has("", ": fatal error: ", Open(Block::Deeper)),
    has("", ": error: ", Open(Block::Deeper)),
    has("", ": warning: ", Warn(Block::Deeper)),
    has("", ": note: ", Note(Block::Deeper)),
    has("", "undefined reference to", Fail),
    has("", "multiple definition of", Fail),
    at("collect2: ", Fail),
    has("", "errors generated.", Sum),
    has("", "error generated.", Sum),
    has("", "warnings generated.", Sum),
    // tsc, eslint, javac, mypy, ruff
    has("", ": error TS", Open(Block::Deeper)),
    has("", " - error TS", Open(Block::Excerpt)),
    has("Found ", " error", Sum),
    has("", " problems (", Sum),
    has("", " problem (", Sum),
    has("Success: no issues found", "", Sum),
    at("All checks passed!", Sum),
    has("error  ", "", Fail),
    at("--> ", Detail(Block::None)),
    at("= help: ", Detail(Block::None)),
    at("= note: ", Detail(Block::None)),
    at("help: ", Detail(Block::None)),
    // steps
    at("Compiling ", Noise(Build)),
    at("Checking ", Noise(Build)),
    at("Documenting ", Noise(Build)),
    at("Building ", Noise(Build)),
    at("Fresh ", Noise(Build)),
    at("Dirty ", Noise(Build)),
    at("Finished `", Sum),
    at("Finished ", Sum),
    has("Running unittests ", "", Step(Build)),
    has("Running `", "", Noise(Build)),
    has("Running ", "(target/", Step(Build)),
    has("Executable ", "(target/", Noise(Build)),
];
