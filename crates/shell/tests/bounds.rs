//! Texts made to hurt: deep, long, repeated. Each gets an answer, on a small stack, in bounded
//! time, and is never called safe when it was not read to its end.

#![expect(clippy::expect_used, reason = "a helper of a test fails it")]

use std::time::{Duration, Instant};

use proptest::prelude::*;
use wharf_shell::{Analysis, Context, Risk, Verdict, analyze, judge};

/// The stack of a thread by default.
const STACK: usize = 2 << 20;
/// Generous: unoptimised builds on a busy machine.
const LIMIT: Duration = Duration::from_secs(20);

fn on_small_stack(text: String) -> Analysis {
    let thread = std::thread::Builder::new().stack_size(STACK);
    let started = Instant::now();
    let analysis = thread
        .spawn(move || analyze(&text, &Context::default()))
        .expect("a thread starts")
        .join()
        .expect("no panic");
    assert!(started.elapsed() < LIMIT, "took {:?}", started.elapsed());
    analysis
}

fn nested(open: &str, inside: &str, close: &str, depth: usize) -> String {
    format!("{}{inside}{}", open.repeat(depth), close.repeat(depth))
}

#[test]
fn ten_thousand_levels_of_anything_are_not_called_safe() {
    let pairs = [
        ("(", ")"),
        ("( ", " )"),
        ("$(", ")"),
        ("{ ", ";}"),
        ("\"$(", ")\""),
        ("${x:-", "}"),
        ("$((", "))"),
        ("((", "))"),
        ("<(", ")"),
        ("if ", ";then a;fi"),
        ("while ", ";do a;done"),
        ("case a in a) ", ";;esac"),
        ("f() ", ""),
        ("coproc { ", ";}"),
        ("a=(", ")"),
        ("`", "`"),
        ("\\`", "\\`"),
        ("[[ ( ", " ) ]]"),
        ("$[", "]"),
        ("! ", ""),
        ("time ", ""),
        ("for i in a; do ", ";done"),
        ("x[", "]=1"),
    ];
    for (open, close) in pairs {
        for inside in ["rm -rf /", "ls", ""] {
            let analysis = on_small_stack(nested(open, inside, close, 10_000));
            let safe = judge(&analysis).0 == Verdict::Allow;
            let shallow = matches!(
                open,
                "(" | "! " | "time " | "`" | "\\`" | "x[" | "((" | "$((" | "$[" | "[[ ( " | "a=("
            );
            assert!(shallow || !safe, "{open} {inside} is called safe");
            assert!(
                !(safe && inside.starts_with("rm"))
                    || matches!(open, "(" | "((" | "$((" | "$[" | "`" | "\\`" | "x["),
                "{open} {inside}"
            );
        }
    }
}

#[test]
fn unclosed_openings_get_an_answer() {
    for open in [
        "(",
        "((",
        "$(",
        "$((",
        "{ ",
        "${x:-",
        "\"",
        "'",
        "`",
        "if ",
        "case a in a) ",
        "<(",
        "[[ ",
        "a=(",
        "\"$(",
        "$'",
        "<<E\n",
        "f() ",
        "${x/",
    ] {
        let analysis = on_small_stack(open.repeat(20_000));
        assert_ne!(judge(&analysis).0, Verdict::Deny, "{open}");
    }
}

#[test]
fn ten_thousand_commands_are_read_to_the_end() {
    for join in ["|", ";", "&&", "||", "\n", "&"] {
        let mut text = format!("ls {join}").repeat(9_999);
        text.push_str("rm -rf /");
        assert_eq!(judge(&on_small_stack(text)).0, Verdict::Deny, "{join}");
    }
}

#[test]
fn more_commands_than_are_walked_are_unknown() {
    let analysis = on_small_stack("ls;".repeat(30_000));
    assert_eq!(analysis.risk, Risk::Unknown);
    assert!(
        analysis
            .findings
            .iter()
            .any(|finding| finding.rule == "too-long")
    );
}

#[test]
fn a_mebibyte_of_anything_gets_an_answer() {
    let pieces = [
        "a ",
        "a",
        " ",
        "\n",
        "$x",
        "${x}",
        "'a'",
        "\"a\"",
        "\\a",
        "*",
        "{a,b}",
        "$(",
        "`a`",
        "x=$x$x;",
        "a|",
        "#",
        "<<E ",
        "<<E\n",
        ">a ",
        "~ ",
        "$((1))",
        "[[ a ]];",
        "f(){ :;};",
        "echo a | sh;",
        "eval a;",
        "bash -c a;",
        "x[1]=",
        "é",
        "\u{1F600}",
        "-rf ",
        "sudo ",
        "xargs ",
        "(a);",
        "a=(b);",
        "b $a;",
        "if a;then b;fi;",
        "${x:-y}",
        "$x ",
        "for i in a b;do c $i;done;",
        "{1..60}",
        "echo $(echo a);",
        "time ",
        "! ",
        "find . -exec ",
        "x=a;",
    ];
    for piece in pieces {
        let _ = on_small_stack(piece.repeat((1 << 20) / piece.len()));
    }
}

#[test]
fn doubling_a_variable_has_an_end() {
    let mut text = "x=aaaaaaaaaaaaaaaa;".to_owned();
    text.push_str(&"x=$x$x;".repeat(200));
    text.push_str("echo $x; bash -c \"$x\"");
    assert_ne!(judge(&on_small_stack(text)).0, Verdict::Allow);
}

#[test]
fn multiplying_braces_have_an_end() {
    let _ = on_small_stack(format!("echo {}", "{a,b}".repeat(1_000)));
    let _ = on_small_stack(format!("echo {}", "{".repeat(50_000)));
    let _ = on_small_stack(format!(
        "echo {}a{}",
        "{a,".repeat(10_000),
        "}".repeat(10_000)
    ));
}

fn shellish() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "ls",
        "rm",
        "-rf",
        "/",
        " ",
        " ",
        " ",
        "\n",
        ";",
        "&",
        "|",
        "(",
        ")",
        "{",
        "}",
        "$",
        "$(",
        "`",
        "\"",
        "'",
        "\\",
        "<",
        ">",
        "<<",
        "EOF",
        "\nEOF\n",
        "$x",
        "${x",
        "}",
        "=",
        "x=",
        "a",
        "if",
        "then",
        "fi",
        "do",
        "done",
        "case",
        "in",
        "esac",
        "for",
        "[[",
        "]]",
        "((",
        "))",
        "*",
        "~",
        "é",
        "#",
        "!",
        "sudo",
        "bash",
        "-c",
        "eval",
        "xargs",
        "find",
        "-exec",
        "{}",
        "\\;",
        "1",
        "2>",
        "&1",
        "@",
        "[",
        "]",
        ",",
        "..",
        ":-",
        "function",
        "coproc",
        "time",
        "sed",
        "awk",
        "python3",
        "printf",
        "-v",
        "echo",
        "git",
        "ssh",
        "h",
        "docker",
        "run",
        "trap",
        "$'",
        "\\x",
        "\u{1F600}",
        "\0",
    ]);
    prop::collection::vec(token, 0..40).prop_map(|tokens| tokens.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic_and_spans_stay_inside(text in prop_oneof![shellish(), "\\PC{0,60}", any::<String>()]) {
        let ctx = Context { cwd: Some("/home/u/p"), home: Some("/home/u"), ..Context::default() };
        let analysis = analyze(&text, &ctx);
        let inside = |span: wharf_shell::Span| text.get(span.start..span.end).is_some();
        for program in &analysis.programs {
            prop_assert!(inside(program.span), "{program:?}");
        }
        for effect in &analysis.effects {
            prop_assert!(inside(effect.span), "{effect:?}");
        }
        for finding in &analysis.findings {
            prop_assert!(inside(finding.span), "{finding:?}");
        }
        if let Some(error) = &analysis.parse_error {
            prop_assert!(inside(error.span));
            prop_assert_ne!(judge(&analysis).0, Verdict::Allow);
        }
        // A name that another program prints stands behind that program, which is inside of it.
        for pair in analysis.programs.windows(2) {
            let (first, second) = (pair[0].span, pair[1].span);
            let printed = second.start <= first.start && first.end <= second.end;
            prop_assert!(first.start <= second.start || printed, "{pair:?}");
        }
        let (_, reasons) = judge(&analysis);
        prop_assert!(reasons.iter().all(|reason| inside(reason.span)));
        let _ = wharf_shell::redact(&text);
    }
}
