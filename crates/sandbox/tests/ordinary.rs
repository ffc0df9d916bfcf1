//! Sandboxes that an ordinary user makes.
//!
//! The tests are root's, since only root can become another user: each starts itself once more as
//! one who has no account here, in mounts of their own where `/etc/passwd` and `/etc/subuid` know
//! them.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use support::{Bench, run};
use wharf_sandbox::{Capability, Egress, Health, Provider as _, Sandbox, Source, Spec};

const USER: u32 = 54_321;

/// Runs the test of that name as an ordinary user, with these subordinate ids; in the inner run
/// the directory to work in.
fn as_ordinary_user(test: &str, subordinate: &str) -> Option<PathBuf> {
    if let Some((place, _)) = support::inner() {
        return Some(place);
    }
    assert!(support::is_root(), "only root can become another user");
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    let accounts = fs::read_to_string("/etc/passwd").unwrap();
    let account = format!("wharf-test:x:{USER}:{USER}::/nonexistent:/bin/sh\n");
    fs::write(at("passwd"), accounts + &account).unwrap();
    fs::write(at("subid"), subordinate).unwrap();
    // Copies, since the way to what was built may be closed to others. The program is the user's,
    // as it is where somebody has installed it for themselves.
    let programs = [
        (std::env::current_exe().unwrap(), "test"),
        (support::launcher().program, "launcher"),
    ];
    for (program, name) in programs {
        fs::copy(program, at(name)).unwrap();
        chown(at(name), Some(USER), Some(USER)).unwrap();
    }
    fs::create_dir(at("work")).unwrap();
    chown(at("work"), Some(USER), Some(USER)).unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let script = format!(
        "cd {0} && mount --bind passwd /etc/passwd && \
         touch /etc/subuid /etc/subgid && \
         mount --bind subid /etc/subuid && mount --bind subid /etc/subgid && \
         if [ -e /dev/net/tun ]; then mount -t tmpfs none /mnt && \
         mknod -m 666 /mnt/tun c 10 200 && mount --bind /mnt/tun /dev/net/tun; fi && \
         shift && exec setpriv --reuid={USER} --regid={USER} --clear-groups ./test \"$@\"",
        place.path().display()
    );
    let output = support::run_inside(test, &at("work"), "", &script);
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
    None
}

async fn half_of_what_the_user_has_is_left(bench: &Bench, sandbox: &Sandbox) {
    let whole = fs::read_to_string("/proc/sys/fs/inotify/max_user_instances").unwrap();
    let half = whole.trim().parse::<u64>().unwrap() / 2;
    let file = "/proc/sys/user/max_inotify_instances";
    let script = format!("cat {file}; echo {whole} > {file}; cat {file}").replace('\n', " ");
    let said = bench.ssh(sandbox, "root", &script).await;
    assert_eq!(said.out, format!("{half}\n{half}"), "{said:?}");
}

/// Whoever is root inside is the user, and so the owner of this program.
async fn the_program_is_out_of_reach(bench: &Bench, sandbox: &Sandbox, user: &str) {
    for command in [
        "chmod 755 /proc/1/exe",
        "touch /proc/1/exe",
        "perl -e 'open my $f, \"+<\", \"/proc/1/exe\" or die \"$!\\n\"'",
        "ln -L /proc/1/exe /home/user/it",
    ] {
        let ran = bench.ssh(sandbox, user, command).await;
        assert!(!ran.worked(), "{command}: {ran:?}");
    }
}

fn bench(place: &Path) -> Bench {
    assert!(!support::is_root());
    let launcher = place.parent().unwrap().join("launcher");
    Bench::at(place, |options| options.launcher.program = launcher)
}

#[test]
fn with_subordinate_ids_it_is_as_roots() {
    let ids = format!("wharf-test:200000:65536\n{USER}:1:1\n");
    if let Some(place) = as_ordinary_user("with_subordinate_ids_it_is_as_roots", &ids) {
        run(with_subordinate_ids(bench(&place)));
    }
}

async fn with_subordinate_ids(bench: Bench) {
    assert!(bench.provider.capabilities().has(Capability::Root));
    let sandbox = bench.create("a").await;
    let root = bench
        .ssh(
            &sandbox,
            "root",
            "id -u; cat /proc/self/uid_map | tr -s ' '",
        )
        .await;
    assert_eq!(
        root.out,
        format!("0\n 0 {USER} 1\n 1 200000 65536"),
        "{root:?}"
    );
    let owned = bench
        .ssh(
            &sandbox,
            "root",
            "cd /home/user/workspace && touch f && chown user:user f && stat -c %U:%G f",
        )
        .await;
    assert_eq!(owned.out, "user:user", "{owned:?}");
    let notes = sandbox.notes.join("\n");
    assert!(
        notes.contains("for each of its users and not together"),
        "{notes}"
    );
    the_program_is_out_of_reach(&bench, &sandbox, "root").await;
    half_of_what_the_user_has_is_left(&bench, &sandbox).await;
    let sudo = bench.ssh(&sandbox, "user", "sudo -n id -un").await;
    assert_eq!(sudo.out, "root", "{sudo:?}");
    let changed = bench.ssh(&sandbox, "root", "touch /usr/local/x").await;
    assert!(!changed.worked(), "{changed:?}");
    for command in [
        "mount -t tmpfs none /mnt",
        "umount /usr",
        "unshare -U true",
        "dmesg",
    ] {
        let ran = bench.ssh(&sandbox, "root", command).await;
        assert!(!ran.worked(), "{command}: {ran:?}");
    }
    let snapshot = bench.provider.snapshot(&sandbox.id, "s").await.unwrap();
    let spec = Spec {
        source: Source::Snapshot(snapshot.clone()),
        ..bench.spec()
    };
    let other = bench.provider.create("b", spec).await.unwrap();
    let kept = bench.ssh(&other, "user", "stat -c %U workspace/f").await;
    assert_eq!(kept.out, "user", "{kept:?}");
    bench.provider.forget(&snapshot).await.unwrap();
    let init = rustix::process::Pid::from_raw(bench.init(&other.id)).unwrap();
    rustix::process::kill_process(init, rustix::process::Signal::KILL).unwrap();
    while bench.provider.health(&other.id).await.unwrap() == Health::Running {
        tokio::task::yield_now().await;
    }
    let again = bench.provider.connect(&other.id).await;
    let again = again.unwrap();
    assert_eq!(again.health, Health::Running);
    let kept = bench.ssh(&again, "user", "stat -c %U workspace/f").await;
    assert_eq!(kept.out, "user", "{kept:?}");
    bench.end().await;
}

#[test]
fn without_them_there_is_one_user_and_a_word_about_it() {
    let test = "without_them_there_is_one_user_and_a_word_about_it";
    if let Some(place) = as_ordinary_user(test, "") {
        run(without_subordinate_ids(bench(&place)));
    }
}

async fn without_subordinate_ids(bench: Bench) {
    let capabilities = bench.provider.capabilities();
    assert!(!capabilities.has(Capability::Root));
    let sandbox = bench.create("a").await;
    let notes = sandbox.notes.join("\n");
    assert!(notes.contains("no subordinate ids"), "{notes}");
    let names: Vec<_> = sandbox
        .users
        .iter()
        .map(|user| user.name.as_str())
        .collect();
    assert_eq!(names, ["user"]);
    let user = bench
        .ssh(&sandbox, "user", "id -u; pwd; touch workspace/f")
        .await;
    assert_eq!(user.out, "1000\n/home/user", "{user:?}");
    the_program_is_out_of_reach(&bench, &sandbox, "user").await;
    let terminal = "script -qc tty /dev/null";
    let terminal = bench.ssh(&sandbox, "user", terminal).await;
    assert!(terminal.out.starts_with("/dev/pts/"), "{terminal:?}");
    let root = bench.ssh(&sandbox, "root", "true").await;
    assert!(root.err.contains("Permission denied"), "{root:?}");
    bench.end().await;
}

#[test]
fn an_open_network_is_closed_where_it_is_to_be() {
    let test = "an_open_network_is_closed_where_it_is_to_be";
    if let Some(place) = as_ordinary_user(test, "") {
        run(open_network(bench(&place)));
    }
}

#[test]
fn an_open_network_is_so_with_subordinate_ids() {
    let ids = format!("{USER}:200000:65536\n");
    if let Some(place) = as_ordinary_user("an_open_network_is_so_with_subordinate_ids", &ids) {
        run(open_network(bench(&place)));
    }
}

async fn open_network(bench: Bench) {
    let is_possible = bench.provider.capabilities().has(Capability::OpenNetwork);
    if !is_possible || !Path::new("/dev/net/tun").exists() {
        return bench.end().await;
    }
    let spec = Spec {
        egress: Egress::On,
        ..bench.spec()
    };
    let sandbox = bench.provider.create("a", spec).await.unwrap();
    let notes = sandbox.notes.join("\n");
    assert!(!notes.contains("no way out"), "{notes}");
    let tried = "grep -c tap0 /proc/net/dev; exec 3<>/dev/tcp/169.254.169.254/80";
    let tried = bench.ssh(&sandbox, "user", tried).await;
    assert_eq!(tried.out, "1", "{tried:?}");
    assert!(tried.err.contains("No route to host"), "{tried:?}");
    bench.end().await;
}
