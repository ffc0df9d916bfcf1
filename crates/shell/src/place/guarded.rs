//! Files that matter whatever place they are in: they hold credentials, run later by themselves, or
//! keep traces. By their names, and by patterns that match them.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::Place;
use crate::table::Table;
use crate::walk::arg::UNKNOWN;

/// Files that a pattern is held against, in a home directory.
const GUARDED_HOME: &[&str] = &[
    ".ssh/id_rsa",
    ".ssh/id_ed25519",
    ".ssh/authorized_keys",
    ".aws/credentials",
    ".netrc",
    ".npmrc",
    ".pgpass",
    ".git-credentials",
    ".docker/config.json",
    ".kube/config",
    ".config/gh/hosts.yml",
    ".bashrc",
    ".profile",
    ".bash_history",
];
/// The same in the tree.
const GUARDED_TREE: &[&str] = &[".git", ".git/config", ".git/hooks/pre-commit", ".env"];
/// The same in the system.
const GUARDED_SYSTEM: &[&str] = &["/etc/shadow", "/etc/gshadow", "/root/.ssh/id_rsa"];

/// Ends of paths, and what may stand inside of them. They are compared with every path of a
/// command, so that no more than one look at each is taken.
struct Paths {
    /// The ends by their last names.
    ends: Table<&'static str, Vec<&'static str>>,
    inside: Option<AhoCorasick>,
}

impl Paths {
    fn new(ends: impl IntoIterator<Item = &'static str>, inside: &[&'static str]) -> Self {
        let mut by_name: Table<&'static str, Vec<&'static str>> = Table::default();
        for end in ends {
            let name = end.rsplit('/').next().unwrap_or_default();
            by_name.entry(name).or_default().push(end);
        }
        let kind = AhoCorasickKind::ContiguousNFA;
        Self {
            ends: by_name,
            inside: AhoCorasick::builder().kind(Some(kind)).build(inside).ok(),
        }
    }

    fn has_end(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or_default();
        let ends = self.ends.get(name);
        ends.is_some_and(|ends| ends.iter().any(|end| path.ends_with(end)))
    }

    /// Whether one of the insides stands in the path.
    fn holds(&self, path: &str) -> bool {
        let inside = self.inside.as_ref();
        inside.is_none_or(|inside| inside.is_match(path))
    }
}

impl Place {
    /// The directory of such a path that a pattern may match.
    pub(crate) fn matched_directory(&self, path: &str) -> Option<String> {
        let absolute = self.resolve(path);
        let home = GUARDED_HOME
            .iter()
            .map(|file| format!("{}/{file}", self.home));
        let tree = GUARDED_TREE
            .iter()
            .map(|file| format!("{}/{file}", self.tree));
        home.chain(tree)
            .filter_map(|file| file.rsplit_once('/').map(|(dir, _)| dir.to_owned()))
            .find(|dir| *dir != self.home && *dir != self.tree && matches_path(&absolute, dir))
    }

    /// Paths that matter and that a pattern may match: `~/.s?h/id_*`, `.g[i]t`.
    pub(crate) fn matched(&self, path: &str) -> Vec<String> {
        let absolute = self.resolve(path);
        let home = GUARDED_HOME
            .iter()
            .map(|file| format!("{}/{file}", self.home));
        let tree = GUARDED_TREE
            .iter()
            .map(|file| format!("{}/{file}", self.tree));
        let system = GUARDED_SYSTEM.iter().map(|file| (*file).to_owned());
        home.chain(tree)
            .chain(system)
            .filter(|file| matches_path(&absolute, file))
            .collect()
    }
}

/// Whether an absolute path names a place that usually holds credentials.
pub(crate) fn holds_credentials(absolute: &str) -> bool {
    const ENDS: &[&str] = &[
        "/etc/shadow",
        "/etc/gshadow",
        "/etc/sudoers",
        "/.aws/credentials",
        "/.netrc",
        "/_netrc",
        "/.pgpass",
        "/.git-credentials",
        "/.npmrc",
        "/.pypirc",
        "/.docker/config.json",
        "/.kube/config",
        "/.vault-token",
        "/.my.cnf",
        "/.config/gh/hosts.yml",
        "/.cargo/credentials",
        "/.cargo/credentials.toml",
        "/.gem/credentials",
        "/.env",
        "/.env.local",
        "/.env.production",
        "/.env.prod",
        "/.boto",
        "/.s3cfg",
        "/.terraformrc",
        "/.claude/.credentials.json",
        "/.codex/auth.json",
        "/credentials.json",
        "/Login Data",
        "/logins.json",
        "/key4.db",
        "/master.key",
        "/id_rsa",
        "/id_ed25519",
        "/id_ecdsa",
        "/id_dsa",
        "/kubeconfig",
        "/admin.conf",
        "/application_default_credentials.json",
        "/.config/rclone/rclone.conf",
        "/.htpasswd",
        "/.m2/settings.xml",
        "/.m2/settings-security.xml",
        "/.gradle/gradle.properties",
        "/.composer/auth.json",
        "/.config/composer/auth.json",
        "/.ivy2/.credentials",
        "/.sbt/.credentials",
        "/.bundle/config",
        "/.kaggle/kaggle.json",
        "/.huggingface/token",
        "/.cache/huggingface/token",
        "/.databrickscfg",
        "/.snowsql/config",
        "/.config/doctl/config.yaml",
        "/.config/hub",
        "/.oci/config",
        "/.fly/config.yml",
        "/.authinfo",
        "/.authinfo.gpg",
        "/.msmtprc",
        "/.fetchmailrc",
        "/.smbcredentials",
        "/.vnc/passwd",
        "/.Xauthority",
        "/.config/heroku/credentials",
        "/.wgetrc",
        "/.dockercfg",
        "/.influxdbv2/configs",
        "/.chef/knife.rb",
        "/.config/sops/age/keys.txt",
        "/etc/krb5.keytab",
        "/.mylogin.cnf",
    ];
    const INSIDE: &[&str] = &[
        "/.gnupg/",
        "/.config/gcloud/",
        "/.azure/",
        "/.password-store/",
        "/etc/ssl/private/",
        "/.mozilla/firefox/",
        "/.local/share/keyrings/",
        "/Library/Keychains/",
        "/.config/google-chrome/",
        "/run/secrets/",
        "/var/run/secrets/",
        "/etc/sudoers.d/",
    ];
    if let Some((_, key)) = absolute.rsplit_once("/.ssh/") {
        let harmless =
            matches!(key, "known_hosts" | "config" | "authorized_keys") || key.ends_with(".pub");
        return !harmless;
    }
    if absolute.starts_with("/proc/") && absolute.ends_with("/environ") {
        return true;
    }
    if absolute.starts_with("/etc/ssh/") && absolute.contains("_key") && !absolute.ends_with(".pub")
    {
        return true;
    }
    if absolute.ends_with(".pem")
        || absolute.ends_with(".p12")
        || absolute.ends_with(".pfx")
        || absolute.ends_with(".keystore")
        || absolute.ends_with(".key")
        || absolute.ends_with(".jks")
    {
        let name = absolute.rsplit('/').next().unwrap_or_default();
        let public = ["cert", "chain", "ca.", "ca-", "pub", "crt"];
        let private = ["priv", "key"];
        return !absolute.starts_with("/usr/share/")
            && (private.iter().any(|word| name.contains(word))
                || !public.iter().any(|word| name.contains(word)));
    }
    let homes = [
        ".ssh",
        ".gnupg",
        ".aws",
        ".password-store",
        ".kube",
        ".azure",
    ];
    let name = absolute.rsplit('/').next().unwrap_or_default();
    static PATHS: LazyLock<Paths> = LazyLock::new(|| {
        let directories = INSIDE.iter().map(|inside| inside.trim_end_matches('/'));
        Paths::new(ENDS.iter().copied().chain(directories), INSIDE)
    });
    homes.contains(&name) || PATHS.has_end(absolute) || PATHS.holds(absolute)
}

/// Whether code in this file runs later by itself, or decides who may enter.
pub(crate) fn runs_later(absolute: &str) -> bool {
    const ENDS: &[&str] = &[
        "/.bashrc",
        "/.bash_profile",
        "/.bash_login",
        "/.bash_logout",
        "/.profile",
        "/.zshrc",
        "/.zshenv",
        "/.zprofile",
        "/.zlogin",
        "/.kshrc",
        "/.cshrc",
        "/.tcshrc",
        "/.login",
        "/.xinitrc",
        "/.xprofile",
        "/.bash_aliases",
        "/.inputrc",
        "/.gitconfig",
        "/.config/git/config",
        "/.vimrc",
        "/.ssh/authorized_keys",
        "/.ssh/rc",
        "/.ssh/config",
        "/.ssh/environment",
        "/etc/crontab",
        "/etc/rc.local",
        "/etc/profile",
        "/etc/bash.bashrc",
        "/etc/environment",
        "/etc/ld.so.preload",
        "/.config/fish/config.fish",
        "/.git/config",
        "/.pam_environment",
        "/etc/inittab",
        "/.npmrc",
        "/.pythonrc",
        "/.emacs",
    ];
    const INSIDE: &[&str] = &[
        "/etc/cron",
        "/var/spool/cron",
        "/etc/systemd/",
        "/lib/systemd/",
        "/.config/systemd/",
        "/etc/init.d/",
        "/etc/profile.d/",
        "/.config/autostart/",
        "/etc/xdg/autostart/",
        "/.git/hooks/",
        "/etc/ld.so.conf.d/",
        "/LaunchAgents/",
        "/LaunchDaemons/",
        "/etc/udev/rules.d/",
        "/etc/pam.d/",
        "/etc/sudoers",
        "/etc/apt/apt.conf.d/",
        "/etc/update-motd.d/",
        "/.config/fish/conf.d/",
        "/etc/NetworkManager/dispatcher.d/",
        "/.local/bin/",
        "/etc/anacrontab",
        "/.husky/_/",
    ];
    let python = absolute.ends_with(".pth");
    let started = ["/sitecustomize.py", "/usercustomize.py"];
    static PATHS: LazyLock<Paths> = LazyLock::new(|| Paths::new(ENDS.iter().copied(), INSIDE));
    PATHS.has_end(absolute)
        || PATHS.holds(absolute)
        || python && (absolute.contains(UNKNOWN) || absolute.contains("-packages/"))
        || started.iter().any(|file| absolute.ends_with(file))
            && (absolute.contains(UNKNOWN) || absolute.contains("/lib"))
}

/// Whether the file keeps what a person typed, or the log of a system.
pub(crate) fn keeps_traces(absolute: &str) -> bool {
    const ENDS: &[&str] = &[
        "/.bash_history",
        "/.zsh_history",
        "/.python_history",
        "/.mysql_history",
        "/.psql_history",
        "/.local/share/fish/fish_history",
        "/.lesshst",
    ];
    ENDS.iter().any(|end| absolute.ends_with(end))
        || absolute == "/var/log"
        || absolute.starts_with("/var/log/")
        || matches!(absolute, "/var/run/utmp")
}

/// Whether a pattern for paths matches this one, part by part, as a shell has it: what begins with
/// a dot is matched by a dot only.
fn matches_path(pattern: &str, path: &str) -> bool {
    let mut parts = path.split('/');
    for pattern in pattern.split('/') {
        let Some(part) = parts.next() else {
            return false;
        };
        let hidden = part.starts_with('.') && !pattern.starts_with('.');
        if hidden || !matches_name(pattern.as_bytes(), part.as_bytes()) {
            return false;
        }
    }
    parts.next().is_none()
}

/// `*`, `?` and `[…]` in one name. A set may match any letter that stands between its brackets, and
/// one with a range or a negation any at all.
fn matches_name(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while n < name.len() {
        let fits = match (pattern.get(p), name.get(n)) {
            (Some(b'*'), _) => {
                retry = Some((p + 1, n));
                p += 1;
                continue;
            }
            (Some(b'?'), _) => Some(1),
            (Some(b'['), Some(letter)) => {
                let rest = pattern.get(p + 1..).unwrap_or_default();
                rest.iter().position(|b| *b == b']').and_then(|end| {
                    let set = rest.get(..end).unwrap_or_default();
                    let any = set.iter().any(|b| matches!(b, b'-' | b'!' | b'^' | b':'));
                    (any || set.contains(letter)).then_some(end + 2)
                })
            }
            (Some(a), Some(b)) => (a == b).then_some(1),
            _ => None,
        };
        match (fits, retry) {
            (Some(length), _) => {
                p += length;
                n += 1;
            }
            (None, Some((after, from))) => {
                p = after;
                n = from + 1;
                retry = Some((after, from + 1));
            }
            (None, None) => return false,
        }
    }
    pattern
        .get(p..)
        .is_none_or(|rest| rest.iter().all(|b| *b == b'*'))
}
