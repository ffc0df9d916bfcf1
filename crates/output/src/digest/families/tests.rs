//! Reports of tests: cargo, pytest, unittest, tox, go, jest, vitest, mocha, node, TAP, maven,
//! gradle, ctest, rspec, phpunit.

use super::{Class, Rule, at, ends, has};
use crate::digest::blocks::Block;
use crate::digest::records::Kind::{Build, Passed, Progress, Skipped};

use Class::{Detail, Fail, Head, Noise, Open, Pass, Step, Sum, Warn};

const CARGO_STDOUT: Block = Block::Until(&["failures:", "test result:", "---- "]);
const PYTEST: Block = Block::Until(&["=====", "FAILED ", "ERROR tests"]);
const UNITTEST: Block = Block::Until(&["Ran ", "=====", "FAILED ("]);
const JEST: Block = Block::Until(&[
    "Test Suites:",
    "PASS ",
    "FAIL ",
    "Snapshots:",
    "Tests:",
    "Ran all test suites",
    "\u{25cf}",
]);
const VITEST: Block = Block::Until(&["Test Files", "Tests ", "\u{23af}"]);
const MOCHA: Block = Block::Until(&["npm ERR!", "npm error"]);
const NODE_FAILING: Block = Block::Until(&["npm ERR!", "npm error", "\u{2714} ", "ok "]);

pub(super) const RULES: &[Rule] = &[
    // cargo test and nextest
    ends("^test ", " ... ok", Pass(Passed)),
    has("^test ", " ... ok", Pass(Passed)),
    has("^test ", " ... ignored", Pass(Skipped)),
    ends("^test ", "FAILED", Fail),
    has("^test ", "has been running for over", Noise(Progress)),
    has("^test ", " ... bench:", Sum),
    at("^test result: ", Sum),
    ends("^running ", " test", Step(Build)),
    ends("^running ", " tests", Step(Build)),
    at("^Doc-tests ", Step(Build)),
    has("PASS [", "s]", Pass(Passed)),
    has("FAIL [", "s]", Fail),
    has("SIGABRT [", "s]", Fail),
    has("TIMEOUT [", "s]", Fail),
    ends("^---- ", " ----", Open(CARGO_STDOUT)),
    at("^thread '", Open(Block::ToBlank)),
    at("^failures:", Detail(Block::ToBlank)),
    // pytest
    has("^===", " FAILURES ", Detail(PYTEST)),
    has("^===", " ERRORS ", Detail(PYTEST)),
    has(
        "^===",
        " short test summary info ",
        Detail(Block::Until(&["====="])),
    ),
    has("^===", " warnings summary ", Warn(Block::Until(&["====="]))),
    has("^===", " in ", Sum),
    has("^===", " test session starts ", Noise(Build)),
    at("^=====", Detail(Block::None)),
    has("^FAILED ", ".py", Fail),
    has("^ERROR ", ".py", Fail),
    has("^", " PASSED", Pass(Passed)),
    has("^", " XFAIL", Pass(Skipped)),
    // unittest, nose, tox
    ends("", " ... ok", Pass(Passed)),
    ends("", " ... skipped", Pass(Skipped)),
    has("", " ... skipped ", Pass(Skipped)),
    ends("", " ... FAIL", Fail),
    ends("", " ... ERROR", Fail),
    at("^FAIL: ", Open(UNITTEST)),
    at("^ERROR: test", Open(UNITTEST)),
    has("^Ran ", " test", Sum),
    at("^FAILED (", Sum),
    has("^", ": FAIL code ", Sum),
    // go
    at("=== RUN ", Noise(Passed)),
    at("=== PAUSE ", Noise(Passed)),
    at("=== CONT ", Noise(Passed)),
    at("=== NAME ", Noise(Passed)),
    at("--- PASS: ", Pass(Passed)),
    at("--- SKIP: ", Pass(Skipped)),
    at("--- FAIL: ", Open(Block::Deeper)),
    at("^FAIL\t", Sum),
    has("^ok  \t", "", Pass(Passed)),
    has("^?   \t", "[no test files]", Pass(Skipped)),
    at("^FAIL ", Open(Block::None)),
    at("^PASS ", Pass(Passed)),
    // jest, vitest, mocha, node, ava
    at("\u{25cf} ", Open(JEST)),
    at("\u{2713} ", Pass(Passed)),
    at("\u{2714} ", Pass(Passed)),
    at("\u{221a} ", Pass(Passed)),
    at("\u{25cb} ", Pass(Skipped)),
    at("\u{2193} ", Pass(Skipped)),
    at("\u{fe63} ", Pass(Skipped)),
    at("Tests:", Sum),
    at("Test Suites:", Sum),
    has("Test Files ", "", Sum),
    has("Tests ", "passed", Sum),
    has("Tests ", "failed", Sum),
    has("\u{23af}\u{23af}", " FAIL", Open(VITEST)),
    has("\u{23af}\u{23af}", "", Detail(VITEST)),
    at("FAIL  ", Open(VITEST)),
    at("\u{276f} ", Class::Near),
    ends("", " failing", Open(MOCHA)),
    has("", " passing (", Sum),
    at("\u{2716} failing tests", Open(NODE_FAILING)),
    at("\u{2716} ", Fail),
    at("\u{2139} ", Sum),
    at("not ok ", Open(Block::Deeper)),
    has("ok ", " - ", Pass(Passed)),
    at("# Subtest: ", Head),
    at("# fail ", Sum),
    at("# pass ", Sum),
    at("# tests ", Sum),
    // maven surefire, gradle, ctest, rspec, phpunit
    has("[INFO] Tests run:", "Time elapsed", Pass(Passed)),
    has("", "Tests run: ", Sum),
    ends("", " PASSED", Pass(Passed)),
    ends("", " SKIPPED", Pass(Skipped)),
    ends("", " FAILED", Open(Block::Deeper)),
    has("", " tests completed, ", Sum),
    has("", "% tests passed, ", Sum),
    has("", ".   Passed ", Pass(Passed)),
    has("", "***Failed ", Fail),
    has("Start ", ": ", Noise(Progress)),
    has("", " examples, ", Sum),
    at(
        "Failures:",
        Detail(Block::Until(&["Failed examples:", "Finished in "])),
    ),
    at("rspec ./", Fail),
];
