//! Changes of there as a commit on a branch of its own, made by git's plumbing on an index of our
//! own: neither the work tree nor the index nor the branch that is checked out is touched.
//!
//! The commit stands on the one that is checked out. Of a file that changed there it has what is
//! there, with what was not committed here when it was sent.
//!
//! Git is a program of the person's; which one, and in which environment, comes in.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Change, Incoming};
use crate::Error;
use crate::manifest::What;
use crate::path::{RelPath, is_within};

/// Git on this machine.
#[derive(Debug, Clone)]
pub struct Git {
    /// The program.
    pub program: PathBuf,
    /// All of its environment.
    pub env: Vec<(OsString, OsString)>,
}

/// What the commit says.
#[derive(Debug, Clone)]
pub struct Commit<'a> {
    /// The branch that is made: `wharf/fix-login`.
    pub branch: &'a str,
    /// The whole message.
    pub message: &'a str,
    /// Who made the changes.
    pub author: &'a str,
    /// Where they are reached by mail.
    pub email: &'a str,
    /// When, in seconds since 1970.
    pub at: i64,
}

/// What became of a branch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Branched {
    /// The commit; none, if nothing of the repository changed there.
    pub commit: Option<String>,
    /// Changes in a repository within this one. The commit of this one names the commit of that,
    /// which nobody has made yet.
    pub within: Vec<RelPath>,
}

/// Makes the branch.
///
/// # Errors
/// [`Error::BranchExists`], or what git says.
pub fn branch(
    incoming: &Incoming,
    root: &Path,
    git: &Git,
    commit: &Commit<'_>,
) -> Result<Branched, Error> {
    let index = incoming.tree.with_file_name("index");
    let plumbing = Plumbing {
        git,
        root,
        index: &index,
    };
    let name = format!("refs/heads/{}", commit.branch);
    plumbing.run(
        "check-ref-format",
        &["check-ref-format", "--branch", commit.branch],
        b"",
    )?;
    if plumbing
        .run("rev-parse", &["rev-parse", "-q", "--verify", &name], b"")
        .is_ok()
    {
        return Err(Error::BranchExists {
            name: commit.branch.to_owned(),
        });
    }
    // A repository without a commit has an empty tree.
    let head = plumbing
        .run(
            "rev-parse",
            &["rev-parse", "-q", "--verify", "HEAD^{commit}"],
            b"",
        )
        .ok();
    match &head {
        Some(head) => plumbing.run("read-tree", &["read-tree", head], b"")?,
        None => plumbing.run("read-tree", &["read-tree", "--empty"], b"")?,
    };
    let before = plumbing.run("write-tree", &["write-tree"], b"")?;
    let prefix = plumbing.bytes("rev-parse", &["rev-parse", "--show-prefix"], b"", &[])?;
    let prefix = prefix.strip_suffix(b"\n").unwrap_or(&prefix);
    let mut paths = Vec::new();
    // Git knows no directories: what is in one names it.
    let is_dir = |change: &&Change| change.now.as_ref().is_some_and(|now| now.what == What::Dir);
    let links = plumbing.links()?;
    let mut within = Vec::new();
    for change in incoming.changes().iter().filter(|change| !is_dir(change)) {
        let full = [prefix, change.path.as_bytes()].concat();
        if links.iter().any(|link| is_within(&full, link)) {
            within.push(change.path.clone());
            continue;
        }
        paths.extend_from_slice(prefix);
        paths.extend_from_slice(change.path.as_bytes());
        paths.push(0);
    }
    plumbing.take(incoming, prefix, &paths)?;
    let tree = plumbing.run("write-tree", &["write-tree"], b"")?;
    if tree == before {
        let commit = None;
        return Ok(Branched { commit, within });
    }
    let date = format!("{} +0000", commit.at);
    let who = [
        ("GIT_AUTHOR_NAME", commit.author),
        ("GIT_AUTHOR_EMAIL", commit.email),
        ("GIT_COMMITTER_NAME", commit.author),
        ("GIT_COMMITTER_EMAIL", commit.email),
        ("GIT_AUTHOR_DATE", &date),
        ("GIT_COMMITTER_DATE", &date),
    ];
    let mut arguments = vec!["commit-tree", "--no-gpg-sign", &tree];
    if let Some(head) = &head {
        arguments.extend(["-p", head]);
    }
    let made = plumbing.bytes("commit-tree", &arguments, commit.message.as_bytes(), &who)?;
    let made = String::from_utf8_lossy(&made).trim().to_owned();
    // Only if it is still not there.
    let log = "wharf: from the sandbox";
    let none = "";
    plumbing.run(
        "update-ref",
        &["update-ref", "-m", log, &name, &made, none],
        b"",
    )?;
    Ok(Branched {
        commit: Some(made),
        within,
    })
}

struct Plumbing<'a> {
    git: &'a Git,
    root: &'a Path,
    index: &'a Path,
}

impl Plumbing<'_> {
    /// Puts the spool's files into the index, by the rules of the repository for line ends and
    /// filters. What is not in the spool goes.
    fn take(&self, incoming: &Incoming, prefix: &[u8], paths: &[u8]) -> Result<(), Error> {
        let git_dir = self.run("rev-parse", &["rev-parse", "--absolute-git-dir"], b"")?;
        let top = if prefix.is_empty() {
            incoming.tree.clone()
        } else {
            nested(incoming, prefix).map_err(Error::write(&incoming.tree))?
        };
        let mut command = self.command(&[
            "update-index",
            "--add",
            "--remove",
            "--replace",
            "-z",
            "--stdin",
        ]);
        command
            .current_dir(&top)
            .env("GIT_DIR", git_dir)
            .env("GIT_WORK_TREE", &top);
        finish("update-index", command, paths).map(drop)
    }

    /// Where the index names commits of other repositories, from the top.
    fn links(&self) -> Result<Vec<Vec<u8>>, Error> {
        let arguments = ["ls-files", "-s", "-z", "--full-name", ":/"];
        let out = self.bytes("ls-files", &arguments, b"", &[])?;
        let entries = out.split(|byte| *byte == 0);
        let links = entries.filter(|entry| entry.starts_with(b"160000 "));
        let path = |entry: &[u8]| Some(entry.splitn(2, |byte| *byte == b'\t').nth(1)?.to_vec());
        Ok(links.filter_map(path).collect())
    }

    fn run(&self, step: &'static str, arguments: &[&str], input: &[u8]) -> Result<String, Error> {
        let out = self.bytes(step, arguments, input, &[])?;
        Ok(String::from_utf8_lossy(&out).trim_end().to_owned())
    }

    fn bytes(
        &self,
        step: &'static str,
        arguments: &[&str],
        input: &[u8],
        env: &[(&str, &str)],
    ) -> Result<Vec<u8>, Error> {
        let mut command = self.command(arguments);
        command.current_dir(self.root).envs(env.iter().copied());
        finish(step, command, input)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.git.program);
        command
            .args([
                "-c",
                "core.hooksPath=/dev/null",
                "-c",
                "core.fsmonitor=false",
            ])
            .args(["-c", "core.splitIndex=false"])
            .args(arguments)
            .env_clear()
            .envs(self.git.env.iter().map(|(key, value)| (key, value)))
            .env("GIT_INDEX_FILE", self.index)
            .env("GIT_TERMINAL_PROMPT", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

/// The spool as the repository sees it, where the workspace is a directory of the repository.
fn nested(incoming: &Incoming, prefix: &[u8]) -> std::io::Result<PathBuf> {
    use std::os::unix::ffi::OsStrExt as _;
    let top = incoming.tree.with_file_name("top");
    let place = top.join(std::ffi::OsStr::from_bytes(
        prefix.strip_suffix(b"/").unwrap_or(prefix),
    ));
    if let Some(parent) = place.parent() {
        std::fs::create_dir_all(parent)?;
    }
    // A second branch of the same changes finds it there.
    if !place.exists() {
        copy(&incoming.tree, &place)?;
    }
    Ok(top)
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (kind, place) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &place)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(entry.path())?, place)?;
        } else {
            std::fs::hard_link(entry.path(), place)?;
        }
    }
    Ok(())
}

fn finish(step: &'static str, mut command: Command, input: &[u8]) -> Result<Vec<u8>, Error> {
    let failed = |said: String| Error::Git { step, said };
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    let stdin = child.stdin.take();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(&input)));
    let output = child
        .wait_with_output()
        .map_err(|error| failed(error.to_string()))?;
    // It may have ended before it had read all, and says so itself.
    let _written = writer.join();
    if !output.status.success() {
        return Err(failed(
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        ));
    }
    Ok(output.stdout)
}
