//! Texts of a mebibyte in which every construct is repeated, nested, left open or combined with
//! another one: each must be read in a time that grows with the text and not faster.
//!
//! The whole is measured in a release build, where time means something:
//! `cargo test --release -p wharf-shell --test hostile -- --ignored --nocapture`

use std::time::{Duration, Instant};

use wharf_shell::{Context, Verdict, analyze, judge};

const SIZE: usize = 1 << 20;

/// What one text of a mebibyte may take on a quiet machine; a loaded one is given more.
const REACH: Duration = Duration::from_millis(50);
const GENEROUS: u32 = 4;

const PIECES: &[&str] = &[
    "a ",
    "a",
    " ",
    "\n",
    "\t",
    ";",
    "&",
    "|",
    "a;",
    "a&",
    "a|",
    "a&&",
    "a||",
    "a\n",
    "!",
    "! ",
    "time ",
    "#",
    "#\n",
    "\\",
    "\\\n",
    "\\a",
    "'a'",
    "'",
    "\"a\"",
    "\"",
    "\"$x\"",
    "$'a'",
    "$'\\x41'",
    "$\"a\"",
    "$",
    "$x",
    "$x ",
    "$1",
    "$@",
    "\"$@\" ",
    "${x}",
    "${x} ",
    "${x",
    "${",
    "${x:-y}",
    "${x:-y} ",
    "${x:-",
    "${x:-\\a",
    "${x#a}",
    "${x/a/b}",
    "${x//",
    "${!x}",
    "${#x}",
    "${x[1]}",
    "${x[@]} ",
    "${x[",
    "${x[}",
    "${x@P}",
    "${x:1:2}",
    "${x^^}",
    "$(",
    "$(a)",
    "$(a) ",
    "$(a;",
    "`",
    "`a`",
    "`a` ",
    "$((1))",
    "$((",
    "$((a)",
    "$[1]",
    "$[",
    "((1));",
    "((",
    "((a)",
    "( (a) );",
    "(a);",
    "(",
    ")",
    "{ a;};",
    "{",
    "}",
    "{a,b}",
    "{a,b} ",
    "{a,",
    "{1..9}",
    "{1..60}",
    "{a,b}{a,b}{a,b}{a,b}{a,b}{a,b} ",
    "*",
    "?",
    "[a]",
    "[",
    "]",
    "[a",
    "~",
    "~ ",
    "~/a ",
    "~a ",
    "@(a)",
    "+(",
    "=",
    "a=",
    "a=b ",
    "a=b;",
    "a=$a$a;",
    "a+=b;",
    "a+=$a;",
    "a[1]=b;",
    "a[",
    "a[b]=c ",
    "a=(b);",
    "a=(",
    "a=(b c) ",
    "<a ",
    ">a ",
    ">",
    "<",
    "<<E ",
    "<<E\n",
    "<<E\na\nE\n",
    "a <<E\n$x\nE\n",
    "<<'E'\n",
    "<<<a ",
    "<<<$x ",
    "2>&1 ",
    "&>a ",
    "<(a) ",
    ">(a) ",
    "<(",
    "{x}>a ",
    "if a;then b;fi;",
    "if ",
    "if a;then ",
    "while a;do b;done;",
    "while ",
    "while :;do a&done;",
    "until a;do b;done;",
    "for i in a b;do c $i;done;",
    "for i in a;do ",
    "for((;;));do a;done;",
    "case a in a)b;;esac;",
    "case a in ",
    "case a in a) ",
    "case a in a) b;; ",
    "select x in a;do b;done;",
    "[[ a ]];",
    "[[ ",
    "[[ a =~ b ]];",
    "[[ a && ",
    "[[ ( ",
    "[ a ];",
    "f(){ a;};",
    "f(){ f|f&};",
    "f(){ b \"$@\";};f a;",
    "f ",
    "f(){ ",
    "function f { a;};",
    "coproc a;",
    "coproc ",
    "echo a;",
    "echo $x;",
    "echo a|",
    "echo a|cat|",
    "printf %s a;",
    "printf -v x %s a;",
    "eval a;",
    "eval ",
    "eval $x;",
    "eval \"$x\";",
    "bash -c a;",
    "bash -c 'bash -c a';",
    "sh -c \"$x\";",
    "bash <<<a;",
    "echo a|sh;",
    "source a;",
    ". a;",
    "trap a EXIT;",
    "trap a INT;",
    "alias a=b;",
    "unset a;",
    "read a;",
    "read a <<< b;",
    "mapfile a;",
    "export a=b;",
    "declare a=b;",
    "local a;",
    "declare -n a=b;",
    "set -- a b;",
    "shift;",
    "cd a;",
    "cd /;",
    "cd ..;",
    "pushd a;",
    "popd;",
    "exec a;",
    "exec >a;",
    "command a;",
    "builtin a;",
    "env a=b ",
    "env ",
    "env -S a ",
    "sudo ",
    "sudo a;",
    "sudo -u a b;",
    "nice ",
    "nohup ",
    "timeout 1 ",
    "xargs ",
    "xargs -I{} a {} ;",
    "echo a|xargs b;",
    "parallel a ::: b;",
    "find . -exec ",
    "find . -exec a {} ;",
    "find . -delete;",
    "find a b c -exec rm {} ;",
    "rm a;",
    "rm a ",
    "rm -rf a ",
    "rm $x;",
    "rm -rf / ",
    "cp a b;",
    "mv a b;",
    "dd of=a ",
    "chmod +x a;",
    "tar xf a;",
    "sed s/a/b/ c;",
    "sed -e 's/a/b/' ",
    "awk '{print}' a;",
    "awk '|' ",
    "python3 -c 'a';",
    "python3 -c \"x\" ",
    "perl -e 'a';",
    "node -e 'a';",
    "git a;",
    "git push ",
    "git -c a=b ",
    "docker run a;",
    "docker run ",
    "kubectl a;",
    "ssh a b;",
    "ssh a ",
    "curl a;",
    "curl -d @a ",
    "curl a|sh;",
    "curl -o a b;./a;",
    "wget a;",
    "psql -c a;",
    "kill 1;",
    "make a;",
    "npm run a;",
    "-a ",
    "--a ",
    "--a=b ",
    "-rf ",
    "é",
    "é ",
    "\u{1F600}",
    "echo a>b;",
    "echo a>>b;",
    "cat b|",
    "cat <<E|sh\na\nE\n",
    "x=`a`;",
    "x=$(a);",
    "x=a y=b ",
    "echo \"$(echo \"",
    "\"${x:-\"",
    "'\"'\"'",
    "a\\ b ",
    "ab*[c]?{d,e}~ ",
    "$x$y$z ",
    "system(\"",
    "open('",
    "\\\"",
    "\\'",
];

/// Text put around a repeated piece, so that it stands inside of an argument.
const FRAMES: &[(&str, &str)] = &[
    ("", ""),
    ("echo \"", "\""),
    ("echo '", "'"),
    ("bash -c '", "'"),
    ("bash -c \"", "\""),
    ("eval '", "'"),
    ("x='", "'; $x"),
    ("x='", "'; eval \"$x\""),
    ("x='", "'; echo ${x@P} $((x))"),
    ("python3 -c '", "'"),
    ("python3 -c \"system('", "\""),
    ("perl -e '", "'"),
    ("awk '", "'"),
    ("sed '", "' f"),
    ("sed -n 's/", "' f"),
    ("bash <<'E'\n", "\nE\n"),
    ("cat <<E\n", "\nE\n"),
    ("psql -c '", "'"),
    ("git commit -m '", "'"),
    ("ssh h '", "'"),
    ("find . -name '", "' -exec rm {} +"),
    ("echo '", "' | xargs -I{} sh -c '{}{}{}'"),
    ("echo '", "' | xargs rm"),
    ("echo '", "' | sh"),
    ("f(){ ", "\n}; f a; f b"),
    ("$(", ")"),
    ("`", "`"),
    ("((", "))"),
    ("((((((((((((((((", ") ) ) ) ) ) ) ) ) ) ) ) ) ) ) )"),
    ("[[ a =~ ", " ]]"),
    ("echo ${x:-", "}"),
    ("echo $((", "))"),
    ("a=(", ")"),
    ("for i in ", "; do rm $i; done"),
    ("while :; do ", "\ndone"),
    ("sudo ", ""),
    ("rm -rf ", ""),
    ("cd ", "; rm -rf a b c"),
    ("parallel ", " ::: a b"),
    ("trap '", "' EXIT"),
    ("printf '", "' | sh"),
    ("curl -d '", "' x.y"),
    ("docker run ", ""),
    ("node -e '", "'"),
];

fn text_of(frame: (&str, &str), piece: &str, size: usize) -> String {
    let room = size.saturating_sub(frame.0.len() + frame.1.len());
    format!("{}{}{}", frame.0, piece.repeat(room / piece.len()), frame.1)
}

fn measured(text: &str) -> Duration {
    let context = Context {
        cwd: Some("/home/u/p"),
        home: Some("/home/u"),
        ..Context::default()
    };
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let started = Instant::now();
        let analysis = analyze(text, &context);
        let _ = judge(&analysis);
        best = best.min(started.elapsed());
        if best < REACH {
            break;
        }
    }
    best
}

/// A few, in any build: that they end at all.
#[test]
fn repeated_and_framed_texts_end() {
    for (index, piece) in PIECES.iter().enumerate() {
        let frame = FRAMES[index % FRAMES.len()];
        let started = Instant::now();
        let _ = measured(&text_of(frame, piece, SIZE / 256));
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "{frame:?} {piece:?}"
        );
    }
}

#[test]
#[ignore = "thousands of texts of a mebibyte, in a release build"]
fn every_text_of_a_mebibyte_is_read_in_time() {
    let _ = analyze("ls", &Context::default());
    let mut times = Vec::new();
    for frame in FRAMES {
        for piece in PIECES {
            let text = text_of(*frame, piece, SIZE);
            times.push((measured(&text), *frame, *piece));
        }
    }
    times.sort_unstable_by_key(|(time, ..)| std::cmp::Reverse(*time));
    println!("{} texts; the slowest:", times.len());
    for (time, frame, piece) in times.iter().take(25) {
        println!("{time:>12.2?}  {frame:?} {piece:?}");
    }
    let slowest = times.first().expect("texts").0;
    assert!(slowest < REACH * GENEROUS, "{slowest:?}");
}

#[test]
fn arguments_beyond_those_that_are_looked_at_are_not_called_safe() {
    for count in [4_000, 4_097, 20_000] {
        let text = format!("rm -f {}../x", "a ".repeat(count));
        let analysis = analyze(&text, &Context::default());
        assert_ne!(judge(&analysis).0, Verdict::Allow, "{count}");
    }
}
