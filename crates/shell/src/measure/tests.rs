//! Commands, and what would have to be counted.

use super::{
    Action, Filter, MAX_ITEMS, MAX_PLANNED, MeasureItem, MeasurePlan, OnDirectory, Reach,
    matches_pattern, measure_plan,
};
use crate::Context;

fn plan(text: &str) -> MeasurePlan {
    let ctx = Context {
        cwd: Some("/home/u/p"),
        home: Some("/home/u"),
        user: Some("u"),
        ..Context::default()
    };
    measure_plan(text, &ctx)
}

/// Action, path and how far it reaches, in short.
fn short(text: &str) -> Vec<String> {
    let item = |item: &MeasureItem| {
        let reach = match item.reach {
            Reach::File => "file",
            Reach::EmptyDirectory => "empty",
            Reach::Itself => "itself",
            Reach::Tree { one_device: false } => "tree",
            Reach::Tree { one_device: true } => "tree on one device",
            Reach::Found { .. } => "found",
        };
        let glob = if item.glob { " glob" } else { "" };
        format!("{:?} {} {reach}{glob}", item.action, item.path)
    };
    plan(text).items.iter().map(item).collect()
}

fn why(text: &str) -> Vec<String> {
    let plan = plan(text);
    assert!(plan.items.is_empty(), "{plan:?}");
    plan.unmeasured
        .into_iter()
        .map(|one| one.preview.unwrap_or_else(|| one.why.to_owned()))
        .collect()
}

#[test]
fn what_would_be_deleted() {
    assert_eq!(short("rm -rf build"), ["Delete /home/u/p/build tree"]);
    assert_eq!(
        short("rm a b"),
        ["Delete /home/u/p/a file", "Delete /home/u/p/b file"]
    );
    assert_eq!(short("rm -rf *.o"), ["Delete /home/u/p/*.o tree glob"]);
    assert_eq!(short("rm '*.o'"), ["Delete /home/u/p/*.o file"]);
    assert_eq!(short("rm -r -- -x"), ["Delete /home/u/p/-x tree"]);
    assert_eq!(
        short("rm --recursive --one-file-system /mnt/a"),
        ["Delete /mnt/a tree on one device"]
    );
    assert_eq!(short("rmdir a"), ["Delete /home/u/p/a empty"]);
    assert_eq!(short("rm -rf link/"), ["Delete /home/u/p/link/ tree"]);
    assert_eq!(short("rm ~/x"), ["Delete /home/u/x file"]);
}

#[test]
fn where_the_command_would_be() {
    assert_eq!(short("cd sub && rm x"), ["Delete /home/u/p/sub/x file"]);
    assert_eq!(
        short("cd sub; (cd deeper; rm x); rm y"),
        [
            "Delete /home/u/p/sub/deeper/x file",
            "Delete /home/u/p/sub/y file"
        ]
    );
    assert_eq!(
        short("d=build; rm -rf \"$d\"/*"),
        ["Delete /home/u/p/build/* tree glob"]
    );
    assert_eq!(
        short("sudo bash -c 'rm -rf /srv/x'"),
        ["Delete /srv/x tree"]
    );
    assert_eq!(short("for f in a b; do rm $f; done").len(), 2);
}

#[test]
fn what_would_be_moved_and_changed() {
    assert_eq!(
        short("mv a b"),
        ["Overwrite /home/u/p/b file", "Move /home/u/p/a tree"]
    );
    assert_eq!(short("mv -n a b"), ["Move /home/u/p/a tree"]);
    assert_eq!(
        short("mv -t dir a b"),
        ["Move /home/u/p/a tree", "Move /home/u/p/b tree"]
    );
    assert_eq!(short("chmod -R 755 src"), ["Mode /home/u/p/src tree"]);
    assert_eq!(short("chmod -x run.sh"), ["Mode /home/u/p/run.sh itself"]);
    assert_eq!(short("chown -R u:u /srv"), ["Mode /srv tree"]);
    assert_eq!(short("chmod --reference=a b"), ["Mode /home/u/p/b itself"]);
}

#[test]
fn what_a_search_would_delete() {
    let only = |text: &str| {
        let plan = plan(text);
        assert_eq!(plan.unmeasured, [], "{text}");
        assert_eq!(plan.items.len(), 1, "{text}: {plan:?}");
        plan.items.into_iter().next().expect("one")
    };
    let item = only("find src -name '*.tmp' -type f -delete");
    assert_eq!(
        (item.action, item.path.as_str()),
        (Action::Delete, "/home/u/p/src")
    );
    assert_eq!(
        item.filters,
        [
            Filter::Name {
                pattern: "*.tmp".to_owned(),
                any_case: false,
                negated: false
            },
            Filter::Type {
                file: true,
                directory: false,
                link: false
            },
        ]
    );
    let on_directory = |item: MeasureItem| match item.reach {
        Reach::Found {
            max_depth,
            directories,
            ..
        } => (max_depth, directories),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        on_directory(only("find . -delete")),
        (None, OnDirectory::IfEmpty)
    );
    assert_eq!(
        on_directory(only("find . -maxdepth 1 -exec rm -rf {} +")),
        (Some(1), OnDirectory::Tree)
    );
    assert_eq!(
        on_directory(only("find . -type d -exec chmod 755 {} \\;")),
        (None, OnDirectory::Itself)
    );
    // What stands behind the action does not narrow it.
    assert_eq!(only("find . -delete -name '*.tmp'").filters, []);
    assert!(plan("find . -name x").is_empty());
    assert!(plan("find . -exec grep x {} +").is_empty());
}

#[test]
fn what_cannot_be_measured_says_why() {
    assert_eq!(why("rm -rf ."), [super::ITSELF_REFUSES]);
    assert_eq!(why("rm -rf ../"), [super::ITSELF_REFUSES]);
    assert_eq!(why("rm -rf /"), [super::ITSELF_REFUSES]);
    assert_eq!(why("git clean -fdx"), ["git clean -n -fdx"]);
    assert_eq!(why("git reset --hard"), ["git status --short"]);
    assert_eq!(why("docker system prune -af"), ["docker system df"]);
    assert_eq!(
        why("rsync -a --delete a/ b/"),
        ["rsync -n -a --delete a/ b/"]
    );
    assert_eq!(why("rm -rf $DIR"), [super::UNKNOWN_NAME]);
    assert_eq!(why("cd $DIR && rm -rf x"), [super::UNKNOWN_PLACE]);
    assert_eq!(why("ssh h rm -rf /srv"), [super::ELSEWHERE]);
    assert_eq!(why("docker exec c rm -rf /srv"), [super::ELSEWHERE]);
    assert_eq!(why("rm 'a*'*"), [super::MIXED]);
    assert_eq!(why("ls | xargs rm"), [super::READ_NAMES]);
    assert_eq!(why("find . -name x | xargs rm"), [super::READ_NAMES]);
    assert_eq!(why("find . -mtime +3 -delete").len(), 1);
    assert_eq!(why("find . \\( -name a -o -name b \\) -delete").len(), 1);
}

#[test]
fn what_deletes_nothing_has_no_plan() {
    for text in [
        "ls -la",
        "echo 'rm -rf x'",
        "rm --help",
        "git clean -n",
        "git status",
        "git checkout main",
        "rsync -n --delete a/ b/",
        "shred x",
        "rm() { :; }; rm x",
    ] {
        assert!(plan(text).is_empty(), "{text}: {:?}", plan(text));
    }
}

#[test]
fn bounds_are_kept() {
    let names: Vec<String> = (0..MAX_ITEMS).map(|n| format!("f{n}")).collect();
    let exactly = plan(&format!("rm {}", names.join(" ")));
    assert_eq!(
        (exactly.items.len(), exactly.unmeasured.len()),
        (MAX_ITEMS, 0)
    );
    let more = plan(&format!("rm {} one more", names.join(" ")));
    assert_eq!((more.items.len(), more.unmeasured.len()), (MAX_ITEMS, 2));
    let mut long = "rm x #".to_owned();
    long.push_str(&"x".repeat(MAX_PLANNED - long.len()));
    assert_eq!(plan(&long).items.len(), 1);
    long.push('x');
    assert_eq!(why(&long), [super::TOO_MANY]);
}

#[test]
fn patterns_are_those_of_the_shell() {
    for (pattern, name, like) in [
        ("*.rs", "a.rs", true),
        ("*.rs", "a.rsx", false),
        ("a?c", "abc", true),
        ("a?c", "ac", false),
        ("[a-c]x", "bx", true),
        ("[!a-c]x", "bx", false),
        ("[]]", "]", true),
        ("[", "[", true),
        ("a[b", "a[b", true),
        ("\\*", "*", true),
        ("\\*", "x", false),
        ("**a**", "bab", true),
        ("", "", true),
        ("*", "", true),
        ("?", "", false),
    ] {
        assert_eq!(matches_pattern(pattern, name), like, "{pattern} {name}");
    }
    // Not exponential.
    assert!(!matches_pattern(&"*a".repeat(60), &"a".repeat(59)));
}
