//! Texts of several parts, each of which is harmless alone: something large, and many who ask for
//! it.

/// Texts of about this size with a name for each. What is asked for takes a part of it, and is
/// asked for as often as the rest allows, up to what is read of one text.
pub(crate) fn texts(size: usize) -> Vec<(&'static str, String)> {
    let large = "y".repeat(size / 2);
    let some = "y".repeat((size / 16).min(60_000));
    let other = "z".repeat((size / 17).min(59_000));
    let asked = |text: &str| text.repeat((size / 2 / text.len()).min(11_000));
    let words = "a ".repeat((size / 4).min(30_000));
    let lines = asked("b\n");
    vec![
        (
            "a long argument, shifted",
            format!("set -- '{large}';{}", asked("shift;")),
        ),
        (
            "long arguments, a function",
            format!("set -- '{large}';f(){{ :;}};{}", asked("f;")),
        ),
        (
            "many arguments, shifted",
            format!("set -- {words};{}", asked("shift;")),
        ),
        (
            "many arguments, a function",
            format!("set -- {words};f(){{ :;}};{}", asked("f;")),
        ),
        (
            "many arguments, handed on",
            format!("f(){{ f \"$@\";}};set -- {words};{}", asked("f \"$@\";")),
        ),
        (
            "many arguments, a loop",
            format!("set -- {words};{}", asked("for i;do :;done;")),
        ),
        (
            "many elements, one asked for",
            format!("x=({words});{}", asked("a ${x[1]};")),
        ),
        (
            "many elements, all asked for",
            format!("x=({words});{}", asked("a ${x[@]};")),
        ),
        (
            "many elements, in quotes",
            format!("x=({words});{}", asked("a \"${x[*]}\";")),
        ),
        ("a long value", format!("x='{some}';{}", asked("a $x;"))),
        (
            "a long value, doubled",
            format!("x='{some}';{}", asked("x=$x$x;")),
        ),
        (
            "a long value, in conditions",
            format!("x='{some}';{}", asked("[[ $x ]];")),
        ),
        (
            "a long value, in a here-document",
            format!("x='{some}';cat <<E\n{}\nE\n", asked("$x ")),
        ),
        (
            "a long value, by default",
            format!("x='{some}';{}", asked("a ${y:-$x};")),
        ),
        (
            "a long value, by its name",
            format!("x='{some}';y=x;{}", asked("a ${!y};")),
        ),
        (
            "a long value, as code",
            format!("x='{some}';{}", asked("eval \"$x\";")),
        ),
        (
            "a long value, as a prompt",
            format!("x='{some}$(b)';{}", asked("a ${x@P};")),
        ),
        (
            "a long value, local",
            format!("x='{some}';f(){{ local x;}};{}", asked("f;")),
        ),
        (
            "a long value, kept by traps",
            format!("x='{some}';{}", asked("trap 'a $x' EXIT;")),
        ),
        (
            "values that may be either",
            format!("y='{some}';z='{other}';{}", asked("a&&x=$y;a&&x=$z;")),
        ),
        (
            "values that a loop may set",
            format!("y='{some}';{}", asked("while a;do x=$y;done;")),
        ),
        (
            "a value in arithmetic",
            format!("x='a[$(b){some}]';(({}1))", asked("x+")),
        ),
        (
            "a value in arithmetic, often",
            format!("x='a[$(b){some}]';{}", asked("((x));")),
        ),
        (
            "names in arithmetic, set",
            format!("x=1;((x={}1))", asked("x+")),
        ),
        (
            "separators",
            format!("IFS='{some}';y='{other}';{}", asked("a $y;")),
        ),
        ("a long format", format!("printf '{large}%s' {words}")),
        (
            "a long format, kept",
            format!("printf -v x '{some}%s' {words}; eval \"$x\""),
        ),
        (
            "an output that grows",
            format!("{{ {}}} | sh", asked("echo aaaaaaaa;")),
        ),
        (
            "a long output, piped",
            format!("echo '{some}'{}", asked("|cat")),
        ),
        (
            "a long output, in pipes in pipes",
            format!("echo '{large}' | {{ {}}}", asked("cat|cat;")),
        ),
        (
            "a long output, read",
            format!("echo '{large}' | {{ {}}}", asked("read x;")),
        ),
        (
            "a long output, in a process",
            format!("cat <(echo '{large}') {}", asked("/dev/fd/63 ")),
        ),
        (
            "a long name of what is read",
            format!("{{ {}}} < {large}", asked("a<b;")),
        ),
        (
            "a long name of what is read, piped",
            format!("{{ {}}} < {large}", asked("a|b;")),
        ),
        (
            "a file that grows",
            format!("{}sh f", asked("echo aaaaaaaa>>f;")),
        ),
        ("a file, run", format!("echo '{some}'>f;{}", asked("sh f;"))),
        (
            "a file, shown",
            format!("echo '{some}'>f;{}", asked("cat f|sh;")),
        ),
        (
            "a file, copied",
            format!("echo '{some}'>f;{}", asked("cp f g;sh g;")),
        ),
        (
            "a script, run",
            format!("cat >f <<'E'\n{lines}E\n{}", asked("sh f;")),
        ),
        (
            "a script, as another language",
            format!("cat >f <<'E'\n{lines}E\n{}", asked("python3 f;")),
        ),
        (
            "a link, followed",
            format!("ln -s /{large} l;{}", asked("cat l/a;")),
        ),
        (
            "a long directory",
            format!("cd '{}';{}", "a/".repeat(400), asked("rm b c;")),
        ),
        (
            "wrappers around much",
            format!("{} {words}", "sudo ".repeat(40)),
        ),
        (
            "wrappers around something long",
            format!("{} '{large}'", "sudo ".repeat(40)),
        ),
        (
            "functions in functions",
            format!("{}{}{}", "f(){ ".repeat(40), asked("b;"), "};".repeat(40)),
        ),
        (
            "loops in loops",
            format!(
                "{}{}{}",
                "for i in a;do ".repeat(40),
                asked("x=b;"),
                ";done".repeat(40)
            ),
        ),
        (
            "substitutions in substitutions",
            format!("a {}{}{}", "$(".repeat(40), asked("b;"), ")".repeat(40)),
        ),
        (
            "functions that call each other",
            asked("f(){ g \"$@\" $@;};g(){ f \"$@\" $@;};f a;"),
        ),
        (
            "a function of many names",
            format!("{}{}", "if a;then f(){ b;};fi;".repeat(250), asked("f;")),
        ),
        ("many functions, many calls", {
            let functions: String = (0..250).map(|n| format!("f{n}(){{ b;}};")).collect();
            format!("{functions}{}", asked("f1;c;"))
        }),
        (
            "brackets in brackets",
            format!("{}{}", asked("a[;"), asked("];")),
        ),
        (
            "brackets in brackets, lines",
            format!("{}{}", asked("a[\n"), asked("]=1\n")),
        ),
        ("subscripts in braces", asked("${x[a${y[b")),
        (
            "parentheses in parentheses",
            format!("{}{}", asked("((a "), asked(") ) ")),
        ),
        (
            "braces that open",
            format!(
                "a {}",
                format!(
                    "{}{{a,b}}{{a,b}}{{a,b}}{{a,b}}{{a,b}}{{a,b}} ",
                    "{".repeat(480)
                )
                .repeat((size / 520).max(1))
            ),
        ),
        (
            "braces in braces",
            format!("a {}b{}", "{a,".repeat(size / 8), "}".repeat(size / 8)),
        ),
        (
            "a long word in braces",
            format!("a {some}{{a,b}}{{a,b}}{{a,b}}{{a,b}}{{a,b}}{{a,b}}"),
        ),
        (
            "marks that start nothing",
            format!(
                "some-tool {}",
                format!("'{}' ", "!)".repeat(8_000)).repeat((size / 16_003).max(1))
            ),
        ),
        (
            "verbs that start nothing",
            format!(
                "some-tool {}",
                format!("'{}' ", "sh( ".repeat(4_000)).repeat((size / 16_003).max(1))
            ),
        ),
        (
            "backquotes that start nothing",
            format!(
                "some-tool {}",
                format!("\"{}\" ", "\\` ".repeat(5_000)).repeat((size / 15_003).max(1))
            ),
        ),
        (
            "code of literals",
            format!("python3 -c \"{}\"", asked("'a'")),
        ),
        ("code of calls", format!("node -e \"{}\"", asked("exec('"))),
        (
            "code of imports",
            format!("python3 -c '{}'", asked("from os import ")),
        ),
        (
            "code that asks for the home",
            format!("python3 -c '{}'", asked("HOME ")),
        ),
        (
            "code that writes, and literals",
            format!("python3 -c \"open('a').write('b');{}\"", asked("'c/d',")),
        ),
        ("code of patterns", format!("perl -e '{}'", asked("m/a/;"))),
        ("a here-document for each language", {
            let of = |language: &str| {
                format!("{language} <<'E'\n{}\nE\n", "x('a');".repeat(size / 64 / 7))
            };
            [
                "python3", "perl", "ruby", "node", "php", "lua", "R", "julia", "bash", "psql",
                "awk -f-", "sed -f-",
            ]
            .iter()
            .map(|language| of(language))
            .collect()
        }),
        (
            "statements",
            format!("psql -c '{}'", asked("delete from a;")),
        ),
        (
            "statements on standard input",
            format!("psql <<'E'\n{lines}E\n"),
        ),
        (
            "settings on standard input",
            format!("kubectl apply -f- <<'E'\n{lines}E\n"),
        ),
        (
            "xargs of something long",
            format!("echo '{large}' | xargs -I{{}} a {}", asked("{} ")),
        ),
        ("env that splits", format!("env {}", asked("-S a "))),
        (
            "options that join",
            format!("ssh {}h", asked("-o proxycommand=a ")),
        ),
    ]
}
