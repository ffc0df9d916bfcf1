//! Paths: where they lead from the working directory, and what kind of place that is.

mod guarded;

pub(crate) use guarded::{holds_credentials, keeps_traces, runs_later};

use crate::analysis::Context;
use crate::walk::arg::UNKNOWN;

/// Stands for a directory that is not known. It lies deep, so that `..` does not reach the root.
const NO_DIRECTORY: &str = "/~/~/~/~/~/~/tree";
/// Bytes of a working directory that is followed.
const MAX_PATH: usize = 1_024;
/// Stands for a home directory that is not known.
const NO_HOME: &str = "/home/~";

/// What kind of place a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// `/`
    Root,
    /// A directory of the system right below the root, or a choice of them.
    SystemRoot,
    /// Somewhere below one.
    System,
    /// A whole home directory, or the directory of all of them.
    HomeRoot,
    /// Somewhere in a home directory, outside of the tree.
    Home,
    /// Any other place outside of the tree.
    Outside,
    /// Somewhere below a directory for temporary files.
    Tmp,
    /// Such a directory itself.
    TmpRoot,
    /// Inside the tree in which work is ordinary.
    Tree,
    /// All of that tree.
    TreeRoot,
    /// Its version-control data.
    TreeGit,
    /// A disk, a partition, memory.
    Disk,
    /// A device that may be read and written freely.
    SafeDevice,
    /// `/dev/tcp`, `/dev/udp`
    Network,
    /// Not known.
    Unknown,
}

/// Directories right below the root that belong to the system.
const SYSTEM_ROOTS: &[&str] = &[
    "bin",
    "boot",
    "dev",
    "etc",
    "lib",
    "lib32",
    "lib64",
    "libx32",
    "lost+found",
    "media",
    "mnt",
    "opt",
    "proc",
    "root",
    "run",
    "sbin",
    "snap",
    "srv",
    "sys",
    "usr",
    "var",
    "System",
    "Library",
    "Applications",
    "private",
];

/// The working directory as it changes, the home directory, the tree.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    cwd: String,
    cwd_known: bool,
    home: String,
    tree: String,
    /// The tree is too wide to be ordinary as a whole.
    wide: bool,
    /// All of it goes when the command ends.
    disposable: bool,
    /// Symbolic links that the text made: where they stand and where they lead.
    links: Vec<(String, String)>,
}

/// Symbolic links that are remembered.
const MAX_LINKS: usize = 16;
/// Bytes of what a link leads to; a system makes none that leads to more.
const MAX_TARGET: usize = 4_096;
/// Links that one path is followed through.
const MAX_HOPS: usize = 8;

impl Place {
    pub(crate) fn new(ctx: &Context<'_>) -> Self {
        let known = |path: Option<&str>| path.filter(|path| path.starts_with('/')).map(normal);
        let home = known(ctx.home).unwrap_or_else(|| NO_HOME.to_owned());
        let cwd = known(ctx.cwd.or(ctx.workspace_root)).unwrap_or_else(|| NO_DIRECTORY.to_owned());
        let tree = known(ctx.workspace_root).unwrap_or_else(|| cwd.clone());
        let wide = is_wide(&tree, &home);
        Self {
            cwd,
            cwd_known: true,
            home,
            tree,
            wide,
            disposable: false,
            links: Vec::new(),
        }
    }

    /// Another machine, in a home directory: nothing there is the tree that work is ordinary in.
    pub(crate) fn remote() -> Self {
        let home = NO_HOME.to_owned();
        Self {
            cwd: home.clone(),
            cwd_known: true,
            tree: home.clone(),
            home,
            wide: true,
            disposable: false,
            links: Vec::new(),
        }
    }

    /// A container, in its working directory; with the host mounted, at its root.
    pub(crate) fn container(host: bool) -> Self {
        Self::new(&Context {
            cwd: host.then_some("/"),
            ..Context::default()
        })
    }

    /// A container that is thrown away, with nothing of the host in it.
    pub(crate) fn throwaway() -> Self {
        Self {
            disposable: true,
            ..Self::container(false)
        }
    }

    pub(crate) fn home(&self) -> &str {
        &self.home
    }

    pub(crate) fn cwd(&self) -> &str {
        if self.cwd_known { &self.cwd } else { "\0" }
    }

    pub(crate) fn tree(&self) -> &str {
        &self.tree
    }

    /// Follows a change of directory.
    pub(crate) fn enter(&mut self, path: &str) {
        if path.contains(UNKNOWN) {
            self.cwd_known = false;
        } else if path.starts_with('/') {
            self.cwd = normal(path);
            self.cwd_known = true;
        } else {
            step(&mut self.cwd, path);
        }
        if !self.links.is_empty() {
            self.cwd = self.follow(&self.cwd);
        }
        if self.cwd.len() > MAX_PATH {
            self.cwd = NO_DIRECTORY.to_owned();
            self.cwd_known = false;
        }
    }

    pub(crate) fn mark(&self) -> (String, bool) {
        (self.cwd.clone(), self.cwd_known)
    }

    pub(crate) fn restore(&mut self, (cwd, known): (String, bool)) {
        self.cwd = cwd;
        self.cwd_known = known;
    }

    /// The absolute path, without `.`, `..` and doubled slashes. May hold [`UNKNOWN`].
    pub(crate) fn resolve(&self, path: &str) -> String {
        let absolute = if path.starts_with('/') {
            normal(path)
        } else {
            let mut absolute = String::with_capacity(self.cwd.len() + 1 + path.len());
            absolute.push_str(&self.cwd);
            step(&mut absolute, path);
            absolute
        };
        match absolute.rsplit_once('/') {
            // What is done to a link itself is not done to what it leads to.
            Some((directory, name)) if !self.links.is_empty() => {
                let directory = self.follow(directory);
                format!("{}/{name}", directory.trim_end_matches('/'))
            }
            _ => absolute,
        }
    }

    /// Remembers a symbolic link that the text makes.
    pub(crate) fn link(&mut self, link: &str, target: &str) {
        if self.links.len() >= MAX_LINKS || target.contains(UNKNOWN) || target.len() > MAX_TARGET {
            return;
        }
        let link = self.resolve(link);
        let from = link.rsplit_once('/').map_or("", |(directory, _)| directory);
        let target = if target.starts_with('/') {
            normal(target)
        } else {
            normal(&format!("{from}/{target}"))
        };
        if target.len() <= MAX_PATH {
            self.links.push((link, target));
        }
    }

    /// Bytes that are copied at most to follow a path through links.
    pub(crate) fn longest_way(&self) -> usize {
        self.links.len().min(1) * MAX_HOPS * MAX_PATH
    }

    /// Where a path leads through the links of the text.
    pub(crate) fn follow(&self, absolute: &str) -> String {
        let mut path = absolute.to_owned();
        for _ in 0..MAX_HOPS {
            let through = self.links.iter().find_map(|(link, target)| {
                let rest = path.strip_prefix(link.as_str())?;
                (rest.is_empty() || rest.starts_with('/')).then(|| format!("{target}{rest}"))
            });
            match through {
                Some(next) => path = normal(&next),
                None => break,
            }
        }
        path
    }

    /// What kind of place a path leads to; `glob` says whether patterns in it act.
    pub(crate) fn class(&self, path: &str, glob: bool) -> Class {
        if path.starts_with(UNKNOWN) {
            return Class::Unknown;
        }
        self.class_at(&self.resolve(path), path, glob)
    }

    /// The same for a path that was resolved already.
    pub(crate) fn class_at(&self, absolute: &str, path: &str, glob: bool) -> Class {
        if path.starts_with(UNKNOWN) {
            return Class::Unknown;
        }
        let relative = !path.starts_with('/');
        if glob {
            self.class_of_pattern(absolute, relative)
        } else {
            self.class_of(absolute, relative)
        }
    }

    fn class_of_pattern(&self, absolute: &str, relative: bool) -> Class {
        if self.disposable {
            return Class::Tmp;
        }
        let Some(at) = absolute
            .split('/')
            .position(|part| part.contains(['*', '?', '[']))
        else {
            return self.class_of(absolute, relative);
        };
        let parts: Vec<&str> = absolute.split('/').collect();
        let prefix = parts.get(..at).unwrap_or_default().join("/");
        let prefix = if prefix.is_empty() { "/" } else { &prefix };
        let pattern = parts.get(at).copied().unwrap_or_default();
        let everything = pattern.chars().all(|c| "*?.[!]^".contains(c));
        let last = parts.len() == at + 1;
        let class = self.class_of(prefix, relative);
        match class {
            Class::Root => Class::SystemRoot,
            Class::HomeRoot if prefix == "/home" || prefix == "/Users" => Class::HomeRoot,
            Class::SystemRoot | Class::TmpRoot | Class::TreeRoot | Class::HomeRoot
                if everything && last =>
            {
                class
            }
            Class::SystemRoot if prefix == "/dev" => Class::Disk,
            Class::SystemRoot => Class::System,
            Class::TmpRoot => Class::Tmp,
            Class::TreeRoot => Class::Tree,
            Class::HomeRoot => Class::Home,
            other => other,
        }
    }

    fn class_of(&self, absolute: &str, relative: bool) -> Class {
        if absolute == "/" && !self.disposable {
            return Class::Root;
        }
        if let Some(device) = absolute.strip_prefix("/dev/")
            && let Some(class) = device_class(device)
        {
            return class;
        }
        if self.disposable {
            return Class::Tmp;
        }
        if relative && !self.cwd_known {
            return self.class_below_unknown(absolute);
        }
        if let Some(class) = self.class_in_tree(absolute) {
            return class;
        }
        if absolute == self.home || matches!(absolute, "/home" | "/root" | "/Users") {
            return Class::HomeRoot;
        }
        for tmp in ["/tmp", "/var/tmp", "/dev/shm", "/private/tmp"] {
            match absolute.strip_prefix(tmp) {
                Some("") => return Class::TmpRoot,
                Some(rest) if rest.starts_with('/') => return Class::Tmp,
                _ => {}
            }
        }
        let mut parts = absolute.trim_start_matches('/').splitn(3, '/');
        let first = parts.next().unwrap_or_default();
        let below = parts.next();
        match (first, below) {
            ("home" | "Users", Some(_)) if parts.next().is_none() => Class::HomeRoot,
            ("home" | "Users" | "root", Some(_)) => Class::Home,
            _ if below_dir(absolute, &self.home) => Class::Home,
            (first, _) if first.starts_with(UNKNOWN) => Class::Unknown,
            (first, None) if SYSTEM_ROOTS.contains(&first) => Class::SystemRoot,
            (first, Some(_)) if SYSTEM_ROOTS.contains(&first) => Class::System,
            _ => Class::Outside,
        }
    }

    fn class_in_tree(&self, absolute: &str) -> Option<Class> {
        if self.wide {
            // `rm -rf *` in such a directory is the loss of it.
            return None;
        }
        if absolute == self.tree {
            return Some(if self.tree == self.home {
                Class::HomeRoot
            } else {
                Class::TreeRoot
            });
        }
        if below_dir(&self.tree, absolute) && below_dir(absolute, "/~") {
            return Some(Class::Outside);
        }
        let rest = absolute
            .strip_prefix(self.tree.as_str())?
            .strip_prefix('/')?;
        if rest == ".git" || rest.starts_with(".git/") || rest.ends_with("/.git") {
            return Some(Class::TreeGit);
        }
        if self.tree == self.home && rest.starts_with('.') {
            return Some(Class::Home);
        }
        Some(Class::Tree)
    }

    /// A relative path while the working directory is not known.
    fn class_below_unknown(&self, absolute: &str) -> Class {
        if absolute == self.cwd {
            return Class::Unknown;
        }
        match absolute
            .strip_prefix(self.cwd.as_str())
            .and_then(|rest| rest.strip_prefix('/'))
        {
            Some(rest) if rest == ".git" || rest.starts_with(".git/") => Class::TreeGit,
            Some(_) => Class::Tree,
            None => Class::Unknown,
        }
    }
}

/// Whether a tree is too wide, or too much the system's own, for work in it to be ordinary.
fn is_wide(tree: &str, home: &str) -> bool {
    const OWN: &[&str] = &[
        "/etc",
        "/boot",
        "/bin",
        "/sbin",
        "/lib",
        "/lib32",
        "/lib64",
        "/dev",
        "/proc",
        "/sys",
        "/usr/bin",
        "/usr/sbin",
        "/usr/lib",
        "/usr/lib64",
        "/usr/share",
        "/usr/local/bin",
        "/usr/local/lib",
        "/var/lib",
        "/var/log",
        "/var/spool",
        "/var/run",
        "/run",
        "/System",
        "/Library",
    ];
    let first = tree.trim_start_matches('/');
    first.is_empty()
        || matches!(
            tree,
            "/home" | "/Users" | "/tmp" | "/usr/local" | "/var/www" | "/var/tmp"
        )
        || (SYSTEM_ROOTS.contains(&first) && tree != home)
        || OWN.iter().any(|own| tree == *own || below_dir(tree, own))
}

fn below_dir(path: &str, dir: &str) -> bool {
    path.strip_prefix(dir)
        .is_some_and(|rest| rest.starts_with('/'))
}

fn device_class(device: &str) -> Option<Class> {
    const SAFE: &[&str] = &[
        "null", "zero", "full", "stdin", "stdout", "stderr", "tty", "random", "urandom", "ptmx",
        "console",
    ];
    const DISKS: &[&str] = &[
        "sd", "hd", "vd", "xvd", "nvme", "mmcblk", "disk", "mapper", "md", "dm-", "loop", "mem",
        "kmem", "port", "sr", "nbd", "rbd", "zvol", "ram", "rdisk", "block", "mtd", "bcache",
        "pmem", "sg", "st",
    ];
    if SAFE.contains(&device)
        || device.starts_with("fd/")
        || device.starts_with("pts/")
        || device.starts_with("tty")
    {
        return Some(Class::SafeDevice);
    }
    if let Some(address) = device
        .strip_prefix("tcp/")
        .or_else(|| device.strip_prefix("udp/"))
        && ["localhost/", "127.0.0.1/", "0/"]
            .iter()
            .any(|host| address.starts_with(host))
    {
        return Some(Class::SafeDevice);
    }
    if device.starts_with("tcp/") || device.starts_with("udp/") {
        return Some(Class::Network);
    }
    if device.starts_with("shm") {
        return None;
    }
    let disk = DISKS.iter().any(|disk| device.starts_with(disk)) || device.starts_with(UNKNOWN);
    disk.then_some(Class::Disk)
}

/// An absolute path without `.`, `..` and doubled slashes.
fn normal(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    step(&mut out, path);
    out
}

/// Goes on from a directory without `.`, `..` and doubled slashes, by a path that may have them.
fn step(out: &mut String, path: &str) {
    if out == "/" {
        out.clear();
    }
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => out.truncate(out.rfind('/').unwrap_or(0)),
            part => {
                out.push('/');
                out.push_str(part);
            }
        }
    }
    if out.is_empty() {
        out.push('/');
    }
}

/// Whether the directory of a path is one that programs are installed in, so that the name of the
/// file says which program it is.
pub(crate) fn is_program_directory(path: &str) -> bool {
    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    let last = directory.rsplit('/').next().unwrap_or_default();
    matches!(last, "bin" | "sbin" | ".bin" | "Scripts" | "shims")
}

#[cfg(test)]
mod tests;
