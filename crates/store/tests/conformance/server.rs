//! A real PostgreSQL with files and a port of its own.

use std::io::{BufRead as _, BufReader, Lines};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Who may do everything there.
pub(crate) const OWNER: &str = "wharf";
/// Who is asked for a password.
pub(crate) const GUARDED: &str = "guarded";

/// A running server. It and its files are gone when this is dropped, and also when the process that
/// holds it ends in any other way.
#[derive(Debug)]
pub(crate) struct Server {
    keeper: Child,
    port: u16,
    /// Where its files are, its socket among them.
    dir: PathBuf,
    databases: AtomicU32,
    programs: PathBuf,
}

impl Server {
    /// None where there is no PostgreSQL to test against. In CI that is a failure.
    pub(crate) fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(std::env::var_os("CI").is_none(), "PostgreSQL is missing");
            eprintln!("skipped: PostgreSQL is missing (apt-get install postgresql)");
            return None;
        };
        // Somebody else may take the port between asking and using it.
        let mut complaints = String::new();
        for _ in 0..3 {
            match Self::start_on(&programs, free_port()) {
                Ok(server) => return Some(server),
                Err(said) => complaints.push_str(&said),
            }
        }
        panic!("PostgreSQL does not start:\n{complaints}");
    }

    fn start_on(programs: &Path, port: u16) -> Result<Self, String> {
        let account = rustix::process::geteuid().is_root().then(account);
        let mut command = Command::new("sh");
        command.args(["-c", KEEPER, "sh"]);
        command.arg(programs).arg(port.to_string()).arg(base());
        command.args(["-", GUARDED, OWNER].map(|word| match (word, &account) {
            ("-", Some(account)) => account.as_str(),
            _ => word,
        }));
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // What a terminal or a runner sends to our group would end it before it has cleaned up.
            .process_group(0);
        let mut keeper = command.spawn().unwrap();
        let mut lines = BufReader::new(keeper.stderr.take().unwrap()).lines();
        let mut dir = PathBuf::new();
        let mut said = String::new();
        loop {
            let Some(Ok(line)) = lines.next() else {
                drop(keeper.stdin.take());
                let _ended = keeper.wait();
                return Err(said);
            };
            if let Some(path) = line.strip_prefix("files: ") {
                dir = path.into();
            }
            let is_ready = line.contains("ready to accept connections");
            said.push_str(&line);
            said.push('\n');
            if is_ready {
                break;
            }
        }
        drain(lines);
        let databases = AtomicU32::new(0);
        Ok(Self {
            keeper,
            port,
            dir,
            databases,
            programs: programs.to_owned(),
        })
    }

    /// The URL of a database, by an account that needs no password.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://{OWNER}@127.0.0.1:{}/{database}", self.port)
    }

    /// The same for the account that has a password.
    pub(crate) fn guarded_url(&self, password: &str, database: &str) -> String {
        let port = self.port;
        format!("postgres://{GUARDED}{password}@127.0.0.1:{port}/{database}")
    }

    /// The same through the socket.
    pub(crate) fn socket_url(&self, database: &str) -> String {
        let (port, dir) = (self.port, self.dir.display());
        format!("postgres://{OWNER}@localhost:{port}/{database}?host={dir}")
    }

    /// Makes an empty database in a language whose order is not that of bytes, and gives its name.
    pub(crate) fn make_database(&self) -> String {
        self.make_database_with("ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'en-US'")
    }

    pub(crate) fn make_database_with(&self, options: &str) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("test{number}");
        self.execute(
            "postgres",
            &format!("CREATE DATABASE {name} TEMPLATE template0 {options}"),
        );
        name
    }

    /// Does something in a database that the code under test does not do. What it says.
    pub(crate) fn execute(&self, database: &str, script: &str) -> String {
        let mut command = Command::new(self.programs.join("psql"));
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d"]);
        command.arg(self.url(database)).args(["-c", script]);
        let done = command.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{script}: {said}");
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    /// Offers encryption from now on, with a certificate and its key in PEM.
    pub(crate) fn encrypt(&self, certificate: &str, key: &str) {
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            // Written by the server itself: it takes no key that others could have read.
            let packed = BASE64.encode(text);
            let write = format!("umask 077; base64 -d >{name}");
            let script = format!("COPY (SELECT '{packed}') TO PROGRAM '{write}'");
            self.execute("postgres", &script);
        }
        self.execute("postgres", "ALTER SYSTEM SET ssl = on");
        self.execute("postgres", "SELECT pg_reload_conf()");
        // Told at once, it does so a little later.
        let is_on = || self.execute("postgres", "SHOW ssl") == "on";
        assert!((0..ASKED_MAX).any(|_| is_on()), "it does not encrypt");
    }
}

/// How often a server is asked whether it has read its settings again.
const ASKED_MAX: usize = 1000;

impl Drop for Server {
    fn drop(&mut self) {
        // The keeper does the rest.
        drop(self.keeper.stdin.take());
        let _ended = self.keeper.wait();
    }
}

/// Makes the files, starts the server, and stays until its input ends, which it does however the
/// tests end. Root may not run PostgreSQL and gives it to another account. Making the files takes a
/// second or two, so that they are made once and copied from then on.
const KEEPER: &str = r#"
bin=$1 port=$2 base=$3 account=$4 guarded=$5 owner=$6
export LC_ALL=C
dir=$(mktemp -d "$base/wharf-postgres.XXXXXX") || exit 1
echo "files: $dir" >&2
give_up() { rm -rf "$dir"; exit 1; }
if [ "$account" = - ]; then
    as() { exec "$@"; }
else
    chown "$account" "$dir" || give_up
    as() { exec setpriv --reuid "$account" --regid "$(id -g "$account")" --clear-groups -- "$@"; }
fi
cd "$dir" || give_up
made="${TMPDIR:-/tmp}/wharf-test-$(basename "$(dirname "$bin")")-$(as id -un)"
if [ "$(stat -c %U "$made" 2>/dev/null)" = "$(as id -un)" ]; then
    (as cp -a "$made" "$dir/data") || give_up
else
    (as "$bin/initdb" -D "$dir/data" -U "$owner" -A trust -E UTF8 --locale=C --no-sync \
        --no-instructions >"$dir/log" 2>&1) || { cat "$dir/log" >&2; give_up; }
    # Another test may be faster, which is as good.
    {
        (as cp -a "$dir/data" "$made.$$") && (as mv -nT "$made.$$" "$made")
        (as rm -rf "$made.$$")
    } >/dev/null 2>&1
fi
printf '%s\n' "host all $guarded 127.0.0.1/32 scram-sha-256" 'host all all 127.0.0.1/32 trust' \
    'local all all trust' >"$dir/data/pg_hba.conf"
as "$bin/postgres" -D "$dir/data" -p "$port" -c listen_addresses=127.0.0.1 \
    -c unix_socket_directories="$dir" -c fsync=off -c full_page_writes=off \
    -c synchronous_commit=off -c shared_buffers=16MB -c max_connections=150 \
    -c autovacuum=off -c wal_level=minimal -c max_wal_senders=0 &
server=$!
exec 2>/dev/null
cat >/dev/null
kill -QUIT "$server"
wait "$server"
rm -rf "$dir"
"#;

/// The folder of the newest version's programs.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let version = |path: &PathBuf| -> Option<u32> { path.file_name()?.to_str()?.parse().ok() };
    let folders = versions.filter_map(|entry| Some(entry.ok()?.path()));
    let newest = folders
        .filter(|path| path.join("bin/initdb").exists())
        .max_by_key(version)?;
    Some(newest.join("bin"))
}

/// The account that Debian makes for it, or one that is everywhere.
fn account() -> String {
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap();
    let has_own = accounts.lines().any(|line| line.starts_with("postgres:"));
    if has_own { "postgres" } else { "nobody" }.to_owned()
}

/// In memory where that is possible.
fn base() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let is_ours = tempfile::tempdir_in(memory).is_ok();
    if is_ours {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Reads on, so that the server never waits for somebody to read what it logs. Ends with it.
fn drain(lines: Lines<BufReader<ChildStderr>>) {
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
}
