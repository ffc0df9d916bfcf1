//! What somebody inside tries to get out, as root of the sandbox, each with its own way.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::fs;

use support::{Bench, Ran, short};
use wharf_sandbox::{Health, Provider as _, Sandbox};

/// Whether the words that a test expects are all that came.
fn refused(ran: &Ran) -> bool {
    !ran.worked()
        && [
            "not permitted",
            "must be superuser",
            "ermission denied",
            "ead-only",
            "o such",
            "not implemented",
        ]
        .iter()
        .any(|word| ran.err.contains(word))
}

struct Inside {
    bench: Bench,
    sandbox: Sandbox,
}

impl Inside {
    async fn new() -> Self {
        let bench = Bench::new();
        let sandbox = bench.create("a").await;
        Self { bench, sandbox }
    }

    async fn root(&self, command: &str) -> Ran {
        self.bench.ssh(&self.sandbox, "root", command).await
    }

    async fn is_refused(&self, command: &str) {
        let ran = self.root(command).await;
        assert!(refused(&ran), "{command}: {ran:?}");
    }
}

#[tokio::test]
async fn files_of_the_machine_are_not_there() {
    let inside = Inside::new().await;
    let marker = inside.bench.state().join("marker");
    fs::write(&marker, "secret").unwrap();
    let path = marker.display();
    inside.is_refused(&format!("cat {path}")).await;
    for way in [
        "/proc/1/root",
        "/proc/self/root",
        "/proc/1/cwd",
        "/proc/1/fd/0/..",
    ] {
        let ran = inside.root(&format!("cat {way}{path}")).await;
        assert!(!ran.worked(), "{way}: {ran:?}");
    }
    let places = inside
        .root("ls -A /; ls -A /home; cut -d' ' -f5 /proc/self/mountinfo")
        .await;
    assert!(!places.out.contains("/work"), "{places:?}");
    let known = [
        "/etc/shadow",
        "/etc/machine-id",
        "/etc/ssh/ssh_host_ed25519_key",
    ];
    for file in known.into_iter().filter(|file| fs::metadata(file).is_ok()) {
        let theirs = inside.root(&format!("cat {file}")).await;
        assert_ne!(
            theirs.out,
            fs::read_to_string(file).unwrap().trim(),
            "{file}"
        );
    }
    inside.bench.end().await;
}

/// The one that would be the end of the machine: its programs are mounted with root inside as
/// their owner.
#[tokio::test]
async fn programs_of_the_machine_cannot_be_written_through() {
    let inside = Inside::new().await;
    let name = "wharf-escape-test";
    let place = std::path::Path::new("/usr/local").join(name);
    for command in [
        "mount -o remount,rw /usr",
        "mount -o remount,bind,rw /usr",
        "umount /usr",
        "umount -l /usr",
        "mount --bind /usr /mnt",
        "mount -t overlay overlay -o lowerdir=/usr,upperdir=/tmp,workdir=/run /mnt",
        "unshare -m true",
        "unshare -Urm true",
        "unshare -U true",
        "nsenter -t 1 -m true",
        "nsenter -t 1 -U true",
    ] {
        inside.is_refused(command).await;
    }
    let written = inside
        .root(&format!("touch /usr/local/{name} && rm /usr/local/{name}"))
        .await;
    assert!(written.worked(), "{written:?}");
    assert!(!place.exists());
    // Without the filter and the missing rights the kernel itself still holds the mounts.
    let held = held_fast(&inside, name);
    assert!(!place.exists(), "{held}");
    inside.bench.end().await;
}

/// From outside, with all rights that root inside could have: enters the sandbox's namespaces and
/// tries to make the machine's programs writable.
fn held_fast(inside: &Inside, name: &str) -> String {
    let init = inside.bench.init(&inside.sandbox.id).to_string();
    let script = format!(
        "mount -o remount,bind,rw /usr; touch /usr/local/{name}; umount /usr && echo off; \
         umount -l /usr && echo off; touch /usr/local/{name}"
    );
    let output = std::process::Command::new("nsenter")
        .args(["-t", &init, "-U", "-m", "-p", "sh", "-c", &script])
        .output()
        .unwrap();
    let said = Ran::of(output);
    // The copy of the sandbox's own may be changed; it must be only that.
    assert!(said.err.contains("umount"), "{said:?}");
    assert!(!said.out.contains("off"), "{said:?}");
    said.err
}

/// Before a sandbox is started again its root is walked by who is outside.
#[tokio::test]
async fn links_in_the_place_of_its_own_file_systems_lead_nowhere() {
    let inside = Inside::new().await;
    let mount = "cut -d' ' -f5 /proc/self/mountinfo | grep -cE '^/(proc|dev|run|tmp)$'";
    assert_eq!(inside.root(mount).await.out, "4");
    // From outside, since inside they cannot be replaced while they are mounted.
    let root = inside.bench.directory(&inside.sandbox.id).join("root");
    let init = rustix::process::Pid::from_raw(inside.bench.init(&inside.sandbox.id));
    rustix::process::kill_process(init.unwrap(), rustix::process::Signal::KILL).unwrap();
    let health = || inside.bench.provider.health(&inside.sandbox.id);
    while health().await.unwrap() != Health::Stopped {
        tokio::task::yield_now().await;
    }
    for (place, to) in [
        ("proc", "/mnt"),
        ("dev", "."),
        ("run", "/nonexistent"),
        ("tmp", "/"),
    ] {
        fs::remove_dir(root.join(place)).unwrap();
        std::os::unix::fs::symlink(to, root.join(place)).unwrap();
    }
    let again = inside
        .bench
        .provider
        .connect(&inside.sandbox.id)
        .await
        .unwrap();
    let inside = Inside {
        sandbox: again,
        ..inside
    };
    let seen = inside.root(mount).await;
    assert_eq!(seen.out, "4", "{seen:?}");
    inside.bench.end().await;
}

#[tokio::test]
async fn processes_of_the_machine_are_not_seen() {
    let inside = Inside::new().await;
    let seen = inside
        .root("ls /proc | grep -c '^[0-9]*$'; cat /proc/1/comm")
        .await;
    let mut lines = seen.out.lines();
    let count: u32 = lines.next().unwrap().parse().unwrap();
    assert!(count < 12, "{seen:?}");
    let ours = std::process::id();
    inside
        .is_refused(&format!("kill -0 {}", ours.max(10_000)))
        .await;
    inside.bench.end().await;
}

#[tokio::test]
async fn the_first_process_cannot_be_looked_into() {
    let inside = Inside::new().await;
    for file in ["mem", "environ", "maps", "exe"] {
        let ran = inside.root(&format!("head -c 1 /proc/1/{file}")).await;
        assert!(!ran.worked() || ran.out.is_empty(), "{file}: {ran:?}");
    }
    for directory in ["fd", "root/", "cwd/", "map_files"] {
        inside.is_refused(&format!("ls /proc/1/{directory}")).await;
    }
    // `readlink` says nothing when it may not.
    assert!(!inside.root("readlink /proc/1/ns/net").await.worked());
    let traced = inside
        .root("perl -e 'exit(syscall(101, 16, 1, 0, 0) == 0 ? 0 : 1)'")
        .await;
    assert_eq!(traced.code, Some(1), "{traced:?}");
    // Its own processes it may trace, which debuggers need.
    let own = inside
        .root(
            "sleep 60 & perl -e 'exit(syscall(101, 16, 0 + $ARGV[0], 0, 0) == 0 ? 0 : 1)' $!; \
               echo $?; kill -9 $!",
        )
        .await;
    if cfg!(target_arch = "x86_64") {
        assert_eq!(own.out, "0", "{own:?}");
    }
    let killed = inside
        .root("kill -9 1; kill -TERM 1; kill -INT 1; echo alive")
        .await;
    assert_eq!(killed.out, "alive", "{killed:?}");
    inside.bench.end().await;
}

#[tokio::test]
async fn there_is_no_network_but_its_own() {
    let inside = Inside::new().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let tried = inside
        .root(&format!("exec 3<>/dev/tcp/127.0.0.1/{port}"))
        .await;
    assert!(tried.err.contains("refused"), "{tried:?}");
    let interfaces = inside.root("tail -n +3 /proc/net/dev | cut -d: -f1").await;
    assert_eq!(interfaces.out, "lo", "{interfaces:?}");
    let away = inside.root("exec 3<>/dev/tcp/192.0.2.1/80").await;
    assert!(away.err.contains("unreachable"), "{away:?}");
    // Sockets of the machine without an address are names of its network namespace.
    let names = inside.root("cat /proc/net/unix | grep -c '@'").await;
    assert_eq!(names.out, "0", "{names:?}");
    for command in [
        "ip link add dummy0 type dummy",
        "perl -MSocket -e 'socket(S, PF_INET, SOCK_RAW, 1) or die \"$!\\n\"'",
        "perl -MSocket -e 'socket(S, 40, SOCK_STREAM, 0) or die \"$!\\n\"'",
        "perl -MSocket -e 'socket(S, 17, SOCK_RAW, 768) or die \"$!\\n\"'",
    ] {
        let ran = inside.root(command).await;
        assert!(!ran.worked(), "{command}: {ran:?}");
    }
    inside.bench.end().await;
}

#[tokio::test]
async fn there_are_no_devices_but_harmless_ones() {
    let inside = Inside::new().await;
    let devices = inside
        .root("find / -xdev \\( -type b -o -type c \\) 2>/dev/null; find /dev -type b")
        .await;
    assert_eq!(devices.out, "", "{devices:?}");
    let listed = inside.root("ls /dev").await;
    let expected =
        "fd\nfull\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero";
    assert_eq!(listed.out, expected);
    for command in [
        "mknod /tmp/disk b 254 0",
        "mknod /root/kmsg c 1 11",
        "mknod /usr/local/mem c 1 1",
        "mount -t devtmpfs none /mnt",
        "mount -t sysfs none /mnt",
        "mount -t cgroup none /mnt",
        "mount -t proc proc /mnt",
        "losetup -f",
    ] {
        let ran = inside.root(command).await;
        assert!(!ran.worked(), "{command}: {ran:?}");
    }
    inside.bench.end().await;
}

#[tokio::test]
async fn the_kernel_tells_and_takes_nothing() {
    let inside = Inside::new().await;
    for command in [
        "dmesg",
        "echo 3 > /proc/sys/vm/drop_caches",
        "echo b > /proc/sysrq-trigger && test ! -c /proc/sysrq-trigger",
        "echo core > /proc/sys/kernel/core_pattern",
        "echo /tmp/x > /proc/sys/kernel/modprobe",
        "sysctl -w kernel.panic=1",
        "date -s 2001-01-01",
        "swapoff -a && false",
    ] {
        let ran = inside.root(command).await;
        assert!(!ran.worked(), "{command}: {ran:?}");
    }
    for file in ["kcore", "kmsg", "keys", "timer_list", "kallsyms"] {
        let ran = inside.root(&format!("head -c 64 /proc/{file}")).await;
        assert_eq!(ran.out, "", "{file}: {ran:?}");
    }
    // bpf, perf_event_open, keyctl, userfaultfd, init_module, kexec_load, open_by_handle_at.
    for call in [321, 298, 250, 323, 175, 246, 304] {
        let code =
            format!("perl -e 'exit(syscall({call}, 0, 0, 0, 0, 0) == -1 && $!{{EPERM}} ? 0 : 1)'");
        let ran = inside.root(&code).await;
        assert!(
            ran.worked() || cfg!(not(target_arch = "x86_64")),
            "{call}: {ran:?}"
        );
    }
    let filter = inside
        .root("grep -E '^(Seccomp|CapBnd):' /proc/self/status")
        .await;
    assert!(filter.out.contains("Seccomp:\t2"), "{filter:?}");
    inside.bench.end().await;
}

#[tokio::test]
async fn another_sandbox_is_as_far_as_the_machine() {
    let inside = Inside::new().await;
    let other = inside.bench.create("b").await;
    let key = format!("{}:{}", other.ssh_host, other.ssh_port.unwrap());
    let port = other.ssh_port.unwrap();
    let tried = inside
        .root(&format!("exec 3<>/dev/tcp/127.0.0.1/{port}"))
        .await;
    assert!(tried.err.contains("refused"), "{key}: {tried:?}");
    inside
        .bench
        .ssh(
            &other,
            "root",
            "echo theirs > /dev/shm/x; echo theirs > /tmp/x",
        )
        .await;
    let seen = inside
        .root("cat /dev/shm/x /tmp/x; ipcs -q | wc -l; hostname")
        .await;
    assert!(!seen.out.contains("theirs"), "{seen:?}");
    assert!(!seen.out.contains(&short(&other.id)), "{seen:?}");
    inside.bench.end().await;
}

#[tokio::test]
async fn the_control_groups_are_out_of_reach() {
    let inside = Inside::new().await;
    let groups = inside
        .root("cat /proc/self/cgroup; ls /sys/fs/cgroup")
        .await;
    assert!(!groups.out.contains("wharfbox"), "{groups:?}");
    assert!(!groups.out.contains("pids.max"), "{groups:?}");
    inside
        .bench
        .provider
        .terminate(&inside.sandbox.id)
        .await
        .unwrap();
    inside.bench.end().await;
}
