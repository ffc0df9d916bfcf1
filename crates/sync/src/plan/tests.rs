use super::*;

fn path(text: &str) -> ProfilePath {
    ProfilePath::parse(text).unwrap()
}

/// `a=1 b=2x`: files with contents, an `x` at the end makes a program.
fn tree(text: &str) -> Manifest {
    let files = text.split_whitespace().map(|file| {
        let (name, content) = file.split_once('=').unwrap();
        let content_of = content.trim_end_matches('x');
        let entry = Entry::of(content_of.as_bytes(), content.ends_with('x'));
        (path(&format!("agents/{name}")), entry)
    });
    Manifest::from_entries(files).unwrap()
}

fn actions(plan: &Plan) -> String {
    let shown = plan.steps.iter().map(|step| {
        let name = step.path.as_str().trim_start_matches("agents/");
        let action = match &step.action {
            Action::Write { to, from } => {
                let mode = if to.executable { "x" } else { "" };
                format!("write{mode}({from:?})")
            }
            Action::Delete => "delete".into(),
            Action::Keep(mine) => format!("keep({mine:?})"),
            Action::Conflict(conflict) => format!("{conflict:?}"),
        };
        format!("{name}:{action}")
    });
    shown.collect::<Vec<_>>().join(" ")
}

fn three(base: &str, local: &str, remote: &str, options: &Options) -> Plan {
    plan(&tree(base), &tree(local), &tree(remote), options)
}

#[test]
fn each_case_of_the_rule() {
    for (base, local, remote, expected) in [
        ("", "", "", ""),
        ("a=1", "a=1", "a=1", ""),
        ("a=1", "a=2", "a=2", ""),
        ("", "a=1", "a=1", ""),
        ("a=1", "", "", ""),
        ("", "", "a=1", "a:write(Remote)"),
        ("a=1", "a=1", "a=2", "a:write(Remote)"),
        ("a=1", "a=1", "", "a:delete"),
        ("a=1", "a=1", "a=1x", "a:writex(Here)"),
        ("a=1", "a=2", "a=1", "a:keep(Edited)"),
        ("a=1", "a=1x", "a=1", "a:keep(Mode)"),
        ("a=1", "", "a=1", "a:keep(Deleted)"),
        ("", "a=1", "", "a:keep(Added)"),
        ("a=1", "a=2", "a=3", "a:BothChanged"),
        ("", "a=1", "a=2", "a:NeverAgreed"),
        ("", "a=1x", "a=1", "a:keep(Mode)"),
        ("a=1", "", "a=2", "a:DeletedHere"),
        ("a=1", "a=2", "", "a:DeletedThere"),
        // A mode of one side and a text of the other go together.
        ("a=1", "a=1x", "a=2", "a:writex(Remote)"),
        ("a=1", "a=2", "a=1x", "a:writex(Here)"),
        ("a=1", "a=2x", "a=2", "a:keep(Mode)"),
    ] {
        let plan = three(base, local, remote, &Options::default());
        assert_eq!(actions(&plan), expected, "{base} | {local} | {remote}");
    }
}

#[test]
fn a_preferred_side_decides_conflicts_and_nothing_else() {
    let sides = ("a=1 b=1 c=1", "a=2 b=2 c=1", "a=3 b=1 c=2");
    let with = |prefer| {
        let options = Options {
            prefer: Some(prefer),
            ..Options::default()
        };
        three(sides.0, sides.1, sides.2, &options)
    };
    let remote = with(Side::Remote);
    assert_eq!(
        actions(&remote),
        "a:write(Remote) b:keep(Edited) c:write(Remote)"
    );
    assert!(remote.steps[0].gives_up_local && !remote.steps[2].gives_up_local);

    let local = with(Side::Local);
    assert_eq!(
        actions(&local),
        "a:keep(Edited) b:keep(Edited) c:write(Remote)"
    );
    // From now on the edit follows the version there, and a push replaces it.
    assert_eq!(
        local.agreed().get(&path("agents/a")),
        tree("a=3").get(&path("agents/a"))
    );
    assert!(local.push().sent[0].gives_up_remote);
}

#[test]
fn a_choice_is_stronger_than_a_preference() {
    let options = Options {
        prefer: Some(Side::Remote),
        choices: [(path("agents/a"), Side::Local)].into(),
        ..Options::default()
    };
    let plan = three("a=1 b=1", "a=2 b=2", "a=3 b=3", &options);
    assert_eq!(actions(&plan), "a:keep(Edited) b:write(Remote)");
}

#[test]
fn force_discards_edits_and_not_what_the_server_never_had() {
    let options = Options {
        force: true,
        ..Options::default()
    };
    let plan = three("a=1 b=1 d=1", "a=2 c=9 d=2", "a=1 b=1", &options);
    assert_eq!(
        actions(&plan),
        "a:write(Remote) b:write(Remote) c:keep(Added) d:delete"
    );
    assert_eq!(plan.summary().given_up, 3);
}

#[test]
fn what_cannot_be_read_is_neither_deleted_nor_written() {
    let options = Options {
        unreadable: ["agents/a".into(), "agents/d".into()].into(),
        force: true,
        ..Options::default()
    };
    let plan = three("a=1 d/x=1", "", "a=1 d/x=2", &options);
    assert_eq!(actions(&plan), "a:Unreadable d/x:Unreadable");
    assert!(plan.push().is_empty());
}

#[test]
fn files_and_directories_in_each_others_way() {
    let plain = Options::default();
    let plan = three("", "a=1", "a/b=1", &plain);
    assert_eq!(
        actions(&plan),
        r#"a:keep(Added) a/b:FileInTheWay { file: "agents/a" }"#
    );
    let plan = three("", "a/b=1", "a=1", &plain);
    assert_eq!(
        actions(&plan),
        r#"a:DirectoryInTheWay { below: "agents/a/b" } a/b:keep(Added)"#
    );
    // Where the server itself turned one into the other, there is no clash.
    let plan = three("a=1", "a=1", "a/b=1", &plain);
    assert_eq!(actions(&plan), "a:delete a/b:write(Remote)");
    let plan = three("a/b=1", "a/b=1", "a=1", &plain);
    assert_eq!(actions(&plan), "a:write(Remote) a/b:delete");
}

#[test]
fn names_that_differ_in_case_alone() {
    let ignores = Options {
        ignores_case: true,
        ..Options::default()
    };
    let plan = three("", "A=1", "a=1", &ignores);
    assert_eq!(
        actions(&plan),
        r#"A:keep(Added) a:SameButForCase { other: "agents/A" }"#
    );
    let plan = three("", "", "A=1 a=1", &ignores);
    assert_eq!(
        actions(&plan),
        r#"A:write(Remote) a:SameButForCase { other: "agents/A" }"#
    );
    let plan = three("A=1", "A=1", "a=1", &ignores);
    assert_eq!(actions(&plan), "A:delete a:write(Remote)");
    let plan = three("", "A=1", "a=1", &Options::default());
    assert_eq!(actions(&plan), "A:keep(Added) a:write(Remote)");
}

#[test]
fn a_push_sends_what_is_kept_and_leaves_the_rest() {
    let plan = three(
        "a=1 b=1 c=1 e=1",
        "a=2 c=1 d=1 e=2",
        "a=1 b=1 c=2 e=3",
        &Options::default(),
    );
    let push = plan.push();
    let sent: Vec<_> = push
        .sent
        .iter()
        .map(|sent| (sent.path.name(), sent.kind))
        .collect();
    assert_eq!(
        sent,
        [
            ("a", SentKind::Change),
            ("b", SentKind::Delete),
            ("d", SentKind::Add)
        ]
    );
    assert_eq!(push.tree, tree("a=2 c=2 d=1 e=3"));
    assert_eq!(
        push.agreed(&tree("a=1 b=1 c=1 e=1")),
        tree("a=2 c=1 d=1 e=1")
    );
}

#[test]
fn a_merge_solves_a_conflict_and_is_pushed_once_it_is_written() {
    let mut plan = three("a=1", "a=2", "a=3", &Options::default());
    let merged = Entry::of(b"23", false);
    assert!(!plan.resolve(&path("agents/b"), merged));
    assert!(plan.resolve(&path("agents/a"), merged));
    assert_eq!(actions(&plan), "a:write(Merged)");
    assert_eq!(plan.agreed(), tree("a=3"));
    assert!(plan.push().is_empty());
    let then = three("a=3", "a=23", "a=3", &Options::default());
    assert_eq!(then.push().tree, tree("a=23"));
    assert!(plan.needed().is_empty());
}

#[test]
fn contents_are_checked_before_anything_is_written() {
    let plan = three("", "", "a=1", &Options::default());
    let digest = Digest::of(b"1");
    assert_eq!(plan.needed(), [digest].into());
    let wrong: Contents = [(digest, Arc::from(*b"2"))].into();
    let refused = |contents: &Contents| plan.changes(contents).unwrap_err().to_string();
    assert!(refused(&wrong).starts_with("`agents/a`: what arrived is not"));
    assert_eq!(
        refused(&Contents::new()),
        "`agents/a`: its content did not arrive"
    );
    let right: Contents = [(digest, Arc::from(*b"1"))].into();
    assert_eq!(plan.changes(&right).unwrap().len(), 1);
}

#[test]
fn what_does_not_belong_to_a_profile_is_not_written() {
    let foreign = Manifest::from_entries([(path(".credentials.json"), Entry::of(b"", false))]);
    let none = Manifest::default();
    let plan = plan(&none, &none, &foreign.unwrap(), &Options::default());
    assert!(plan.steps.is_empty());
    assert_eq!(plan.foreign, [path(".credentials.json")]);
}

#[test]
fn an_empty_disk_is_not_taken_for_a_wish() {
    let all: String = (0..40).map(|n| format!("f{n}=1 ")).collect();
    let plan = three(&all, "", &all, &Options::default());
    assert_eq!(plan.too_many_deletions(Side::Remote), Some(40));
    assert_eq!(plan.too_many_deletions(Side::Local), None);
    let plan = three(&all, &all, "f1=1", &Options::default());
    assert_eq!(plan.too_many_deletions(Side::Local), Some(39));
    // Up to ten of many are a wish, as long as the other side has something.
    let ten: String = (0..10).map(|n| format!("f{n}=1 ")).collect();
    let with = format!("{ten} x=1");
    let plan = three(&with, "x=1", &with, &Options::default());
    assert_eq!(plan.too_many_deletions(Side::Remote), None);
    let plan = three(&with, &with, "x=1", &Options::default());
    assert_eq!(plan.too_many_deletions(Side::Local), None);
    let eleven = format!("{with} y=1");
    let plan = three(&eleven, "x=1", &eleven, &Options::default());
    assert_eq!(plan.too_many_deletions(Side::Remote), Some(11));
    for (here, there, side) in [("", "f=1", Side::Remote), ("f=1", "", Side::Local)] {
        let plan = three("f=1", here, there, &Options::default());
        assert_eq!(plan.too_many_deletions(side), Some(1), "{side:?}");
    }
}
