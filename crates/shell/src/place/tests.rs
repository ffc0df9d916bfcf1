//! Places are told by where a path leads, not by how it is written.

use super::*;

fn class(cwd: &str, root: Option<&str>, path: &str, glob: bool) -> Class {
    let ctx = Context {
        cwd: Some(cwd),
        home: Some("/home/u"),
        workspace_root: root,
        ..Context::default()
    };
    Place::new(&ctx).class(path, glob)
}

#[test]
fn places_are_told_apart() {
    let here = |path| class("/home/u/p", None, path, false);
    assert_eq!(here("/"), Class::Root);
    assert_eq!(here("//tmp/../"), Class::Root);
    assert_eq!(here("/etc"), Class::SystemRoot);
    assert_eq!(here("/etc/passwd"), Class::System);
    assert_eq!(here("/home/u"), Class::HomeRoot);
    assert_eq!(here("/home/u/x"), Class::Home);
    assert_eq!(here("/home/v"), Class::HomeRoot);
    assert_eq!(here("/root"), Class::HomeRoot);
    assert_eq!(here("/data/x"), Class::Outside);
    assert_eq!(here("/tmp"), Class::TmpRoot);
    assert_eq!(here("/tmp/x"), Class::Tmp);
    assert_eq!(here("x/../y"), Class::Tree);
    assert_eq!(here("."), Class::TreeRoot);
    assert_eq!(here(".."), Class::HomeRoot);
    assert_eq!(here("../q"), Class::Home);
    assert_eq!(here(".git/config"), Class::TreeGit);
    assert_eq!(here(".github/x"), Class::Tree);
    assert_eq!(here("/dev/sda1"), Class::Disk);
    assert_eq!(here("/dev/null"), Class::SafeDevice);
    assert_eq!(here("/dev/tcp/h/1"), Class::Network);
    assert_eq!(here("\0/x"), Class::Unknown);
}

#[test]
fn patterns_stand_for_what_they_may_match() {
    let here = |path| class("/home/u/p", None, path, true);
    assert_eq!(here("/*"), Class::SystemRoot);
    assert_eq!(here("/e*"), Class::SystemRoot);
    assert_eq!(here("/etc/*"), Class::SystemRoot);
    assert_eq!(here("/etc/x*"), Class::System);
    assert_eq!(here("*"), Class::TreeRoot);
    assert_eq!(here("./.*"), Class::TreeRoot);
    assert_eq!(here("*.o"), Class::Tree);
    assert_eq!(here("/tmp/*"), Class::TmpRoot);
    assert_eq!(here("/home/*"), Class::HomeRoot);
    assert_eq!(here("/dev/sd*"), Class::Disk);
}

#[test]
fn a_tree_may_lie_anywhere_but_in_the_system() {
    assert_eq!(class("/var/www/app", None, "x", false), Class::Tree);
    assert_eq!(
        class("/opt/app/src", Some("/opt/app"), "../x", false),
        Class::Tree
    );
    assert_eq!(class("/workspace", None, "x", false), Class::Tree);
    assert_eq!(class("/tmp/x", None, "y", false), Class::Tree);
    assert_eq!(class("/etc/nginx", None, "conf.d", false), Class::System);
    assert_eq!(class("/", None, "etc", false), Class::SystemRoot);
    assert_eq!(class("/home/u", None, "x", false), Class::Tree);
    assert_eq!(class("/home/u", None, ".ssh", false), Class::Home);
    assert_eq!(class("/home/u", None, "*", true), Class::HomeRoot);
    assert_eq!(
        class("/home/u/q", Some("/home/u/p"), "x", false),
        Class::Home
    );
}
