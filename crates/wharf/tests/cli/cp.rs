//! `wharf cp`, with a real SSH server.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use crate::home::filters;
use crate::host::Away;

/// A place to copy to and from: a directory of the host's account that needs no yes.
fn away() -> Option<(Away, std::path::PathBuf)> {
    let away = Away::new()?;
    let account = away.host.account()?;
    away.add("web-1", &[]);
    Some((away, account))
}

#[test]
fn files_go_there_and_come_back() {
    let Some((away, account)) = away() else {
        return;
    };
    let _filters = filters();
    let work = away.home.work();
    fs::create_dir_all(work.join("site/sub")).unwrap();
    fs::write(work.join("site/index.html"), "one").unwrap();
    fs::write(work.join("site/sub/a b;$(c)"), "two").unwrap();
    fs::set_permissions(
        work.join("site/index.html"),
        fs::Permissions::from_mode(0o640),
    )
    .unwrap();
    insta::assert_snapshot!(away.seen(&["cp", "site/index.html", "web-1:x", "-q"]), @r"
    --- stderr
    --- exit 0
    ");
    assert_eq!(fs::read_to_string(account.join("x")).unwrap(), "one");
    let mode = fs::metadata(account.join("x"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o640);
    insta::assert_snapshot!(away.seen(&["cp", "site", "web-1:site"]), @r"
    --- stderr
    error[usage]: site is a directory
      hint: -r copies all that is in it
    --- exit 2
    ");
    away.seen(&["cp", "-r", "site", "web-1:site"]);
    let odd = account.join("site/sub/a b;$(c)");
    assert_eq!(fs::read_to_string(odd).unwrap(), "two");
    away.seen(&["cp", "-r", "web-1:site", "back"]);
    assert_eq!(
        fs::read_to_string(work.join("back/index.html")).unwrap(),
        "one"
    );
    assert_eq!(
        fs::read_to_string(work.join("back/sub/a b;$(c)")).unwrap(),
        "two"
    );
    // What is there is left alone where that is wanted.
    fs::write(account.join("x"), "theirs").unwrap();
    insta::assert_snapshot!(away.seen(&["cp", "--no-clobber", "site/index.html", "web-1:x"]), @r"
    --- stderr
    warning: ~/x: is there already
    --- exit 0
    ");
    assert_eq!(fs::read_to_string(account.join("x")).unwrap(), "theirs");
    insta::assert_snapshot!(away.seen(&["cp", "web-1:none", "."]), @r"
    --- stderr
    error[not_found]: ~/none: no such file or directory
    --- exit 5
    ");
    insta::assert_snapshot!(away.seen(&["cp", "web-1:x", "web-1:y"]), @r"
    --- stderr
    error[usage]: one side has to be here: copy from one host to the other in two steps
    --- exit 2
    ");
    insta::assert_snapshot!(away.seen(&["cp", "a", "b"]), @r"
    --- stderr
    error[usage]: one side has to be a host or a session: HOST:PATH
      hint: for files of this machine there is cp
    --- exit 2
    ");
}

#[test]
fn a_session_is_a_place_and_a_question_is_asked() {
    let Some((away, account)) = away() else {
        return;
    };
    let _filters = filters();
    fs::write(away.home.work().join("note"), "in the session").unwrap();
    away.seen(&["session", "create", "far", "--host", "web-1"]);
    away.seen(&["run", "-s", "far", "--shell", "mkdir docs && cd docs"]);
    away.seen(&["cp", "-s", "far", "note", ":"]);
    assert_eq!(
        fs::read_to_string(account.join("docs/note")).unwrap(),
        "in the session"
    );
    insta::assert_snapshot!(away.seen(&["cp", "note", "web-1:/etc/wharf-test"]), @r"
    --- stderr
    HIGH  needs a yes  write-system
      cat > /etc/wharf-test
            ^^^^^^^^^^^^^^^ writes to a file of the system
    error[approval_required]: not run: it needs a yes, and there is nobody to ask here
      hint: approve it until TIME: wharf approvals approve APPROVAL
      hint: then run it again; --wait waits for the yes
    --- exit 8
    ");
}

#[test]
fn a_transfer_that_broke_off_goes_on_where_it_was() {
    let Some((away, account)) = away() else {
        return;
    };
    let content: Vec<u8> = (0..12_000_000_u32).map(|at| (at * 7 % 251) as u8).collect();
    let source = away.home.work().join("big");
    fs::write(&source, &content).unwrap();
    // It is ended as soon as something of it is there.
    let mut child = away
        .wharf(&["cp", "big", "web-1:big"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let part = || {
        let entries = fs::read_dir(&account).unwrap();
        let mut parts = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        parts.find(|path| path.to_str().unwrap().contains(".wharf-part-"))
    };
    let arrived = || part().map_or(0, |path| fs::metadata(path).map_or(0, |it| it.len()));
    while arrived() == 0 && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let seen = away.seen(&["cp", "big", "web-1:big", "-v"]);
    assert!(seen.contains("exit 0"), "{seen}");
    assert_eq!(fs::read(account.join("big")).unwrap(), content);
    assert_eq!(part(), None, "nothing is left of the transfer");
    // And back, with what has arrived in a file beside the target.
    let seen = away.seen(&["cp", "web-1:big", "back", "-v"]);
    assert!(seen.contains("exit 0"), "{seen}");
    assert_eq!(fs::read(away.home.work().join("back")).unwrap(), content);
}
