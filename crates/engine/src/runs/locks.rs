//! The locks of Debian's package tools.
//!
//! Two of these tools at once do not work: the second one fails, or waits for longer than its run
//! may take. So before such a command is launched it is looked who holds the locks that it will
//! take; the run waits for them within its time limit and says for whom. What cannot be seen (no
//! `/proc/locks`, another process's namespace) is not waited for.
//!
//! A look is one small text for the target's shell: POSIX locks are listed by inode in
//! `/proc/locks`, which takes no privilege. Somebody may take a lock between the last look and the
//! command: apt is told to wait for that itself ([`patience`]).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wharf_exec::journal::Stream;
use wharf_exec::{Executor, Launch, Program};
use wharf_model::{RunId, Timestamp};
use wharf_shell::Analysis;

use super::ready::{Extra, Never, plain_end, programs, words_of};
use super::supervise::{Supervised, TIMEOUT_CODE, Why};
use super::{End, Run};
use crate::engine::Inner;
use crate::options::PackageLocks;

/// Between two looks.
const POLL: Duration = Duration::from_millis(500);
/// How long one look may take.
const LOOK_PATIENCE: Duration = Duration::from_secs(10);
/// How long a run without a time limit waits.
const MAX_WAIT: Duration = Duration::from_secs(3600);
/// What a look may say, in bytes.
const MAX_SAID: usize = 256 * 1024;
/// The code of what was ended on request, as a shell reports TERM.
const ENDED_CODE: i32 = 128 + 15;

/// The kind of error that a lock is somebody else's.
const KIND: &str = "locked";
/// How much of what was written to standard error is looked at.
const LOOKED_AT: usize = 64 * 1024;
/// What apt and dpkg say when they do not get a lock.
const REFUSED: &[&str] = &[
    "Could not get lock ",
    "is locked by another process",
    "was locked by another process",
];

const TOOLS: &[&str] = &["apt", "apt-get", "aptitude", "dpkg"];
/// Commands of apt, apt-get and aptitude that change what is installed.
const CHANGING: &[&str] = &[
    "install",
    "reinstall",
    "remove",
    "purge",
    "autoremove",
    "autopurge",
    "upgrade",
    "full-upgrade",
    "safe-upgrade",
    "dist-upgrade",
    "dselect-upgrade",
    "build-dep",
    "satisfy",
    "check",
    "hold",
    "unhold",
    "markauto",
    "unmarkauto",
    "forbid-version",
    "keep-all",
];
/// Commands that remove downloaded packages.
const CLEANING: &[&str] = &["clean", "autoclean", "auto-clean", "distclean"];
/// Options with which nothing is changed, so that no lock is taken.
const TRYING: &[&str] = &[
    "-s",
    "--simulate",
    "--just-print",
    "--dry-run",
    "--recon",
    "--no-act",
    "--print-uris",
    "-h",
    "--help",
    "-v",
    "--version",
];
/// What dpkg takes its locks for.
const DPKG: &[&str] = &[
    "-i",
    "--install",
    "-r",
    "--remove",
    "-P",
    "--purge",
    "-a",
    "--pending",
    "--unpack",
    "--configure",
    "--triggers-only",
    "--set-selections",
    "--clear-selections",
    "--add-architecture",
    "--remove-architecture",
    "--update-avail",
    "--merge-avail",
    "--clear-avail",
    "--forget-old-unavail",
];
/// Programs that take these locks, by the names that the system gives their processes. Where a
/// file system has two numbers for one device, a lock is believed to be ours by them.
const HOLDERS: &[&str] = &[
    "apt",
    "apt-get",
    "aptitude",
    "dpkg",
    "unattended-upgr",
    "packagekitd",
    "synaptic",
    "aptd",
    "apt.systemd.dai",
    "gnome-software",
    "update-manager",
    "apt-check",
    "dselect",
];

/// Which locks a command will take.
pub(crate) fn taken(analysis: &Analysis, text: &str, paths: &PackageLocks) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut add = |path: &str| {
        if !found.iter().any(|known| known == path) {
            found.push(path.to_owned());
        }
    };
    for program in programs(analysis, TOOLS) {
        let words = words_of(program, text);
        let has = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
        if has(TRYING) {
            continue;
        }
        let is_apt = program.name != "dpkg";
        let verb = verb(&words).filter(|_| is_apt).unwrap_or_default();
        let changes = CHANGING.contains(&verb) || !is_apt && has(DPKG);
        if changes {
            add(&paths.frontend);
            add(&paths.dpkg);
        }
        if is_apt && changes || CLEANING.contains(&verb) {
            add(&paths.archives);
        }
        if verb == "update" {
            add(&paths.lists);
        }
    }
    found
}

/// What apt is to do: the first word that is no option, nor the value of one.
fn verb(words: &[String]) -> Option<&str> {
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        if matches!(
            word,
            "-o" | "-c" | "-t" | "-a" | "--option" | "--config-file" | "--target-release"
        ) {
            words.next();
        } else if !word.starts_with('-') {
            return Some(word);
        }
    }
    None
}

/// Lets apt itself wait for the rest of the time, should somebody take a lock after our look. Not
/// behind sudo, whose rules may name a command's exact words.
pub(crate) fn patience(
    extra: &mut Extra,
    analysis: &Analysis,
    text: &str,
    limit: Option<Duration>,
) {
    if text.contains("Lock::Timeout") {
        return;
    }
    // A second less, so that apt can still say why it gives up.
    let seconds = limit.unwrap_or(MAX_WAIT).as_secs().saturating_sub(1).max(1);
    for program in programs(analysis, &["apt", "apt-get", "aptitude"]) {
        let words = words_of(program, text);
        let changes = verb(&words).is_some_and(|verb| CHANGING.contains(&verb));
        if let (true, Some(end)) = (changes, plain_end(program, text)) {
            extra.put(end, format!(" -o DPkg::Lock::Timeout={seconds}"));
        }
    }
}

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Holder {
    path: String,
    pid: Option<u32>,
    name: Option<String>,
    /// How long its process has been running.
    age: Option<Duration>,
}

impl Holder {
    fn tell(&self, now: Timestamp) -> String {
        let name = self.name.as_deref().unwrap_or("another process");
        let mut more = Vec::new();
        more.extend(self.pid.map(|pid| format!("pid {pid}")));
        more.extend(self.age.map(|age| {
            let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
            let since = Timestamp::from_millis(now.millis().saturating_sub(age));
            format!("running since {since}")
        }));
        let more = match more.is_empty() {
            true => String::new(),
            false => format!(" ({})", more.join(", ")),
        };
        format!("{name}{more} holds {}", self.path)
    }
}

/// Waits until nobody holds any of these locks, and takes the time that this took from the run's.
pub(crate) async fn wait(
    watch: &mut Supervised,
    executor: &Arc<dyn Executor>,
    paths: &[String],
) -> Result<(), Never> {
    let (begin, limit) = (Instant::now(), watch.limit.unwrap_or(MAX_WAIT));
    let mut told: Option<Holder> = None;
    loop {
        let cancelled = watch.run.cancellation();
        let holder = tokio::select! {
            holder = look(&watch.inner, executor, paths) => holder,
            () = cancelled.cancelled() => return Err(ended(watch)),
        };
        let Some(holder) = holder else { break };
        let now = watch.inner.parts.clock.now();
        let same = told
            .as_ref()
            .is_some_and(|known| (known.pid, &known.path) == (holder.pid, &holder.path));
        let left = limit.saturating_sub(begin.elapsed());
        if left.is_zero() {
            let text = format!(
                "{}; it was waited for {} s, the time limit, and the command was not started",
                holder.tell(now),
                limit.as_secs_f64()
            );
            return Err(Never {
                code: TIMEOUT_CODE,
                kind: KIND,
                text,
            });
        }
        if !same {
            let text = format!("wharf: waiting: {}\n", holder.tell(now));
            watch.run.output.append(Stream::Stderr, text.as_bytes());
            told = Some(holder);
        }
        tokio::select! {
            () = tokio::time::sleep(POLL.min(left)) => {}
            () = cancelled.cancelled() => return Err(ended(watch)),
        }
    }
    if told.is_some() {
        let waited = begin.elapsed();
        watch.limit = watch.limit.map(|limit| limit.saturating_sub(waited));
    }
    Ok(())
}

/// Somebody wanted it to end while it waited.
fn ended(watch: &Supervised) -> Never {
    let why = match watch.inner.cancelled.is_cancelled() {
        true => Why::Stopping,
        false => Why::Cancelled,
    };
    let (kind, text) = why.explain(false);
    let text =
        format!("{text} while it waited for a lock of the package tools; it was not started");
    Never {
        code: ENDED_CODE,
        kind,
        text,
    }
}

/// Who holds one of these locks now, as far as that can be seen.
async fn look(inner: &Inner, executor: &Arc<dyn Executor>, paths: &[String]) -> Option<Holder> {
    let output = inner
        .parts
        .journal
        .begin(&RunId::random(inner.parts.entropy.as_ref()), false);
    let launch = Launch {
        program: Program::Shell {
            text: question(paths),
            forkable: true,
        },
        cwd: Some("/".into()),
        env: Vec::new(),
        stdin: None,
        output: Arc::clone(&output),
        wants_pid: false,
        keep: false,
    };
    let looking = async {
        let mut process = executor.launch(launch).await.ok()?;
        process.wait().await.ok()
    };
    tokio::time::timeout(LOOK_PATIENCE, looking).await.ok()??;
    let said = output.read(Stream::Stdout, 0, MAX_SAID).ok()?;
    read(&String::from_utf8_lossy(&said))
}

/// Why a package tool failed, where somebody took a lock after our look.
pub(crate) fn explain(run: &Run, end: &End) -> Option<(&'static str, String)> {
    let failed = end.exit_code.is_some_and(|code| code != 0);
    if !failed || programs(&run.decision.analysis, TOOLS).next().is_none() {
        return None;
    }
    let (head, tail, _) = run.output.excerpt(Stream::Stderr, LOOKED_AT).ok()?;
    let said = [
        String::from_utf8_lossy(&head),
        String::from_utf8_lossy(&tail),
    ];
    let mut lines = said.iter().flat_map(|part| part.lines());
    let line = lines.find(|line| REFUSED.iter().any(|words| line.contains(words)))?;
    let line = ["E: ", "dpkg: error: "]
        .iter()
        .find_map(|start| line.strip_prefix(start))
        .unwrap_or(line);
    Some((KIND, line.to_owned()))
}

/// The text that looks: the files with inode and device, and the locks of these inodes with what
/// is known of their holders.
///
/// The list is read by `cat`: a bash that reads a file by lines takes its place in it anew for each,
/// and where somebody has given back a lock meanwhile, a line is passed over.
fn question(paths: &[String]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| quoted(path)).collect();
    format!(
        "LC_ALL=C; j=' '; [ -r /proc/locks ] || exit 0; for f in {}; do \
         set -- $(ls -diL \"$f\" 2>/dev/null); [ -n \"$1\" ] || continue; j=\"$j$1 \"; \
         echo \"file $1 $(stat -Lc %d \"$f\" 2>/dev/null || echo 0) $f\"; done; \
         h=$(getconf CLK_TCK 2>/dev/null || echo 100); IFS=' ' read -r u x </proc/uptime; \
         cat /proc/locks | while IFS=' ' read -r n t a m p i x; do case $t in POSIX|OFDLCK) ;; *) continue;; esac; \
         case $j in *\" ${{i##*:}} \"*) ;; *) continue;; esac; c=; s=; \
         [ -r /proc/$p/stat ] && {{ IFS= read -r c </proc/$p/comm; IFS= read -r s </proc/$p/stat; set -- ${{s##*) }}; s=${{20}}; }}; \
         echo \"lock $i $p ${{s:-0}} $h $u $c\"; done",
        paths.join(" ")
    )
}

/// One word for a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The first lock of one of the files.
fn read(said: &str) -> Option<Holder> {
    let mut files: Vec<(&str, u64, &str)> = Vec::new();
    for line in said.lines() {
        let Some((kind, rest)) = line.split_once(' ') else {
            continue;
        };
        if kind == "file" {
            let mut fields = rest.splitn(3, ' ');
            let (inode, device) = (fields.next()?, fields.next()?.parse().unwrap_or(0));
            files.push((inode, device, fields.next()?));
            continue;
        }
        let mut fields = rest.splitn(6, ' ');
        let mut next = || fields.next().unwrap_or_default();
        let (place, pid, start, ticks, up, name) = (next(), next(), next(), next(), next(), next());
        let (device, inode) = place.rsplit_once(':')?;
        let file = files.iter().find(|(known, number, _)| {
            *known == inode && (*number == 0 || device == shown(*number) || HOLDERS.contains(&name))
        });
        let Some((_, _, path)) = file else { continue };
        return Some(Holder {
            path: (*path).to_owned(),
            pid: pid.parse().ok().filter(|pid| *pid != 0),
            name: Some(name.to_owned()).filter(|name| !name.is_empty()),
            age: age(start, ticks, up),
        });
    }
    None
}

/// A device as `/proc/locks` shows it.
fn shown(number: u64) -> String {
    let major = (number >> 8 & 0xfff) | (number >> 32 & !0xfff);
    let minor = (number & 0xff) | (number >> 12 & 0xffff_ff00);
    format!("{major:02x}:{minor:02x}")
}

/// For how long a process has been running: the system says when it started, in ticks since its
/// own start.
fn age(start: &str, ticks: &str, up: &str) -> Option<Duration> {
    let (start, ticks): (f64, f64) = (start.parse().ok()?, ticks.parse().ok()?);
    let up: f64 = up.parse().ok()?;
    let seconds = up - start / ticks;
    let known = start > 0.0 && ticks > 0.0 && seconds >= 0.0;
    known.then(|| Duration::try_from_secs_f64(seconds).ok())?
}

#[cfg(test)]
mod tests {
    use wharf_shell::{Context, analyze};

    use super::*;

    fn locks(text: &str) -> String {
        let analysis = analyze(text, &Context::default());
        let paths = taken(&analysis, text, &PackageLocks::default());
        let names = paths.iter().map(|path| match path.as_str() {
            "/var/lib/dpkg/lock-frontend" => "f",
            "/var/lib/dpkg/lock" => "d",
            "/var/lib/apt/lists/lock" => "l",
            _ => "a",
        });
        names.collect()
    }

    #[test]
    fn what_changes_packages_takes_locks() {
        for (text, expected) in [
            ("apt-get install -y x", "fda"),
            ("sudo apt install $X", "fda"),
            ("sudo sh -c 'apt-get update && dpkg -i *.deb'", "lfd"),
            (
                "DEBIAN_FRONTEND=noninteractive apt-get -y -q dist-upgrade",
                "fda",
            ),
            ("aptitude safe-upgrade", "fda"),
            ("apt-get -o A=b -t sid clean", "a"),
            ("dpkg --configure -a", "fd"),
            ("apt update; apt upgrade -y", "lfda"),
        ] {
            assert_eq!(locks(text), expected, "{text}");
        }
    }

    #[test]
    fn what_only_reads_takes_none() {
        for text in [
            "apt list --installed",
            "apt-cache policy bash",
            "apt show install",
            "apt-get -s install x",
            "apt-get install --dry-run x",
            "dpkg -l",
            "dpkg -s bash",
            "dpkg -S /bin/ls",
            "docker exec c apt-get install x",
            "ssh h apt-get update",
            "echo apt-get install x",
        ] {
            assert_eq!(locks(text), "", "{text}");
        }
    }

    #[test]
    fn apt_is_told_to_wait_itself() {
        let told = |text: &str, limit| {
            let analysis = analyze(text, &Context::default());
            let mut extra = Extra::default();
            patience(&mut extra, &analysis, text, limit);
            extra.text(text)
        };
        let some = Some(Duration::from_secs(120));
        assert_eq!(
            told("apt-get update && apt-get install x", some),
            "apt-get update && apt-get -o DPkg::Lock::Timeout=119 install x"
        );
        assert_eq!(
            told("apt purge x", None),
            "apt -o DPkg::Lock::Timeout=3599 purge x"
        );
        let own = "apt-get -o DPkg::Lock::Timeout=5 install x";
        assert_eq!(told(own, some), own);
        assert_eq!(told("dpkg -i x.deb", some), "dpkg -i x.deb");
    }

    #[test]
    fn a_lock_is_told_by_its_inode_and_device() {
        let said = "file 12 65024 /var/lib/dpkg/lock\n\
                    lock 00:1f:12 7 100 100 61.00 nginx\n\
                    lock fe:00:13 8 100 100 61.00 dpkg\n\
                    lock fe:00:12 4711 100 100 61.00 my tool\n";
        let holder = read(said).unwrap();
        assert_eq!(
            holder.tell(Timestamp::from_millis(60_000)),
            "my tool (pid 4711, running since 1970-01-01T00:00:00.000Z) holds /var/lib/dpkg/lock"
        );
        let other = "file 12 65024 /l\nlock 00:1f:12 0 0 100 61.00 \n";
        assert_eq!(read(other), None);
        let known = read("file 12 65024 /l\nlock 00:1f:12 9 0 100 61.00 apt-get\n").unwrap();
        assert_eq!((known.pid, known.age), (Some(9), None));
        let unknown = read("file 12 0 /l\nlock 00:1f:12 -1 0 100 61.00 \n").unwrap();
        let now = Timestamp::from_millis(0);
        assert_eq!(unknown.tell(now), "another process holds /l");
        assert_eq!(read(""), None);
    }
}
