//! How long a push takes, beside rsync, tar over ssh and git on the same trees in the same run.
//!
//! Starts an sshd of its own on a free port of the loopback. The others have a connection that is
//! kept (`ControlMaster`), as we have.
//!
//! ```console
//! $ cargo run --release -p wharf-workspace --example sync -- [small] [large] [walk]
//! ```
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a measurement for developers, which a failure may end and which reads the clock"
)]

#[expect(dead_code, reason = "what only the tests use")]
#[path = "../../ssh/tests/real/sshd.rs"]
mod sshd;

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wharf_ssh::{Credentials, HostOpener, Pool, PoolLimits};
use wharf_workspace::far::FarPlace;
use wharf_workspace::identity::{Grounds, Workspace};
use wharf_workspace::look::Held;
use wharf_workspace::plan::Options;
use wharf_workspace::push::Pushed;
use wharf_workspace::round::{Round, Setting};
use wharf_workspace::scan::{Cache, Scanned, scan};
use wharf_workspace::state::Shelf;
use wharf_workspace::walk::{GitForm, Walk};

const ROUNDS: usize = 5;
const FILES: usize = 10_000;
const LARGE: usize = 500_000_000;

#[tokio::main]
async fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let wants = |name: &str| wanted.is_empty() || wanted.iter().any(|word| word == name);
    let server = sshd::Sshd::start("");
    let pool = Pool::new(server.connector(), PoolLimits::default());
    let opener = pool.opener_for(server.settings(), Credentials::default());
    opener.connect().await.unwrap();
    let base = PathBuf::from(std::env::var("BENCH_DIR").unwrap_or_else(|_| "/tmp".to_owned()));
    let temp = tempfile::tempdir_in(base).unwrap();
    let others = Others::new(&server, temp.path());
    if wants("small") {
        small(&opener, &others, temp.path()).await;
    }
    if wants("large") {
        large(&opener, &others, temp.path()).await;
    }
    if wants("walk") {
        walk(temp.path());
    }
}

async fn small(opener: &HostOpener, others: &Others, temp: &Path) {
    let root = temp.join("small");
    tree(&root, FILES, 10_000);
    // No file is too young to be sure of.
    std::thread::sleep(Duration::from_millis(2100));
    let mut rows = Rows::default();
    let mut ours = None;
    for round in 0..ROUNDS {
        let to = temp.join(format!("far{round}"));
        rows.time("first: cp -a", || others.copy(&root, &to.join("cp")));
        rows.time("first: tar over ssh", || others.tar(&root, &to.join("tar")));
        rows.time("first: rsync", || others.rsync(&root, &to.join("rsync")));
        let place = Ours::new(&root, &to);
        let began = Instant::now();
        let pushed = place.sync(opener).await;
        rows.add("first: ours", began.elapsed());
        assert_eq!(pushed.missed, []);
        for name in ["cp", "tar"] {
            fs::remove_dir_all(to.join(name)).unwrap();
        }
        if let Some((before, _)) = ours.replace((to, place)) {
            fs::remove_dir_all::<PathBuf>(before).unwrap();
        }
    }
    let (to, place) = ours.unwrap();
    for _ in 0..ROUNDS * 2 {
        rows.time("nothing: rsync", || others.rsync(&root, &to.join("rsync")));
        let began = Instant::now();
        let pushed = place.sync(opener).await;
        rows.add("nothing: ours", began.elapsed());
        assert_eq!(pushed.progress.files, 0);
        rows.time("nothing: our scan alone", || drop(place.scan()));
    }
    for round in 0..ROUNDS {
        for at in (0..FILES).step_by(100) {
            fs::write(path(&root, at), format!("changed {round} {at}").repeat(400)).unwrap();
        }
        rows.time("1 %: rsync", || others.rsync(&root, &to.join("rsync")));
        let began = Instant::now();
        let pushed = place.sync(opener).await;
        rows.add("1 %: ours", began.elapsed());
        assert_eq!(pushed.progress.files, 100);
    }
    let same = Command::new("diff")
        .args(["-r"])
        .arg(&root)
        .arg(to.join("ours"))
        .status()
        .unwrap();
    assert!(same.success());
    rows.print(&format!("{FILES} files of 10 kB"));
    fs::remove_dir_all(to).unwrap();
    fs::remove_dir_all(root).unwrap();
}

async fn large(opener: &HostOpener, others: &Others, temp: &Path) {
    let root = temp.join("large");
    fs::create_dir(&root).unwrap();
    let mut file = File::create(root.join("data.bin")).unwrap();
    let mut noise = Noise(88_172_645_463_325_252);
    for _ in 0..LARGE / 1_000_000 {
        file.write_all(&noise.bytes(1_000_000)).unwrap();
    }
    std::thread::sleep(Duration::from_millis(2100));
    let mut rows = Rows::default();
    let mut sent = 0;
    for round in 0..3_u64 {
        let to = temp.join(format!("far{round}"));
        rows.time("first: tar over ssh", || others.tar(&root, &to.join("tar")));
        fs::remove_dir_all(to.join("tar")).unwrap();
        rows.time("first: rsync", || others.rsync(&root, &to.join("rsync")));
        let place = Ours::new(&root, &to);
        let began = Instant::now();
        place.sync(opener).await;
        rows.add("first: ours", began.elapsed());
        for change in 0..2 {
            file.write_all_at(&noise.bytes(1_000_000), 100_000_000 * (1 + round) + change)
                .unwrap();
            rows.time("1 MB inside: rsync", || {
                others.rsync(&root, &to.join("rsync"));
            });
            let began = Instant::now();
            sent = place.sync(opener).await.progress.bytes_sent;
            rows.add("1 MB inside: ours", began.elapsed());
        }
        let same = Command::new("cmp")
            .arg(root.join("data.bin"))
            .arg(to.join("ours/data.bin"))
            .status()
            .unwrap();
        assert!(same.success());
        fs::remove_dir_all(to).unwrap();
    }
    rows.print(&format!(
        "one file of 500 MB ({:.1} MB sent for 1 MB)",
        sent as f64 / 1e6
    ));
    fs::remove_dir_all(root).unwrap();
}

fn walk(temp: &Path) {
    let root = temp.join("many");
    tree(&root, 300_000, 10);
    let git = |arguments: &[&str]| {
        let status = Command::new("git")
            .current_dir(&root)
            .args(arguments)
            .output()
            .unwrap();
        assert!(status.status.success());
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    std::thread::sleep(Duration::from_millis(2100));
    let place = Ours::new(&root, &temp.join("nowhere"));
    let mut rows = Rows::default();
    git(&["status", "--porcelain"]);
    drop(place.scan());
    for _ in 0..ROUNDS {
        rows.time("git status", || git(&["status", "--porcelain"]));
        rows.time("our scan", || drop(place.scan()));
    }
    rows.print("300,000 files, nothing changed");
}

struct Ours {
    setting: Setting,
}

impl Ours {
    fn new(root: &Path, to: &Path) -> Self {
        let shelf = to.join("shelf");
        fs::create_dir_all(&shelf).unwrap();
        let text = |name: &str| to.join(name).to_str().unwrap().to_owned();
        let place = FarPlace {
            dir: text("ours"),
            state: text("ours-state"),
            owner: None,
            unseen: Vec::new(),
        };
        let grounds = Grounds {
            home: "/nowhere".into(),
            state: shelf.clone(),
        };
        let setting = Setting {
            workspace: Workspace::at(root, "device", &grounds).unwrap(),
            place,
            sandbox: "box".to_owned(),
            shelf,
            excludes: None,
            git: GitForm::Leave,
            large: u64::MAX,
            threads: 2,
        };
        Self { setting }
    }

    fn scan(&self) -> Scanned {
        let asked = Walk {
            root: self.setting.workspace.root(),
            state: self.setting.workspace.state(),
            excludes: None,
            git: GitForm::Leave,
            threads: 2,
        };
        let shelf = Shelf::at(self.setting.shelf.clone());
        scan(&asked, &mut Cache::load(&shelf), now_ns()).unwrap()
    }

    /// All of it: the walk, the digests, the look for secrets, both exchanges.
    async fn sync(&self, opener: &HostOpener) -> Pushed {
        let began = Instant::now();
        let round = Round::begin(self.setting.clone(), opener, now_ns())
            .await
            .unwrap();
        let looked = began.elapsed();
        let plan = round.plan(&Held::all(&round.findings), &Options::default());
        let pushed = round
            .push(opener, &plan, false, Arc::new(|_| ()))
            .await
            .unwrap();
        if std::env::var_os("BENCH_STEPS").is_some() {
            eprintln!("looked {looked:?}, pushed {:?}", began.elapsed() - looked);
        }
        pushed
    }
}

/// The programs beside which we are measured.
struct Others {
    ssh: Vec<String>,
    host: String,
}

impl Others {
    fn new(server: &sshd::Sshd, temp: &Path) -> Self {
        let known = server.known_hosts();
        let options = [
            "ssh".to_owned(),
            "-F".to_owned(),
            "none".to_owned(),
            "-i".to_owned(),
            server.path("client").display().to_string(),
            "-p".to_owned(),
            server.port.to_string(),
            format!("-oUserKnownHostsFile={}", known.display()),
            "-oControlMaster=auto".to_owned(),
            "-oControlPersist=600".to_owned(),
            format!("-oControlPath={}", temp.join("control").display()),
        ];
        let host = format!("{}@127.0.0.1", server.user);
        let others = Self {
            ssh: options.to_vec(),
            host,
        };
        others.shell("true");
        others
    }

    fn shell(&self, text: &str) {
        let status = Command::new("sh").args(["-c", text]).status().unwrap();
        assert!(status.success(), "{text}");
    }

    fn copy(&self, root: &Path, to: &Path) {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        self.shell(&format!("cp -a {} {}", root.display(), to.display()));
    }

    fn tar(&self, root: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        let (ssh, host) = (self.ssh.join(" "), &self.host);
        let (root, to) = (root.display(), to.display());
        self.shell(&format!(
            "tar -C {root} -cf - . | {ssh} {host} 'tar -C {to} -xpf -'"
        ));
    }

    fn rsync(&self, root: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        let (ssh, host) = (self.ssh.join(" "), &self.host);
        let (root, to) = (root.display(), to.display());
        self.shell(&format!(
            "rsync -a --delete -e '{ssh}' {root}/ {host}:{to}/"
        ));
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        let (ssh, host) = (self.ssh.join(" "), &self.host);
        self.shell(&format!("{ssh} -O exit {host} 2>/dev/null || true"));
    }
}

fn now_ns() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_nanos()).unwrap()
}

fn path(root: &Path, at: usize) -> PathBuf {
    root.join(format!(
        "dir{}/sub{}/file{at}.txt",
        at / 1000,
        at / 100 % 10
    ))
}

fn tree(root: &Path, files: usize, bytes: usize) {
    let mut noise = Noise(42);
    for at in 0..files {
        let path = path(root, at);
        if at % 100 == 0 {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
        }
        let text: String = noise
            .bytes(bytes / 2)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let lines: Vec<&str> = text
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        fs::write(path, lines.join("\n")).unwrap();
    }
}

struct Noise(u64);

impl Noise {
    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let next = || {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0.to_le_bytes()
        };
        std::iter::repeat_with(next).flatten().take(count).collect()
    }
}

#[derive(Default)]
struct Rows(Vec<(String, Vec<Duration>)>);

impl Rows {
    fn time(&mut self, name: &str, act: impl FnOnce()) {
        let began = Instant::now();
        act();
        self.add(name, began.elapsed());
    }

    fn add(&mut self, name: &str, time: Duration) {
        match self.0.iter_mut().find(|row| row.0 == name) {
            Some(row) => row.1.push(time),
            None => self.0.push((name.to_owned(), vec![time])),
        }
    }

    fn print(mut self, title: &str) {
        println!("{title}");
        for (name, times) in &mut self.0 {
            times.sort();
            let at = |share: usize| {
                times
                    .get(times.len() * share / 100)
                    .copied()
                    .unwrap_or_default()
            };
            let (least, middle) = (at(0).as_secs_f64(), at(50).as_secs_f64());
            println!("  {name:<28} median {middle:>7.3} s   least {least:>7.3} s");
        }
    }
}
