//! Tries the analysis on corpora in files, and says where it differs from them.
//!
//! `cargo run --release -p wharf-shell --example trial -- DIRECTORY…` reads `danger.txt` (commands
//! that must not run without a question), `benign.txt` (commands that must) and `programs.txt`
//! (`COMMAND => PROGRAM…`) of each directory: one command a line, `\n` for a newline, `\\n` for a
//! backslash and an n, `\\\n` for a backslash at the end of a line; lines that begin with `##` are
//! headings.

use std::path::Path;

use wharf_shell::{Analysis, Context, Verdict, analyze, judge};

fn read(text: &str) -> Analysis {
    let context = Context {
        cwd: Some("/home/u/p"),
        home: Some("/home/u"),
        user: Some("u"),
        workspace_root: Some("/home/u/p"),
        git_branch: Some("main"),
    };
    analyze(text, &context)
}

fn unescaped(line: &str) -> String {
    line.replace("\\\\\\n", "\u{1}")
        .replace(r"\\n", "\0")
        .replace(r"\n", "\n")
        .replace('\0', r"\n")
        .replace('\u{1}', "\\\n")
}

fn lines(directory: &Path, file: &str) -> Vec<String> {
    let text = std::fs::read_to_string(directory.join(file)).unwrap_or_default();
    text.lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with("##"))
        .map(str::to_owned)
        .collect()
}

/// Lines whose verdict is not what it should be.
fn misjudged(all: &[String], allowed: bool) -> Vec<String> {
    all.iter()
        .filter_map(|line| {
            let (verdict, reasons) = judge(&read(&unescaped(line)));
            if (verdict == Verdict::Allow) == allowed {
                return None;
            }
            let rules: Vec<&str> = reasons.iter().map(|reason| reason.rule.as_str()).collect();
            Some(format!("{line}\n        {verdict:?} {}", rules.join(", ")))
        })
        .collect()
}

fn misnamed(all: &[String]) -> Vec<String> {
    all.iter()
        .filter_map(|line| {
            let (text, wanted) = line.rsplit_once("=>")?;
            let analysis = read(&unescaped(text.trim_end()));
            let names: Vec<&str> = analysis.programs.iter().map(|p| p.name.as_str()).collect();
            let names = names.join(" ");
            let wanted = wanted.split_whitespace().collect::<Vec<_>>().join(" ");
            (names != wanted).then(|| format!("{line}\n        {names}"))
        })
        .collect()
}

#[expect(
    clippy::print_stdout,
    reason = "what it says is for a person at a terminal"
)]
fn report(what: &str, count: usize, wrong: &[String]) {
    if count == 0 {
        return;
    }
    println!("  {what}: {} of {count} differ", wrong.len());
    for line in wrong {
        println!("    {line}");
    }
}

#[expect(
    clippy::print_stdout,
    reason = "what it says is for a person at a terminal"
)]
fn main() {
    for argument in std::env::args().skip(1) {
        let directory = Path::new(&argument);
        println!("{argument}");
        for (file, what, allowed) in [
            ("danger.txt", "danger that is allowed", false),
            ("benign.txt", "ordinary work that asks", true),
        ] {
            let all = lines(directory, file);
            report(what, all.len(), &misjudged(&all, allowed));
        }
        let all = lines(directory, "programs.txt");
        report("programs", all.len(), &misnamed(&all));
    }
}
