//! A real Docker engine with a directory of its own, and a small image of this machine's programs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::models::ContainerConfig;
use bollard::query_parameters::{
    CommitContainerOptionsBuilder, ListContainersOptionsBuilder, ListImagesOptionsBuilder,
    RemoveImageOptions, TagImageOptionsBuilder,
};
use wharf_sandbox::docker::Image;
use wharf_sandbox::{DockerOptions, DockerProvider, Provider as _, Sandbox, SandboxId};

use crate::support::client::Client;
use crate::support::{Ran, Real, is_root};

/// How long an engine may take to be there.
const PATIENCE: Duration = Duration::from_secs(30);

/// A daemon that ends with this.
pub(crate) struct Daemon {
    child: Child,
    place: PathBuf,
}

impl Daemon {
    /// Starts one, where that can be done. A machine without the program, without root or without
    /// the rights that a daemon needs leaves these tests out, and they say so.
    fn start(place: &Path) -> Option<Self> {
        let program = [
            "/usr/sbin/dockerd",
            "/usr/bin/dockerd",
            "/usr/local/bin/dockerd",
        ];
        let program = program.into_iter().find(|path| Path::new(path).exists());
        let Some(program) = program.filter(|_| is_root()) else {
            left_out("dockerd (Debian: docker.io) and root are needed");
            return None;
        };
        let log = fs::File::create(place.join("log")).unwrap();
        // In a group of its own, and told when the test is gone: what kills the test and its group
        // would leave containers behind.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM", program]);
        command.process_group(0);
        for (flag, name) in [
            ("--data-root", "data"),
            ("--exec-root", "exec"),
            ("--pidfile", "pid"),
        ] {
            command.arg(flag).arg(place.join(name));
        }
        let child = command
            .arg("-H")
            .arg(format!("unix://{}", socket(place).display()))
            .args(["--iptables=false", "--bridge=none"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut daemon = Self {
            child,
            place: place.to_owned(),
        };
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if std::os::unix::net::UnixStream::connect(socket(place)).is_ok() {
                return Some(daemon);
            }
            if daemon.child.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let log = fs::read_to_string(place.join("log")).unwrap();
        let last: Vec<&str> = log.lines().rev().take(3).collect();
        left_out(&format!("dockerd does not start here: {last:?}"));
        None
    }

    /// Ends it and waits for that.
    fn end(&mut self) {
        // Its number may be another's once it was waited for.
        if self.child.try_wait().unwrap().is_some() {
            return;
        }
        let pid = i32::try_from(self.child.id()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        let _gone_already = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        self.child.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.end();
        // What a daemon that ended in the middle has left mounted.
        let place = self.place.display().to_string();
        for mount in mounts(&place) {
            let _gone_already = Command::new("umount").args(["-l", &mount]).status();
        }
    }
}

fn left_out(why: &str) {
    eprintln!("LEFT OUT: tests against a Docker engine: {why}");
}

fn socket(place: &Path) -> PathBuf {
    place.join("s")
}

/// What is mounted below a directory.
fn mounts(place: &str) -> Vec<String> {
    let all = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let points = all.lines().filter_map(|line| line.split(' ').nth(4));
    let ours = points.filter(|point| point.starts_with(place));
    ours.map(str::to_owned).collect()
}

/// A provider at an engine of its own.
pub(crate) struct Docked {
    pub(crate) provider: DockerProvider,
    pub(crate) client: Client,
    pub(crate) docker: Docker,
    daemon: Daemon,
    place: tempfile::TempDir,
}

impl Docked {
    pub(crate) async fn new() -> Option<Self> {
        Self::with(|_| ()).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut DockerOptions)) -> Option<Self> {
        let place = tempfile::tempdir().unwrap();
        let daemon = Daemon::start(place.path())?;
        root(&place.path().join("root"));
        let options = options(place.path(), change);
        let at = socket(place.path()).display().to_string();
        let docker = Docker::connect_with_unix(&at, 60, bollard::API_DEFAULT_VERSION);
        Some(Self {
            provider: DockerProvider::open(options, Arc::new(Real)).await.unwrap(),
            client: Client::at(place.path()),
            docker: docker.unwrap().negotiate_version().await.unwrap(),
            daemon,
            place,
        })
    }

    /// The same sandboxes with another provider, as after a restart of the server.
    pub(crate) async fn restart(mut self, change: impl FnOnce(&mut DockerOptions)) -> Self {
        self.provider.shutdown().await;
        // The old one has the directory as long as it is there.
        let elsewhere = options(self.place.path(), |it| {
            it.state = self.place.path().join("other");
        });
        self.provider = DockerProvider::open(elsewhere, Arc::new(Real))
            .await
            .unwrap();
        let options = options(self.place.path(), change);
        self.provider = DockerProvider::open(options, Arc::new(Real)).await.unwrap();
        self
    }

    pub(crate) fn record(&self, id: &SandboxId) -> PathBuf {
        let records = self.place.path().join("state/sandboxes");
        records.join(format!("{id}.json"))
    }

    pub(crate) async fn create(&self, key: &str) -> Sandbox {
        self.provider.create(key, self.client.spec()).await.unwrap()
    }

    pub(crate) async fn ssh(&self, sandbox: &Sandbox, user: &str, command: &str) -> Ran {
        self.client.ssh(sandbox, user, command).await
    }

    /// Puts a program of the test's own into the root that sandboxes start from.
    pub(crate) fn stand_in(&self, name: &str, script: &str) {
        let program = self.place.path().join("root/usr/bin").join(name);
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Gives the image that sandboxes start from a second name.
    pub(crate) async fn name_base(&self, repository: &str, tag: &str) {
        let [base] = <[String; 1]>::try_from(self.images("wharf-root:").await).unwrap();
        let name = TagImageOptionsBuilder::default().repo(repository).tag(tag);
        let named = self.docker.tag_image(&base, Some(name.build()));
        named.await.unwrap();
    }

    /// Makes an image with these variables of the one container that there is.
    pub(crate) async fn keep_as(&self, repository: &str, variables: &[&str]) {
        let [name] = <[String; 1]>::try_from(self.containers().await).unwrap();
        let options = CommitContainerOptionsBuilder::default()
            .container(&name)
            .repo(repository)
            .tag("latest");
        let config = ContainerConfig {
            env: Some(variables.iter().map(|&it| it.to_owned()).collect()),
            ..ContainerConfig::default()
        };
        let kept = self.docker.commit_container(options.build(), config);
        kept.await.unwrap();
    }

    /// The images whose names begin so.
    pub(crate) async fn images(&self, beginning: &str) -> Vec<String> {
        let all = ListImagesOptionsBuilder::default().all(true).build();
        let found = self.docker.list_images(Some(all)).await.unwrap();
        let names = found.into_iter().flat_map(|image| image.repo_tags);
        names.filter(|name| name.starts_with(beginning)).collect()
    }

    /// Ends all sandboxes and removes the images whose names begin so.
    pub(crate) async fn forget(&self, beginning: &str) {
        for sandbox in self.provider.list().await.unwrap() {
            self.provider.terminate(&sandbox.id).await.unwrap();
        }
        for image in self.images(beginning).await {
            let removed = self
                .docker
                .remove_image(&image, None::<RemoveImageOptions>, None);
            removed.await.unwrap();
        }
    }

    /// How the engine calls the containers that there are.
    pub(crate) async fn containers(&self) -> Vec<String> {
        let all = ListContainersOptionsBuilder::default().all(true).build();
        let found = self.docker.list_containers(Some(all)).await.unwrap();
        let names = found
            .into_iter()
            .flat_map(|it| it.names.unwrap_or_default());
        names
            .map(|name| name.trim_start_matches('/').to_owned())
            .collect()
    }

    /// Everything of any sandbox that is left: containers, snapshots, records.
    pub(crate) async fn left(&self) -> Vec<String> {
        let mut left = self.containers().await;
        let all = ListImagesOptionsBuilder::default().all(true).build();
        for image in self.docker.list_images(Some(all)).await.unwrap() {
            // The image that sandboxes start from stays.
            if !image
                .repo_tags
                .iter()
                .any(|tag| tag.starts_with("wharf-root:"))
            {
                left.push(format!("image {:?}", image.repo_tags));
            }
        }
        for entry in fs::read_dir(self.place.path().join("state/sandboxes")).unwrap() {
            left.push(entry.unwrap().path().display().to_string());
        }
        left
    }

    /// Ends everything and looks whether that is so.
    pub(crate) async fn end(mut self) {
        for sandbox in self.provider.list().await.unwrap() {
            self.provider.terminate(&sandbox.id).await.unwrap();
        }
        self.provider.shutdown().await;
        assert_eq!(self.left().await, Vec::<String>::new());
        self.daemon.end();
        let place = self.place.path().display().to_string();
        assert_eq!(mounts(&place), Vec::<String>::new());
    }
}

fn options(place: &Path, change: impl FnOnce(&mut DockerOptions)) -> DockerOptions {
    let mut options = DockerOptions::new(place.join("state"));
    options.socket = socket(place);
    options.image = Image::Root(place.join("root"));
    change(&mut options);
    options
}

/// Programs of this machine with all that they load, as the root of a system.
fn root(root: &Path) {
    let script = r#"set -e; mkdir -p "$1"; cd "$1"
        mkdir -p usr/bin usr/sbin usr/lib usr/lib64 usr/local/share etc root
        for d in bin sbin lib lib64; do ln -s usr/$d $d; done
        PATH=/usr/sbin:/usr/bin
        all=$(for p in sshd bash sh cat id ls ln rm stat touch chown chmod hostname mkdir sleep \
            env perl head printenv sudo; do command -v $p; done
            ls -d /usr/lib/sudo/*.so* /usr/libexec/sudo/*.so* /usr/lib/*/security/pam_permit.so \
            /usr/lib/*/security/pam_rootok.so 2> /dev/null || true)
        needed=$(ldd $all 2> /dev/null | awk '$3 ~ /^\// { print $3 } $1 ~ /^\// && !/:$/ { print $1 }')
        for f in $(printf '%s\n' $all $needed | sort -u); do
            case $f in /lib*) to=./usr$f;; *) to=.$f;; esac
            mkdir -p "${to%/*}"; cp -Lu --preserve=mode "$f" "$to"
        done
        for perl in /usr/lib/*/perl-base; do mkdir -p ".${perl%/*}"; cp -a "$perl" ".$perl"; done
        echo root:x:0:0::/root:/bin/bash > etc/passwd
        echo root:x:0: > etc/group"#;
    let made = Command::new("bash")
        .args(["-c", script, "bash"])
        .arg(root)
        .output();
    let made = Ran::of(made.unwrap());
    assert!(made.worked(), "{made:?}");
    fs::set_permissions(root, fs::Permissions::from_mode(0o755)).unwrap();
}
