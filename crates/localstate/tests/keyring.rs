//! Real keyrings: GNOME Keyring on a D-Bus of its own, unlocked and locked, a bus without one, one
//! that hangs, and no bus at all. Each inner test runs in an environment that its outer test made.
#![expect(clippy::unwrap_used, reason = "a test may panic, and its helpers too")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use wharf_localstate::credentials::{Place, StoreError};
use wharf_model::Secret;

/// Starts the daemon with this password for its keyring, which is made if there is none.
const UNLOCKED: &str =
    "printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1";
/// Starts it without any.
const LOCKED: &str = "gnome-keyring-daemon --start --components=secrets >/dev/null 2>&1";
/// Starts none.
const NONE: &str = "false";
/// Runs the test, once the bus knows the daemon.
const THEN: &str = " && for n in $(seq 500); do dbus-send --session --print-reply \
    --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner \
    string:org.freedesktop.secrets | grep -q true && break; done; \"$@\"";

/// Runs one of the inner tests below in a shell text on a private bus with these lines of
/// configuration.
fn inside(home: &Path, services: &str, script: &str, test: &str) {
    let config = home.join("bus.conf");
    let text = format!(
        "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
         \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\"><busconfig>\
         <type>session</type><listen>unix:tmpdir={}</listen><auth>EXTERNAL</auth>{services}\
         <policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/>\
         <allow eavesdrop=\"true\"/><allow own=\"*\"/></policy></busconfig>",
        home.display()
    );
    fs::write(&config, text).unwrap();
    let mut command = Command::new("dbus-run-session");
    command.arg(format!("--config-file={}", config.display()));
    command.args(["--", "sh", "-c", &format!("{script}{THEN}"), "sh"]);
    run(home, command.arg(std::env::current_exe().unwrap()), test);
}

fn run(home: &Path, command: &mut Command, test: &str) {
    let output = command
        .args(["--exact", test, "--ignored", "--test-threads=1"])
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", home)
        .env("XDG_RUNTIME_DIR", home)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{test}: {said}\n{complained}"
    );
}

fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).unwrap();
    home
}

#[test]
fn an_unlocked_keyring_keeps_a_login() {
    let home = home();
    inside(home.path(), "", UNLOCKED, "inner_unlocked");
}

#[test]
#[ignore = "runs inside of another test"]
fn inner_unlocked() {
    let place = Place::SecretService;
    place.probe("test").unwrap();
    assert!(place.read("test").unwrap().is_none());
    for text in ["first", "second"] {
        place.write("acme", &Secret::new(text.into())).unwrap();
        assert_eq!(place.read("acme").unwrap().unwrap().expose(), text);
    }
    place.delete("acme").unwrap();
    place.delete("acme").unwrap();
    assert!(place.read("acme").unwrap().is_none());
}

#[test]
fn a_locked_keyring_is_told_from_a_missing_one() {
    let home = home();
    // Made by the first, locked for the second.
    inside(home.path(), "", UNLOCKED, "inner_unlocked");
    inside(home.path(), "", LOCKED, "inner_locked");
}

#[test]
#[ignore = "runs inside of another test"]
fn inner_locked() {
    let error = Place::SecretService.probe("test").unwrap_err();
    // Where a program shows prompts it waits for one, which is the same to a person.
    assert!(
        matches!(error, StoreError::Locked | StoreError::Slow(_)),
        "{error:?}"
    );
}

#[test]
fn a_bus_without_a_keyring_is_said() {
    let home = home();
    inside(home.path(), "", NONE, "inner_no_service");
}

#[test]
#[ignore = "runs inside of another test"]
fn inner_no_service() {
    let error = Place::SecretService.probe("test").unwrap_err();
    assert!(matches!(error, StoreError::NoService), "{error:?}");
}

#[test]
fn a_keyring_that_does_not_answer_is_given_up() {
    let home = home();
    let services = home.path().join("services");
    fs::create_dir(&services).unwrap();
    fs::write(
        services.join("org.freedesktop.secrets.service"),
        "[D-BUS Service]\nName=org.freedesktop.secrets\nExec=/bin/sleep 6\n",
    )
    .unwrap();
    let services = format!("<servicedir>{}</servicedir>", services.display());
    inside(home.path(), &services, NONE, "inner_hanging");
}

#[test]
#[ignore = "runs inside of another test"]
fn inner_hanging() {
    let error = Place::SecretService.probe("test").unwrap_err();
    assert!(matches!(error, StoreError::Slow(_)), "{error:?}");
}

#[test]
fn no_bus_is_said() {
    let home = home();
    run(
        home.path(),
        &mut Command::new(std::env::current_exe().unwrap()),
        "inner_no_bus",
    );
}

#[test]
#[ignore = "runs inside of another test"]
fn inner_no_bus() {
    let error = Place::SecretService.probe("test").unwrap_err();
    assert!(matches!(error, StoreError::NoBus), "{error:?}");
}

/// Containers often forbid it; where it works it works wholly.
#[test]
fn the_kernels_keyring_works_or_says_why_not() {
    match Place::Kernel.probe("wharf test") {
        Ok(()) => {}
        Err(StoreError::Kernel(why)) => assert!(!why.is_empty()),
        Err(other) => panic!("{other:?}"),
    }
}
