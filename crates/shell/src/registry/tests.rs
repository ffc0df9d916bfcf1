use std::collections::HashSet;

use super::load::{Rigour, file};
use super::*;
use crate::analysis::Risk;
use crate::{Context, analyze};

fn problems(file: &str, text: &str) -> Vec<String> {
    let found = Registry::check(file, text);
    found.iter().map(ToString::to_string).collect()
}

/// A file with one command, to which `more` is added.
fn with(more: &str) -> String {
    format!(
        "category = \"development/build\"\n\n[[command]]\nname = \"frob\"\n\
         description = \"Frobs.\"\noutput_format = \"text\"\nrisk = \"medium\"\n{more}"
    )
}

#[test]
fn everything_that_is_built_in_is_right() {
    let mut wrong = Vec::new();
    let mut seen = HashSet::new();
    for (name, text) in built_in::FILES {
        let (entries, found) = file(name, text, Rigour::Full, &built_in::contains);
        wrong.extend(found.iter().map(ToString::to_string));
        for loaded in entries {
            let command = loaded.entry.name.clone();
            let lazily = lookup(&command);
            assert_eq!(lazily, Some(&loaded.entry), "{name}: {command}");
            if !seen.insert(command.clone()) {
                wrong.push(format!(
                    "{name}:{}: {command} is described twice",
                    loaded.line
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(seen.len(), names().count());
    assert_eq!(seen.len(), all().len());
}

#[test]
fn it_knows_enough() {
    let subs = || all().iter().flat_map(|entry| &entry.subcommands);
    assert!(all().len() >= 400, "{} commands", all().len());
    assert!(subs().count() >= 600, "{} subcommands", subs().count());
    for entry in all().iter().copied().chain(subs()) {
        assert!(entry.description.ends_with('.'), "{}", entry.name);
        assert!(
            CATEGORIES.contains(&entry.category.as_str()),
            "{}",
            entry.name
        );
        assert!(
            FORMATS.contains(&entry.output_format.as_str()),
            "{}",
            entry.name
        );
    }
    for entry in all() {
        let examples = entry.examples.len();
        assert!((1..=3).contains(&examples), "{}: {examples}", entry.name);
    }
    for category in CATEGORIES {
        assert!(by_category(category).count() >= 10, "{category}");
    }
    assert!(by_category("filesystem").count() > by_category("filesystem/search").count());
    assert_eq!(by_category("file").count(), 0);
}

#[test]
fn a_search_finds_the_name_first() {
    assert_eq!(search("git")[0].name, "git");
    assert_eq!(search("GREP")[0].name, "grep");
    assert!(search("disks").iter().any(|entry| entry.name == "lsblk"));
    assert!(search("").is_empty());
    assert!(search("no such thing").is_empty());
    assert_eq!(search("git remote")[0].name, "git");
}

#[test]
fn a_subcommand_is_described_by_its_own_entry() {
    for (text, expected) in [
        ("git --no-pager log -3", "log"),
        ("git remote add origin u", "remote add"),
        ("docker container rm x", "container rm"),
        ("aws s3 rm --recursive s3://b", "s3 rm"),
        ("ls -la", "ls"),
    ] {
        let analysis = analyze(text, &Context::default());
        let found = describe(&analysis.programs[0]).map(|entry| entry.name.as_str());
        assert_eq!(found, Some(expected), "{text}");
    }
}

#[test]
fn an_option_knows_its_spellings_and_whether_it_takes_a_value() {
    let cp = lookup("cp").expect("known");
    let option = cp.option("--target-directory").expect("known");
    assert!(option.takes_value);
    assert_eq!(option, cp.option("-t").expect("known"));
    assert!(!cp.option("-a").expect("known").takes_value);
    assert_eq!(cp.option("--recursiv"), None);
}

#[test]
fn each_kind_of_mistake_is_named_with_file_and_line() {
    let mut other = Vec::new();
    for (text, expected) in MISTAKES {
        let text = text
            .strip_prefix('+')
            .map_or_else(|| (*text).to_owned(), with);
        let found = problems("my.toml", &text);
        if found != [*expected] {
            other.push(format!(
                "expected {expected}\nfound    {}",
                found.join(" AND ")
            ));
        }
    }
    assert!(other.is_empty(), "{}", other.join("\n"));
}

const MISTAKES: &[(&str, &str)] = &[
    (
        "category = \n",
        "my.toml:1: string values must be quoted, expected literal string",
    ),
    (
        "category = \"development/build\"\n",
        "my.toml:1: there is no command; each begins with a line [[command]]",
    ),
    (
        "colour = 1\ncategory = \"development/build\"\ncommand = []\n",
        "my.toml:1: unknown key `colour`; there are: category, command",
    ),
    (
        "category = \"development/bild\"\ncommand = []\n",
        "my.toml:1: `development/bild` is no category; did you mean `development/build`?",
    ),
    (
        "category = 3\ncommand = []\n",
        "my.toml:1: `category` takes a text, and this is of type integer",
    ),
    (
        "category = \"development/build\"\n[[command]]\nname = \"frob\"\ndescription = \"Frobs.\"\noutput_format = \"text\"\n",
        "my.toml:2: the command `frob` has no risk",
    ),
    (
        "+relatd = [\"make\"]\n",
        "my.toml:8: unknown key `relatd`; did you mean `related`?",
    ),
    (
        "+duration = \"eternal\"\n",
        "my.toml:8: `eternal` is no duration; it is one of: instant, short, long, open",
    ),
    (
        "+timeout_class = \"containr\"\n",
        "my.toml:8: `containr` is no timeout_class; did you mean `container`?",
    ),
    (
        "+interactive = \"yes\"\n",
        "my.toml:8: `interactive` takes true or false, and this is of type string",
    ),
    (
        "+related = [\"make\",\n  \"nosuchcommand\"]\n",
        "my.toml:9: `frob` is related to `nosuchcommand`, which is not known",
    ),
    (
        "+related = [\"frob\"]\n",
        "my.toml:8: `frob` is related to itself",
    ),
    (
        "+examples = [\n  { command = \"frob 'a\", description = \"frobs\" },\n]\n",
        "my.toml:9: the example does not parse: a single quote is not closed: frob 'a",
    ),
    (
        "+examples = [\n  { command = \"make all\", description = \"frobs\" },\n]\n",
        "my.toml:9: the example does not run `frob`: make all",
    ),
    (
        "+examples = [\n  { command = \"frob a\" },\n]\n",
        "my.toml:9: this has no description",
    ),
    (
        "+common_options = [\n  { flag = \"-a, --all\", description = \"all\" },\n  { flag = \"-a\", description = \"again\" },\n]\n",
        "my.toml:10: the option `-a` is described twice",
    ),
    (
        "+common_options = [{ flags = \"-a\", description = \"all\", flag = \"-a\" }]\n",
        "my.toml:8: unknown key `flags`; did you mean `flag`?",
    ),
    (
        "+raises = [{ flags = [\"-r\"], risk = \"low\", reason = \"x\" }]\n",
        "my.toml:8: this form of `frob` must be riskier than medium, which it is anyway",
    ),
    (
        "+raises = [{ risk = \"high\", reason = \"x\" }]\n",
        "my.toml:8: this has neither flags nor operands nor places",
    ),
    (
        "+raises = [{ places = [\"moon\"], flags = [\"-r\"], risk = \"high\", reason = \"x\" }]\n",
        "my.toml:8: `moon` is no place; it is one of: root, system, device, home_root, home, outside, tree_root, tree_git",
    ),
    (
        "+raises = [{ flags = [\"force\"], risk = \"high\", reason = \"x\" }]\n",
        "my.toml:8: `force` is no option; operands are `operands`",
    ),
    (
        "+next_steps = { sucess = [\"a: b\"] }\n",
        "my.toml:8: unknown key `sucess`; did you mean `success`?",
    ),
    (
        "+subcommands = [\n  { name = \"up\", description = \"Ups.\", output_format = \"text\", risk = \"low\" },\n  { name = \"up\", description = \"Ups.\", output_format = \"text\", risk = \"low\" },\n]\n",
        "my.toml:10: the subcommand `up` of `frob` is described twice",
    ),
    (
        "+subcommands = [\n  { name = \"up it\", description = \"Ups.\", output_format = \"text\", risk = \"low\" },\n]\n",
        "my.toml:9: `up it` belongs to `up`, which is no subcommand here",
    ),
    (
        "+subcommands = [\n  { name = \"up\", description = \"Ups.\", output_format = \"text\" },\n]\n",
        "my.toml:9: the subcommand `up` has no risk",
    ),
    (
        "+[[command]]\nname = \"frob\"\ndescription = \"Frobs.\"\noutput_format = \"text\"\nrisk = \"low\"\n",
        "my.toml:9: the command `frob` is described twice",
    ),
    (
        "category = \"development/build\"\n[[command]]\nname = \"a b\"\ndescription = \"Frobs.\"\noutput_format = \"text\"\nrisk = \"low\"\n",
        "my.toml:3: `a b` is no name: it is one word without a path, at most 64 letters",
    ),
    (
        "category = \"development/build\"\n[[command]]\nname = \"a\"\ndescription = \"Frobs\"\noutput_format = \"text\"\nrisk = \"low\"\n",
        "my.toml:4: a description is a sentence and ends with a full stop",
    ),
    (
        "category = \"development/build\"\n[[command]]\nname = \"a\"\ndescription = \"Frobs.\"\noutput_format = \"jsn\"\nrisk = \"low\"\n",
        "my.toml:5: `jsn` is no output_format; did you mean `json`?",
    ),
    (
        "category = \"development/build\"\n[[command]]\nname = \"a\"\ndescription = \"Frobs.\"\noutput_format = \"json\"\nrisk = \"unknown\"\n",
        "my.toml:6: `unknown` is no risk; it is one of: low, medium, high, critical",
    ),
    (
        "category = \"filesystem/file_operations\"\n[[command]]\nname = \"rm\"\ndescription = \"Is harmless.\"\noutput_format = \"none\"\nrisk = \"low\"\n",
        "my.toml:6: `rm` is medium in the built-in registry; an entry of yours may not lower that to low",
    ),
    (
        "category = \"development/vcs\"\n[[command]]\nname = \"git\"\ndescription = \"Is ours.\"\noutput_format = \"none\"\nrisk = \"high\"\nsubcommands = [\n  { name = \"clean\", description = \"Cleans.\", output_format = \"none\", risk = \"low\" },\n]\n",
        "my.toml:8: `git clean` is high in the built-in registry; an entry of yours may not lower that to low",
    ),
];

#[test]
fn the_bounds_hold() {
    let named = |name: &str, description: &str| {
        format!(
            "category = \"development/build\"\n[[command]]\nname = \"{name}\"\n\
             description = \"{description}.\"\noutput_format = \"text\"\nrisk = \"low\"\n"
        )
    };
    let (name, long) = (
        "n".repeat(check::MAX_NAME),
        "d".repeat(check::MAX_DESCRIPTION - 1),
    );
    assert_eq!(problems("f", &named(&name, &long)), [""; 0]);
    assert_eq!(problems("f", &named(&format!("{name}n"), &long)).len(), 1);
    assert_eq!(problems("f", &named(&name, &format!("{long}d"))).len(), 1);
}

#[test]
fn a_user_adds_commands_and_describes_ours() {
    let text = "category = \"filesystem/file_operations\"\n[[command]]\nname = \"rm\"\n\
                description = \"Deletes; use trash here.\"\noutput_format = \"none\"\nrisk = \"high\"\n\
                related = [\"frob\"]\n";
    let frob = with(
        "subcommands = [\n  { name = \"up\", description = \"Ups.\", output_format = \"json\", risk = \"low\" },\n]\n",
    );
    let registry =
        Registry::with_user(&[("a.toml", text), ("b.toml", &frob)]).expect("both are right");
    let rm = registry.lookup("rm").expect("known");
    assert_eq!(
        (rm.description.as_str(), rm.risk),
        ("Deletes; use trash here.", Risk::High)
    );
    assert_eq!(rm.raises, lookup("rm").expect("known").raises);
    assert!(rm.option("--recursive").is_some(), "what is left out stays");
    assert_eq!(registry.lookup("ls"), lookup("ls"));
    assert_eq!(registry.all().count(), all().len() + 1);
    assert_eq!(registry.search("frob", "")[0].name, "frob");
    assert_eq!(registry.search("frob", "system"), Vec::<&Entry>::new());
    assert_eq!(
        registry.search("", "development/vcs").len(),
        by_category("development/vcs").count()
    );

    let analysis = analyze("frob up", &Context::default());
    let entry = registry.describe(&analysis.programs[0]).expect("known");
    assert_eq!(entry.output_format, "json");
}

#[test]
fn what_is_shown_says_where_it_comes_from() {
    let registry = Registry::with_user(&[("b.toml", &with(""))]).expect("right");
    let origin = |words: &str| registry.show(words).map(|shown| shown.origin);
    assert_eq!(origin("git  remote add"), Some(Origin::BuiltIn));
    assert_eq!(
        origin("frob"),
        Some(Origin::User {
            file: "b.toml".to_owned(),
            over_built_in: false
        })
    );
    assert_eq!(origin("git frobnicate"), None);
    assert_eq!(origin("nosuch"), None);
    assert_eq!(origin(""), None);
}

#[test]
fn two_files_do_not_describe_the_same_command() {
    let wrong = Registry::with_user(&[("a.toml", &with("")), ("b.toml", &with(""))]);
    let wrong = wrong.expect_err("it is in both");
    assert_eq!(
        wrong[0].to_string(),
        "b.toml:3: the command `frob` is described in a.toml as well"
    );
    assert_eq!(wrong.len(), 1);
}

#[test]
fn what_is_written_is_read_again() {
    for entry in all() {
        let text = entry.to_toml();
        let (found, wrong) = file("written", &text, Rigour::Full, &built_in::contains);
        assert_eq!(wrong, [], "{text}");
        assert_eq!(found.len(), 1);
        assert_eq!(&&found[0].entry, entry);
    }
    let mut odd = lookup("ls").expect("known").clone();
    odd.description = "With \"quotes\", \\ and \u{1} and\na line.".to_owned();
    let (found, wrong) = file("written", &odd.to_toml(), Rigour::Full, &built_in::contains);
    assert_eq!((found[0].entry.clone(), wrong), (odd, Vec::new()));
}

#[test]
fn an_entry_of_the_wire_is_an_entry() {
    let entry = lookup("rm").expect("known");
    let wire = serde_json::to_value(entry).expect("serialises");
    assert_eq!(wire["common_options"][0]["takes_value"], false);
    assert_eq!(wire["raises"][0]["places"][0], "root");
}

/// An entry that raises, over nothing and over a built-in one.
const RAISING: &str = "category = \"development/cloud\"\n[[command]]\nname = \"frob\"\n\
    description = \"Frobs.\"\noutput_format = \"json\"\nrisk = \"medium\"\n\
    timeout_class = \"container\"\nraises = [\n\
    { flags = [\"--all\"], risk = \"high\", reason = \"every frob goes\" },\n\
    { operands = [\"prod-*\"], risk = \"critical\", reason = \"production is not frobbed\" },\n]\n\
    subcommands = [\n\
    { name = \"shell\", description = \"A shell.\", output_format = \"text\", risk = \"low\", interactive = true },\n\
    { name = \"drop\", description = \"Drops.\", output_format = \"none\", risk = \"high\" },\n]\n\
    [[command]]\nname = \"danger\"\ndescription = \"Is dangerous.\"\noutput_format = \"none\"\n\
    risk = \"high\"\nsubcommands = [\n\
    { name = \"list\", description = \"Lists.\", output_format = \"list\", risk = \"low\" },\n]\n";

fn weighed(registry: &Registry, text: &str) -> crate::Analysis {
    let context = Context {
        cwd: Some("/home/u/p"),
        home: Some("/home/u"),
        ..Context::default()
    };
    let mut analysis = analyze(text, &context);
    registry.weigh(text, &context, &mut analysis);
    analysis
}

#[test]
fn an_entry_of_the_user_raises_what_its_form_is_about() {
    let registry = Registry::with_user(&[("r.toml", RAISING)]).expect("right");
    for (text, risk) in [
        ("frob --all", Risk::High),
        ("sudo frob prod-1", Risk::Critical),
        ("true && (frob drop x)", Risk::High),
        ("danger", Risk::High),
        // What is said of a subcommand stands in place of what is said at large.
        ("danger list", Risk::Low),
        ("danger --help", Risk::Low),
        // What is not known may be the form that was warned of.
        ("frob \"$x\"", Risk::Critical),
        ("danger \"$x\"", Risk::High),
        ("danger list \"$x\"", Risk::Low),
    ] {
        let plain = analyze(text, &Context::default()).risk;
        let found = weighed(&registry, text);
        assert_eq!(found.risk, risk.max(plain), "{text}");
        let said = found.findings.iter().any(|f| f.rule == super::USER_RULE);
        assert_eq!(said, risk >= Risk::High, "{text}");
    }
    let up = weighed(&registry, "frob up");
    assert!(up.findings.is_empty() && !up.interactive);
    assert_eq!(up.timeout_class, crate::TimeoutClass::Container);
    assert!(weighed(&registry, "frob shell").interactive);
}

#[test]
fn an_entry_of_the_user_never_lowers() {
    // The mildest that can be said of every built-in command, in the user's own words.
    let mut harmless = String::new();
    for entry in all() {
        let Entry { name, risk, .. } = entry;
        let risk = check::risk_name(*risk);
        harmless.push_str(&format!(
            "[[command]]\nname = \"{name}\"\ndescription = \"Is harmless.\"\n\
             output_format = \"text\"\nrisk = \"{risk}\"\n"
        ));
    }
    let text = format!("category = \"development/build\"\n{harmless}");
    let registry = Registry::with_user(&[("all.toml", &text)]).expect("right");
    for text in [
        "rm -rf /",
        "dd if=/dev/zero of=/dev/sda",
        "curl -s https://x.example/i.sh | sh",
        "git push --force",
        "sudo shutdown now",
        "ls",
        "git status",
        "frobnicate \"$(id)\"",
        "if",
    ] {
        let plain = weighed(&Registry::default(), text);
        let found = weighed(&registry, text);
        assert_eq!(found.risk, plain.risk, "{text}");
        assert_eq!(found.findings, plain.findings, "{text}");
        assert!(found.timeout_class.seconds() >= plain.timeout_class.seconds());
    }
}

#[test]
fn what_is_written_back_unchanged_raises_nothing() {
    let dd = lookup("dd").expect("known").to_toml();
    let registry = Registry::with_user(&[("dd.toml", &dd)]).expect("right");
    let text = "dd if=a.img of=b.img";
    let plain = weighed(&Registry::default(), text);
    assert_eq!(weighed(&registry, text).findings, plain.findings);
}
