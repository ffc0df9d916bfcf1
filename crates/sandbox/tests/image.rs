//! Sandboxes of an image: a directory with the root of a system, made here of some of this
//! machine's programs.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use support::Bench;
use wharf_sandbox::{Base, Provider as _, Source, Spec};

/// Programs with all that they load.
fn image(root: &Path) {
    let programs = "sshd bash sh cat id ls rm stat touch chown hostname mkdir";
    let script = format!(
        "set -e; cd {root}; mkdir -p usr/bin usr/sbin usr/lib usr/lib64 etc; \
         ln -s usr/bin bin; ln -s usr/sbin sbin; ln -s usr/lib lib; ln -s usr/lib64 lib64; \
         PATH=/usr/sbin:/usr/bin; for p in {programs}; do p=$(command -v $p); \
         mkdir -p .$(dirname $p); cp -L $p .$p; \
         for l in $(ldd $p | grep -o '/lib[^ ]*'); do d=usr$(dirname $l); mkdir -p $d; \
         cp -Lu $l $d/; done; done; \
         cp -Lu /lib/*/libnss_files.so* usr/lib/ 2>/dev/null || true; \
         echo 'root:x:0:0::/root:/bin/bash' > etc/passwd; \
         echo 'sshd:x:101:65534::/run/sshd:/bin/false' >> etc/passwd; \
         echo from-the-image > etc/marker",
        root = root.display()
    );
    let made = Command::new("bash").args(["-c", &script]).output();
    let made = support::Ran::of(made.unwrap());
    assert!(made.worked(), "{made:?}");
    fs::set_permissions(root, fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn many_share_an_image_and_none_changes_it() {
    let root = tempfile::tempdir().unwrap();
    image(root.path());
    let bench = Bench::with(|options| options.base = Base::Image(root.path().to_owned()));
    let (first, second) = tokio::join!(bench.create("a"), bench.create("b"));
    let marker = "cat /etc/marker; id -un; stat -c %U:%G /home/user/workspace /etc/marker";
    let seen = bench.ssh(&first, "user", marker).await;
    assert_eq!(
        seen.out, "from-the-image\nuser\nuser:user\nroot:root",
        "{seen:?}"
    );
    let changed = "echo changed > /etc/marker && rm /usr/bin/ls && touch /usr/lib/new";
    assert!(bench.ssh(&first, "root", changed).await.worked());
    let other = bench
        .ssh(&second, "root", "cat /etc/marker && ls /usr/bin/ls")
        .await;
    assert_eq!(other.out, "from-the-image\n/usr/bin/ls", "{other:?}");
    let marker = fs::read_to_string(root.path().join("etc/marker")).unwrap();
    assert_eq!(marker, "from-the-image\n");
    let snapshot = bench.provider.snapshot(&first.id, "s").await.unwrap();
    let spec = Spec {
        source: Source::Snapshot(snapshot.clone()),
        ..bench.spec()
    };
    let third = bench.provider.create("c", spec).await.unwrap();
    let kept = bench
        .ssh(&third, "root", "cat /etc/marker; stat /usr/bin/ls")
        .await;
    assert_eq!(kept.out, "changed", "{kept:?}");
    assert!(kept.err.contains("No such file"), "{kept:?}");
    bench.provider.forget(&snapshot).await.unwrap();
    bench.end().await;
}

#[tokio::test]
async fn an_image_without_an_sshd_is_said_to_be_one() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("etc")).unwrap();
    let bench = Bench::with(|options| options.base = Base::Image(root.path().to_owned()));
    let failed = bench.provider.create("a", bench.spec()).await.unwrap_err();
    let failed = failed.to_string();
    assert!(failed.contains("there is no sshd in it"), "{failed}");
    assert_eq!(bench.left(), Vec::<String>::new());
    bench.end().await;
}
