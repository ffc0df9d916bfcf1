//! The files that a sandbox has from its first moment. Written from inside, so that owners are
//! simply those of the sandbox.

use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;

use super::borrowed::Borrowed;
use super::maps::USER;
use super::plan::{Base, Entry, Failure, Named as _, Start, Step};

/// The configuration of sshd.
pub(crate) const SSHD_CONFIG: &str = "/run/wharf/sshd_config";
/// Where the person's work is.
pub(crate) const WORKSPACE: &str = "/home/user/workspace";

const STEP: Step = Step::Files;
/// The longest list of accounts that is read.
const MAX_LIST_BYTES: u64 = 4 * 1024 * 1024;
const OURS: &str = "/run/wharf";
pub(crate) const HOST_KEY: &str = "/run/wharf/host_key";
pub(crate) const AUTHORIZED: &str = "/run/wharf/authorized_keys";
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/programs";

const DIRECTORIES: [(&str, u32); 18] = [
    ("/etc", 0o755),
    ("/etc/pam.d", 0o755),
    ("/etc/sudoers.d", 0o750),
    ("/etc/ssh", 0o755),
    ("/home", 0o755),
    ("/root", 0o700),
    ("/mnt", 0o755),
    ("/opt", 0o755),
    ("/srv", 0o755),
    ("/usr", 0o755),
    ("/var", 0o755),
    ("/var/cache", 0o755),
    ("/var/empty", 0o755),
    ("/var/lib", 0o755),
    ("/var/log", 0o755),
    ("/var/spool", 0o755),
    ("/var/tmp", 0o1777),
    ("/run/sshd", 0o755),
];

const PASSWD: &str = "\
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
bin:x:2:2:bin:/bin:/usr/sbin/nologin
sys:x:3:3:sys:/dev:/usr/sbin/nologin
man:x:6:12:man:/var/cache/man:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
sshd:x:101:65534::/run/sshd:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
";
const USER_PASSWD: &str = "user:x:1000:1000:user:/home/user:/bin/bash\n";

const GROUP: &str = "\
root:x:0:
daemon:x:1:
bin:x:2:
sys:x:3:
tty:x:5:
disk:x:6:
man:x:12:
utmp:x:43:
shadow:x:42:
sudo:x:27:user
www-data:x:33:
staff:x:50:
nogroup:x:65534:
";
const USER_GROUP: &str = "user:x:1000:\n";

/// No password opens an account, and none is closed to a key (a `!` would be).
const SHADOW: &str = "root:*:19000:0:99999:7:::\nsshd:*:19000:0:99999:7:::\n";
const USER_SHADOW: &str = "user:*:19000:0:99999:7:::\n";

const SUDOERS: &str = "\
Defaults env_reset, !fqdn, !lecture, !mail_badpass
Defaults env_keep += \"http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY\"
Defaults secure_path=\"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"
root ALL=(ALL:ALL) ALL
@includedir /etc/sudoers.d
";
const USER_SUDOERS: &str = "user ALL=(ALL:ALL) NOPASSWD: ALL\n";

/// Who is let in is decided by sshd and by sudoers; there are no passwords to ask for.
const PAM: &str = "\
auth     sufficient pam_rootok.so
auth     required   pam_permit.so
account  required   pam_permit.so
password required   pam_deny.so
session  required   pam_permit.so
";
const PAM_OTHER: &str = "\
auth     required pam_deny.so
account  required pam_deny.so
password required pam_deny.so
session  required pam_deny.so
";

const LOGIN_DEFS: &str = "\
UID_MIN 1000
UID_MAX 60000
GID_MIN 1000
GID_MAX 60000
USERGROUPS_ENAB yes
UMASK 022
ENCRYPT_METHOD SHA512
";

const PROFILE: &str = "\
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/programs
export PATH
[ -n \"$BASH_VERSION\" ] && PS1='\\u@\\h:\\w\\$ '
umask 022
";

/// Writes what is missing. A sandbox that is started again has most of it already, and what was
/// changed inside stays as it is.
pub(super) fn write(plan: &Start, borrowed: &Borrowed) -> Result<(), Failure> {
    for (path, mode) in DIRECTORIES {
        directory(path, mode).named(STEP, path)?;
    }
    match plan.base {
        Base::Host => system()
            .and_then(|()| borrowed.write())
            .named(STEP, "/etc")?,
        Base::Image(_) => joined_to_image().named(STEP, "/etc")?,
    }
    network(plan).named(STEP, "/etc/hosts")?;
    home(plan.owners.has_root()).named(STEP, WORKSPACE)?;
    entry(&plan.entry, plan.owners.has_root()).named(STEP, OURS)
}

/// The names under which the programs of `/usr` are looked for.
pub(super) fn lead_to_programs() -> io::Result<()> {
    for (name, to) in [
        ("/bin", "usr/bin"),
        ("/sbin", "usr/sbin"),
        ("/lib", "usr/lib"),
        ("/lib32", "usr/lib32"),
        ("/lib64", "usr/lib64"),
        ("/libx32", "usr/libx32"),
    ] {
        if fs::symlink_metadata(Path::new("/").join(to)).is_ok() {
            link(to, name)?;
        }
    }
    Ok(())
}

/// The files of a system whose programs are the machine's.
fn system() -> io::Result<()> {
    lead_to_programs()?;
    link("../usr/lib/os-release", "/etc/os-release")?;
    link("../proc/self/mounts", "/etc/mtab")?;
    for (path, mode, text) in [
        ("/etc/passwd", 0o644, [PASSWD, USER_PASSWD].concat()),
        ("/etc/group", 0o644, [GROUP, USER_GROUP].concat()),
        ("/etc/shadow", 0o600, [SHADOW, USER_SHADOW].concat()),
        ("/etc/sudoers", 0o440, SUDOERS.to_owned()),
        ("/etc/sudoers.d/wharf", 0o440, USER_SUDOERS.to_owned()),
        ("/etc/pam.d/sudo", 0o644, PAM.to_owned()),
        ("/etc/pam.d/sudo-i", 0o644, PAM.to_owned()),
        ("/etc/pam.d/su", 0o644, PAM.to_owned()),
        ("/etc/pam.d/su-l", 0o644, PAM.to_owned()),
        ("/etc/pam.d/other", 0o644, PAM_OTHER.to_owned()),
        ("/etc/profile", 0o644, PROFILE.to_owned()),
        (
            "/etc/nsswitch.conf",
            0o644,
            "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n".to_owned(),
        ),
        ("/etc/shells", 0o644, "/bin/sh\n/bin/bash\n".to_owned()),
        ("/etc/login.defs", 0o644, LOGIN_DEFS.to_owned()),
    ] {
        if !Path::new(path).exists() {
            file(path, mode, &text)?;
        }
    }
    Ok(())
}

/// What an image may lack: our user, and how it becomes root.
fn joined_to_image() -> io::Result<()> {
    for (path, mode, whole, line) in [
        ("/etc/passwd", 0o644, PASSWD, USER_PASSWD),
        ("/etc/group", 0o644, GROUP, USER_GROUP),
        ("/etc/shadow", 0o640, SHADOW, USER_SHADOW),
    ] {
        match read_list(path) {
            Ok(text) if text.lines().any(|line| line.starts_with("user:")) => {}
            Ok(text) => {
                let end = if text.ends_with('\n') || text.is_empty() {
                    ""
                } else {
                    "\n"
                };
                fs::write(path, [text.as_str(), end, line].concat())?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                file(path, mode, [whole, line].concat())?;
            }
            Err(error) => return Err(error),
        }
    }
    if !Path::new("/etc/sudoers").exists() {
        file("/etc/sudoers", 0o440, SUDOERS)?;
    }
    file("/etc/sudoers.d/wharf", 0o440, USER_SUDOERS)?;
    if !Path::new("/etc/pam.d/sudo").exists() {
        file("/etc/pam.d/sudo", 0o644, PAM)?;
    }
    Ok(())
}

/// A file of accounts. An image has a short one; what somebody inside has made of it may be long.
fn read_list(path: &str) -> io::Result<String> {
    let mut text = String::new();
    let mut file = File::open(path)?.take(MAX_LIST_BYTES + 1);
    file.read_to_string(&mut text)?;
    if u64::try_from(text.len()).is_ok_and(|length| length <= MAX_LIST_BYTES) {
        return Ok(text);
    }
    Err(io::Error::other(format!(
        "{path} is longer than {MAX_LIST_BYTES} bytes"
    )))
}

fn network(plan: &Start) -> io::Result<()> {
    let name = &plan.name;
    file("/etc/hostname", 0o644, format!("{name}\n"))?;
    let hosts = format!("127.0.0.1 localhost {name}\n::1 localhost ip6-localhost\n");
    file("/etc/hosts", 0o644, &hosts)?;
    let servers = plan.name_server.as_deref();
    let servers = servers.map_or(String::new(), |server| format!("nameserver {server}\n"));
    file("/etc/resolv.conf", 0o644, &servers)
}

fn home(has_root: bool) -> io::Result<()> {
    for path in ["/home/user", WORKSPACE] {
        if !Path::new(path).exists() {
            directory(path, 0o755)?;
            if has_root {
                chown(path, Some(USER), Some(USER))?;
            }
        }
    }
    Ok(())
}

/// What belongs to this start alone: keys and the configuration of sshd, in memory.
fn entry(entry: &Entry, has_root: bool) -> io::Result<()> {
    directory(OURS, 0o755)?;
    file(HOST_KEY, 0o600, &entry.host_key)?;
    let mut keys = entry.authorized.join("\n");
    keys.push('\n');
    file(AUTHORIZED, 0o644, &keys)?;
    file(SSHD_CONFIG, 0o600, configuration(entry, has_root))
}

/// What sshd is told.
pub(crate) fn configuration(entry: &Entry, has_root: bool) -> String {
    let users = if has_root { "root user" } else { "user" };
    let mut text = format!(
        "HostKey {HOST_KEY}\n\
         AuthorizedKeysFile {AUTHORIZED}\n\
         AllowUsers {users}\n\
         PidFile none\n\
         UsePAM no\n\
         UseDNS no\n\
         PermitRootLogin prohibit-password\n\
         PubkeyAuthentication yes\n\
         PasswordAuthentication no\n\
         KbdInteractiveAuthentication no\n\
         MaxSessions 100\n\
         X11Forwarding no\n\
         PrintMotd no\n\
         PrintLastLog no\n\
         AcceptEnv LANG LC_* TERM COLORTERM\n\
         Subsystem sftp internal-sftp\n\
         SetEnv"
    );
    // The first word of a name is the one that holds.
    let has_path = entry.environment.iter().any(|(name, _)| name == "PATH");
    if !has_path {
        text.push_str(&format!(" \"PATH={PATH}\""));
    }
    for (name, value) in &entry.environment {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"");
        text.push_str(&format!(" \"{name}={value}\""));
    }
    text.push('\n');
    text
}

fn directory(path: &str, mode: u32) -> io::Result<()> {
    match fs::create_dir(path) {
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(mode)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn link(to: impl AsRef<Path>, name: impl AsRef<Path>) -> io::Result<()> {
    match symlink(to, name) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Writes a file anew, unless it is as it should be: on a full disk there is no room for another.
/// What stands in its place is removed and not written through.
fn file(path: impl AsRef<Path>, mode: u32, text: impl AsRef<[u8]>) -> io::Result<()> {
    let (path, text) = (path.as_ref(), text.as_ref());
    if is_already(path, mode, text) {
        return Ok(());
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    file.write_all(text)?;
    file.set_permissions(Permissions::from_mode(mode))
}

fn is_already(path: &Path, mode: u32, text: &[u8]) -> bool {
    let found = fs::symlink_metadata(path);
    // The length first: what somebody inside has put there may be larger than memory.
    let is_alike = found.is_ok_and(|found| {
        found.is_file()
            && found.permissions().mode() & 0o7777 == mode
            && usize::try_from(found.len()).is_ok_and(|length| length == text.len())
    });
    is_alike && fs::read(path).is_ok_and(|there| there == text)
}
