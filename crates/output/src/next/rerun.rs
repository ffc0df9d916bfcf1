//! Failing tests by name, and the command that runs those and no others.

use wharf_shell::Analysis;

use super::NextStep;
use super::narrow::{by_pattern, go, joined, named, step, unittest};
use crate::digest::{clean, segments};

/// Failing tests that are remembered.
const MAX_FOUND: usize = 200;

/// A runner of tests, and what it found.
#[derive(Default)]
struct Found {
    pytest: Vec<String>,
    unittest: Vec<String>,
    cargo: Vec<String>,
    nextest: Vec<String>,
    go: Vec<String>,
    go_packages: Vec<String>,
    jest_files: Vec<String>,
    jest_tests: Vec<String>,
    vitest_files: Vec<String>,
    vitest_tests: Vec<String>,
    mocha: Vec<String>,
    node: Vec<String>,
    maven: Vec<String>,
    gradle: Vec<String>,
    rspec: Vec<String>,
    ctest: Vec<String>,
    prove: Vec<String>,
}

/// The narrow rerun of what failed, one step for each runner that speaks.
pub(super) fn steps(
    analysis: &Analysis,
    failed: bool,
    stdout: &[u8],
    stderr: &[u8],
) -> Vec<NextStep> {
    let listing = analysis.programs.iter().all(|program| {
        ["cat", "grep", "rg", "tail", "head", "less", "sed"].contains(&program.name.as_str())
    });
    if !failed || listing {
        return Vec::new();
    }
    let mut found = Found::default();
    for bytes in [stdout, stderr] {
        let mut mocha = Mocha::default();
        for segment in segments(bytes) {
            let line = clean(segment.text);
            found.read(&line);
            mocha.read(&line, &mut found.mocha);
        }
    }
    found.commands(analysis)
}

impl Found {
    fn read(&mut self, line: &str) {
        let trimmed = line.trim();
        self.python(trimmed);
        if let Some(name) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.strip_suffix(" ... FAILED"))
        {
            // A doc test is named by its place, which cargo does not take as a name.
            if !name.contains(" - ") {
                add(&mut self.cargo, name);
            }
        }
        self.nextest(trimmed);
        self.go(line, trimmed);
        self.javascript(line, trimmed);
        self.jvm(trimmed);
        if let Some(place) = trimmed.strip_prefix("rspec ./") {
            let place = place.split(" # ").next().unwrap_or(place);
            add(&mut self.rspec, &format!("./{place}"));
        }
        if let Some((file, _)) = line.split_once(" (Wstat: ")
            && !file.contains(char::is_whitespace)
        {
            add(&mut self.prove, file);
        }
        if let Some((name, _)) = trimmed.split_once(" (Failed)") {
            let name = name.rsplit(' ').next().unwrap_or(name);
            add(&mut self.ctest, name);
        }
    }

    fn python(&mut self, line: &str) {
        for mark in ["FAILED ", "ERROR "] {
            if let Some(rest) = line.strip_prefix(mark) {
                let id = rest.split(" - ").next().unwrap_or(rest);
                if id.contains(".py") && !id.contains("error: ") {
                    add(&mut self.pytest, id.trim());
                }
            }
        }
        for mark in ["FAIL: ", "ERROR: "] {
            let Some((name, place)) = line
                .strip_prefix(mark)
                .and_then(|rest| rest.split_once(" ("))
            else {
                continue;
            };
            let Some(place) = place
                .split(')')
                .next()
                .filter(|place| place.contains('.') || place.starts_with("__main__"))
            else {
                continue;
            };
            // From Python 3.11 on the place holds the name of the test; before, only its class.
            let id = if place.ends_with(&format!(".{name}")) {
                place.to_owned()
            } else {
                format!("{place}.{name}")
            };
            add(&mut self.unittest, &id);
        }
    }

    /// `FAIL [   0.004s] (3/9) shop tests::adds`.
    fn nextest(&mut self, line: &str) {
        let Some((_, rest)) = line
            .strip_prefix("FAIL [")
            .or_else(|| line.strip_prefix("SIGABRT ["))
            .or_else(|| line.strip_prefix("TIMEOUT ["))
            .and_then(|rest| rest.split_once("s] "))
        else {
            return;
        };
        let mut words = rest
            .split_whitespace()
            .skip_while(|word| word.starts_with('(') || word.ends_with(')'));
        if let (Some(_), Some(test), None) = (words.next(), words.next(), words.next()) {
            add(&mut self.nextest, test);
        }
    }

    fn go(&mut self, line: &str, trimmed: &str) {
        if let Some(rest) = trimmed.strip_prefix("--- FAIL: ") {
            let name = rest.split(" (").next().unwrap_or(rest);
            // The test of the outermost name runs all below it, so the deepest names are enough.
            let parent = name.rsplit_once('/').map(|(parent, _)| parent.to_owned());
            self.go.retain(|known| Some(known) != parent.as_ref());
            add(&mut self.go, name);
        }
        if let Some(package) = line.strip_prefix("FAIL\t") {
            let package = package.split(['\t', ' ']).next().unwrap_or(package);
            add(&mut self.go_packages, package);
        }
    }

    fn javascript(&mut self, line: &str, trimmed: &str) {
        if let Some(rest) = trimmed.strip_prefix("FAIL ") {
            let rest = rest.trim();
            let mut parts = rest.split(" > ");
            let file = parts
                .next()
                .unwrap_or(rest)
                .split(' ')
                .next()
                .unwrap_or(rest);
            let is_file = [".js", ".ts", ".jsx", ".tsx", ".mjs", ".cjs", ".mts"]
                .iter()
                .any(|end| file.ends_with(end));
            match (is_file, parts.last()) {
                (true, Some(test)) => {
                    add(&mut self.vitest_files, file);
                    add(&mut self.vitest_tests, test);
                }
                // Vitest names the file of a suite that did not load twice.
                (true, None) if rest.contains(&format!("[ {file} ]")) => {
                    add(&mut self.vitest_files, file);
                }
                (true, None) => add(&mut self.jest_files, file),
                _ => {}
            }
        }
        if let Some(name) = trimmed.strip_prefix("\u{25cf} ")
            && let Some((_, test)) = name.rsplit_once(" \u{203a} ")
        {
            add(&mut self.jest_tests, test);
        }
        if let Some(name) = line
            .strip_prefix("\u{2716} ")
            .or_else(|| line.strip_prefix("not ok "))
        {
            let name = name.split_once(" - ").map_or(name, |(_, name)| name);
            let name = name.rsplit_once(" (").map_or(name, |(name, _)| name);
            // A test that is still to be done fails nothing.
            if name.contains(" # TODO") || name.contains(" # SKIP") {
                return;
            }
            if !name.starts_with("failing tests") && !name.contains(" problem") {
                add(&mut self.node, name);
            }
        }
    }

    fn jvm(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("[ERROR]   ")
            && let Some((name, _)) = rest.split_once(':')
            && let Some((class, method)) = name.split_once('.')
            && !method.contains(['.', ' '])
        {
            add(&mut self.maven, &format!("{class}#{method}"));
        }
        if let Some(rest) = line.strip_suffix(" FAILED")
            && let Some((class, method)) = rest.split_once(" > ")
            && !class.contains(' ')
        {
            add(
                &mut self.gradle,
                &format!("{class}.{}", method.trim_end_matches("()")),
            );
        }
    }

    fn commands(self, analysis: &Analysis) -> Vec<NextStep> {
        let ran = |name: &str| {
            let argv = analysis
                .programs
                .iter()
                .filter_map(|program| program.argv.as_ref());
            analysis.programs.iter().any(|program| program.name == name)
                || argv.flatten().any(|word| word == name)
        };
        let gradle = if ran("gradlew") {
            "./gradlew test"
        } else {
            "gradle test"
        };
        let maven = if ran("mvnw") {
            "./mvnw test"
        } else {
            "mvn test"
        };
        let node_test = ran("node") && self.jest_files.is_empty();
        let jest_tests = if self.jest_files.is_empty() {
            &[][..]
        } else {
            &self.jest_tests[..]
        };
        // Nextest shows what the test's own harness printed, which names it again.
        let cargo = if self.nextest.is_empty() {
            &self.cargo[..]
        } else {
            &[][..]
        };
        let mut steps = vec![
            named("pytest", "", &self.pytest),
            unittest(analysis, &self.unittest),
            named("cargo test --", "--exact", cargo),
            named("cargo nextest run --", "--exact", &self.nextest),
            go(&self.go, &self.go_packages),
            by_pattern("npx jest", &self.jest_files, jest_tests, "-t"),
            by_pattern(
                "npx vitest run",
                &self.vitest_files,
                &self.vitest_tests,
                "-t",
            ),
            by_pattern("npx mocha", &[], &self.mocha, "-g"),
            named(gradle, "--tests", &self.gradle),
            joined(maven, "-Dtest=", &self.maven),
            named("bundle exec rspec", "", &self.rspec),
            named("prove -v", "", &self.prove),
        ];
        if node_test {
            steps.push(by_pattern(
                "node --test",
                &[],
                &self.node,
                "--test-name-pattern",
            ));
        }
        if !self.ctest.is_empty() {
            steps.push(step(
                &self.ctest,
                Some("ctest --rerun-failed --output-on-failure".to_owned()),
            ));
        }
        steps.into_iter().flatten().collect()
    }
}

fn add(names: &mut Vec<String>, name: &str) {
    if names.len() < MAX_FOUND && !name.is_empty() && !names.iter().any(|known| known == name) {
        names.push(name.to_owned());
    }
}

/// Mocha names its failures in a list at the end: number and suite, then the test and a colon.
#[derive(Default)]
struct Mocha {
    failing: bool,
    suite: bool,
}

impl Mocha {
    fn read(&mut self, line: &str, tests: &mut Vec<String>) {
        let trimmed = line.trim();
        if let Some(count) = trimmed.strip_suffix(" failing") {
            self.failing = count.bytes().all(|byte| byte.is_ascii_digit());
            return;
        }
        if !self.failing {
            return;
        }
        let numbered = trimmed.split_once(") ").is_some_and(|(number, _)| {
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        });
        if numbered {
            self.suite = true;
        } else if self.suite && !trimmed.is_empty() {
            if let Some(name) = trimmed.strip_suffix(':') {
                add(tests, name);
                self.suite = false;
            }
        } else {
            self.suite = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use wharf_shell::{Context, analyze};

    use super::super::narrow::MAX_NAMED;
    use super::*;

    fn rerun(command: &str, output: &str) -> Option<String> {
        let analysis = analyze(command, &Context::default());
        steps(&analysis, true, output.as_bytes(), b"")
            .into_iter()
            .next()?
            .command
    }

    #[test]
    fn each_runner_runs_what_failed() {
        let cases = [
            (
                "pytest",
                "FAILED tests/a.py::test_x[1-a b] - assert 3 == 4\nERROR tests/b.py - ImportError",
                "pytest 'tests/a.py::test_x[1-a b]' tests/b.py",
            ),
            (
                "cargo test",
                "test a::b ... FAILED\ntest a::c ... ok\ntest a::d ... FAILED",
                "cargo test -- --exact a::b a::d",
            ),
            (
                "cargo nextest run",
                "        FAIL [   0.004s] (3/9) shop tests::adds\n    test tests::adds ... FAILED\n",
                "cargo nextest run -- --exact tests::adds",
            ),
            (
                "python -m unittest",
                "FAIL: test_bad (test_unit.T.test_bad)",
                "python -m unittest test_unit.T.test_bad",
            ),
            (
                "python -m unittest",
                "ERROR: test_bad (mod.T)",
                "python -m unittest mod.T.test_bad",
            ),
            (
                "python3 shop.py -v",
                "FAIL: test_bad (__main__.T.test_bad)",
                "python3 shop.py T.test_bad",
            ),
            (
                "npx vitest run",
                " FAIL  t/a.test.js [ t/a.test.js ]\nError: Cannot find module\n",
                "npx vitest run t/a.test.js",
            ),
            (
                "node --test",
                "not ok 1 - sum\nnot ok 2 - later # TODO\n",
                "node --test --test-name-pattern sum",
            ),
            (
                "prove t",
                "t/a.t (Wstat: 768 (exited 3) Tests: 43 Failed: 3)",
                "prove -v t/a.t",
            ),
            (
                "go test ./...",
                "--- FAIL: TestA (0.00s)\n    --- FAIL: TestA/case_1 (0.00s)\nFAIL\texample.com/a\t0.1s",
                "go test -run '^TestA$/^case_1$' example.com/a",
            ),
            (
                "go test ./...",
                "--- FAIL: TestA (0.00s)\n--- FAIL: TestB (0.00s)\nFAIL\texample.com/a\t0.1s",
                "go test -run '^(TestA|TestB)$' example.com/a",
            ),
            (
                "npx jest",
                "FAIL src/a.test.js\n  \u{25cf} suite \u{203a} adds (twice)",
                "npx jest src/a.test.js -t 'adds \\(twice\\)'",
            ),
            (
                "npx vitest run",
                " FAIL  a.test.ts > suite > adds\n",
                "npx vitest run a.test.ts -t adds",
            ),
            (
                "npx mocha",
                "  2 failing\n\n  1) bad\n       adds wrongly:\n     AssertionError: x\n\n  2) bad\n       deep:\n",
                "npx mocha -g 'adds wrongly|deep'",
            ),
            (
                "node --test",
                "\u{2716} wrong sum (0.3ms)\n\u{2716} failing tests:\n",
                "node --test --test-name-pattern 'wrong sum'",
            ),
            (
                "mvn test",
                "[ERROR]   CartTest.addsTax:31 expected: <1>\n[ERROR]   CartTest.loads:44 NullPointer",
                "mvn test -Dtest='CartTest#addsTax,CartTest#loads'",
            ),
            (
                "./gradlew test",
                "OrderTest > rejectsEmpty() FAILED",
                "./gradlew test --tests OrderTest.rejectsEmpty",
            ),
            (
                "bundle exec rspec",
                "rspec ./spec/cart_spec.rb:10 # Cart adds tax",
                "bundle exec rspec ./spec/cart_spec.rb:10",
            ),
            (
                "ctest",
                "\t  3 - net_test (Failed)",
                "ctest --rerun-failed --output-on-failure",
            ),
        ];
        for (command, output, wanted) in cases {
            assert_eq!(
                rerun(command, output).as_deref(),
                Some(wanted),
                "{command}: {output}"
            );
        }
    }

    #[test]
    fn many_failures_are_counted_and_not_named() {
        let output: String = (0..MAX_NAMED + 1)
            .map(|n| format!("test t{n} ... FAILED\n"))
            .collect();
        let analysis = analyze("cargo test", &Context::default());
        let steps = steps(&analysis, true, output.as_bytes(), b"");
        assert_eq!(steps[0].command, None);
        assert!(steps[0].text.contains("11 failing tests"));
    }

    #[test]
    fn nothing_is_rerun_that_was_only_shown() {
        assert_eq!(rerun("cat log", "test a::b ... FAILED"), None);
    }
}
