//! How a command may be started, and what it needs of the shell that runs it.

use wharf_shell::{Analysis, Context, Launch, TimeoutClass, analyze};

fn read(text: &str) -> Analysis {
    analyze(
        text,
        &Context {
            cwd: Some("/w"),
            home: Some("/home/u"),
            ..Context::default()
        },
    )
}

fn argv(text: &str) -> Option<Vec<String>> {
    match read(text).launch {
        Launch::Direct { argv } => Some(argv),
        Launch::Shell => None,
    }
}

#[test]
fn literal_programs_need_no_shell() {
    let cases: &[(&str, &[&str])] = &[
        ("ls", &["ls"]),
        ("  ls   -la\t/tmp ", &["ls", "-la", "/tmp"]),
        ("/bin/true", &["/bin/true"]),
        ("git commit -m 'a b'", &["git", "commit", "-m", "a b"]),
        (
            "git commit -m \"a \\\"b\\\" $\"",
            &["git", "commit", "-m", "a \"b\" $"],
        ),
        ("l\\s a\\ b", &["ls", "a b"]),
        ("ls \\\n -l", &["ls", "-l"]),
        ("ls '' \"\"", &["ls", "", ""]),
        ("ls a=b x#y", &["ls", "a=b", "x#y"]),
        ("ls # comment", &["ls"]),
        ("ls;", &["ls"]),
        ("ls\n", &["ls"]),
        (
            "grep '*' '$x' \"~\" '{a,b}'",
            &["grep", "*", "$x", "~", "{a,b}"],
        ),
        (
            "find . -exec x {} ';'",
            &["find", ".", "-exec", "x", "{}", ";"],
        ),
        ("echo2 caf\u{e9}", &["echo2", "caf\u{e9}"]),
    ];
    for (text, expected) in cases {
        let expected: Vec<String> = expected.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(argv(text), Some(expected), "{text}");
    }
}

#[test]
fn everything_else_needs_one() {
    for text in [
        "",
        "#",
        "echo hi",
        "cd /",
        "true",
        "[ a ]",
        "FOO=1 ls",
        "FOO=1",
        "ls > f",
        "ls < f",
        "ls 2>&1",
        "ls | wc",
        "ls && ls",
        "ls; ls",
        "ls &",
        "! ls",
        "time ls",
        "(ls)",
        "{ ls; }",
        "ls *",
        "ls a?",
        "ls [a]",
        "ls ~",
        "ls {a,b}",
        "ls $x",
        "ls \"$x\"",
        "ls $(x)",
        "ls `x`",
        "ls $((1))",
        "ls <(x)",
        "$x",
        "\"\" a",
        "ls 'a",
        "if",
        "exec ls",
        "ls <<E\nE",
        "ls a=~",
        "f() { ls; }",
        "[[ a ]]",
        "((1))",
        "ls $'a'",
        "ls\nls",
        "export A=1",
        "ls\0",
    ] {
        assert_eq!(argv(text), None, "{text:?}");
    }
}

#[test]
fn what_changes_the_shell_is_said() {
    for text in [
        "cd x",
        "x=1",
        "x+=1",
        "x[1]=2",
        "export X=1",
        "declare x",
        "source f",
        ". f",
        "eval 'x=1'",
        "f() { :; }",
        "set -e",
        "shopt -s x",
        "read x",
        "printf -v x a",
        "echo ${x:=y}",
        "echo $((x=1))",
        "((x++))",
        "let x=1",
        "unset x",
        "alias a=b",
        "trap x EXIT",
        "exec 3>f",
        "umask 022",
        "pushd x",
        "for i in a; do :; done",
        "unknown_name",
        "{ cd x; }",
        "ls; cd x",
        "command cd x",
        "builtin cd x",
        "exec {fd}>f",
        "mapfile a",
        "[[ a =~ b ]]",
        "ls &",
        "if x=1; then :; fi",
        "coproc cat",
        "$x",
        "exit",
        "hash -r",
    ] {
        assert!(read(text).shell_use.mutates_state, "{text}");
    }
    for text in [
        "ls",
        "/x/y",
        "echo a",
        "printf a",
        "test -f x",
        "[ -f x ]",
        "pwd",
        ":",
        "true",
        "ls | wc",
        "(cd x; ls)",
        "echo $(cd x; pwd)",
        "FOO=1 ls",
        "cd x | cat",
        "[[ a == b ]]",
        "ls > f",
        "bash -c 'cd x'",
        "git status",
        "echo ${x:-y} $HOME",
        "echo $((1 + 1))",
        "! ls",
        "if true; then ls; fi",
    ] {
        assert!(!read(text).shell_use.mutates_state, "{text}");
    }
}

#[test]
fn what_sees_the_shell_is_said() {
    for text in [
        "echo $$",
        "echo $PPID",
        "echo $BASHPID",
        "echo $BASH_SUBSHELL",
        "echo $SHLVL",
        "echo $0",
        "echo ${BASH_VERSION}",
        "eval x",
        "source f",
        "exec ls",
        "trap x EXIT",
        "echo ${!x}",
        "echo ${x@P}",
        "kill 0",
        "jobs",
        "set",
        "declare -p",
        "$x",
        "unknown_name",
        "env",
        "echo \"$$\"",
        "echo $(echo $$)",
        "echo $_",
        "echo $!",
        "echo $RANDOM",
    ] {
        assert!(read(text).shell_use.inspects_shell, "{text}");
    }
    for text in [
        "ls",
        "echo a",
        "echo $HOME",
        "cd x",
        "x=1",
        "ls | wc",
        "(ls)",
        "[ -f x ]",
        "printf '%s' a",
        "for i in a b; do echo $i; done",
    ] {
        assert!(!read(text).shell_use.inspects_shell, "{text}");
    }
}

#[test]
fn builtins_alone_are_told() {
    for text in [
        "echo a",
        "echo $A $PWD",
        "cd x",
        "x=1",
        "[ a = b ] && echo c",
        "[[ a ]]",
        "export A=1",
        "printf '%s' \"$x\"",
        ":",
        "for i in a; do echo $i; done",
        "echo $(pwd)",
    ] {
        assert!(read(text).shell_use.pure_builtins, "{text}");
    }
    for text in [
        "ls",
        "echo $(ls)",
        "echo `ls`",
        "echo a | cat",
        "unknown_name",
        "$x",
        "eval \"$x\"",
        ". f",
        "source f",
        "echo a > >(cat)",
        "f() { :; }",
        "/bin/echo a",
        "if",
        "command ls",
        "trap 'ls' EXIT",
    ] {
        assert!(!read(text).shell_use.pure_builtins, "{text}");
    }
}

#[test]
fn what_runs_on_is_said() {
    for text in [
        "sleep 1 &",
        "nohup x",
        "setsid x",
        "coproc x",
        "disown",
        "(x &)",
        "bash -c 'x &'",
    ] {
        assert!(read(text).shell_use.backgrounds, "{text}");
    }
    for text in ["ls", "ls && ls", "echo '&'", "ls 2>&1"] {
        assert!(!read(text).shell_use.backgrounds, "{text}");
    }
}

#[test]
fn a_final_ampersand_is_located() {
    let tail = |text: &str| read(text).shell_use.background_tail;
    assert_eq!(tail("sleep 5 &"), Some(8));
    assert_eq!(tail("a && b | c & # x"), Some(11));
    assert_eq!(tail("{ a; b & } &\n"), Some(11));
    assert_eq!(tail("a & b"), None);
    assert_eq!(tail("a; b &"), None);
    assert_eq!(tail("a & b &"), None);
    assert_eq!(tail("a '&'"), None);
    assert_eq!(tail("a &&"), None);
}

#[test]
fn redirections_of_the_shell_itself_are_told() {
    assert!(read("exec > f").shell_use.redirects_shell);
    assert!(read("exec 3< f 4>&1").shell_use.redirects_shell);
    assert!(!read("exec ls > f").shell_use.redirects_shell);
    assert!(!read("(exec > f)").shell_use.redirects_shell);
    assert!(!read("bash -c 'exec > f'").shell_use.redirects_shell);
}

#[test]
fn kinds_of_commands_get_their_time() {
    let class = |text: &str| read(text).timeout_class;
    assert_eq!(class("ls"), TimeoutClass::Default);
    assert_eq!(class("sudo apt-get update"), TimeoutClass::PackageManager);
    assert_eq!(class("cd x && npm install"), TimeoutClass::PackageManager);
    assert_eq!(class("docker build ."), TimeoutClass::Container);
    assert_eq!(class("python3 -m http.server"), TimeoutClass::ServerStart);
    assert_eq!(class("flask run"), TimeoutClass::ServerStart);
    assert_eq!(
        [
            TimeoutClass::Default,
            TimeoutClass::ServerStart,
            TimeoutClass::PackageManager,
            TimeoutClass::Container
        ]
        .map(TimeoutClass::seconds),
        [30, 60, 120, 300]
    );
}

#[test]
fn programs_that_want_a_terminal_are_told() {
    for text in [
        "vim x",
        "top",
        "less x",
        "ssh h",
        "python3",
        "sudo -i",
        "git rebase -i HEAD~2",
        "docker run -it x",
        "git commit",
        "psql",
        "crontab -e",
    ] {
        assert!(read(text).interactive, "{text}");
    }
    for text in [
        "cat x",
        "man ls",
        "tmux ls",
        "screen -ls",
        "top -b -n1",
        "ssh h ls",
        "python3 x.py",
        "python3 < x",
        "git commit -m x",
        "git log | head",
        "docker run x",
        "psql -c x",
        "echo x | psql",
    ] {
        assert!(!read(text).interactive, "{text}");
    }
}
