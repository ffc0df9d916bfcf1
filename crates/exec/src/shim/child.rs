//! The shim's own side: one thread, one loop, one command at a time.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::Access;
use rustix::process::{Pid, WaitOptions, WaitStatus};
use wharf_linux::process::{Leads, child_signals, spawn};

use super::{kind, stage};
use crate::frame::{self, Decoder, Encoder};
use crate::tree;
use crate::zygote::{drain, encode_status, wait_for_either};

/// What runs a script that has no `#!` line, as a shell would.
const SCRIPT_SHELL: [&str; 3] = ["/bin/bash", "--noprofile", "--norc"];
/// Where programs are looked for when the environment has no `PATH`.
const DEFAULT_PATH: &[u8] = b"/usr/local/bin:/usr/bin:/bin";

pub(crate) fn main(socket: OwnedFd, base_env: &[CString], default_cwd: &Path) -> i32 {
    let _cosmetic = rustix::thread::set_name(c"wharf-shim");
    let own = rustix::process::getpid();
    let signals = match child_signals() {
        Ok(signals) if rustix::process::set_child_subreaper(Some(own)).is_ok() => signals,
        _ => return 1,
    };
    let shim = Shim {
        socket,
        signals,
        base_env,
        default_cwd,
        own: own.as_raw_nonzero().get(),
    };
    match shim.serve() {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

struct Shim<'a> {
    socket: OwnedFd,
    signals: OwnedFd,
    base_env: &'a [CString],
    default_cwd: &'a Path,
    own: i32,
}

/// The command being served.
struct Command {
    first: Pid,
    status: Option<WaitStatus>,
    /// Its end was said; only stragglers are left.
    said: bool,
}

impl Shim<'_> {
    /// Serves until the server is gone, and then ends the tree, however that was noticed.
    fn serve(&self) -> io::Result<()> {
        let served = self.serve_until_gone();
        self.kill_all();
        served
    }

    fn serve_until_gone(&self) -> io::Result<()> {
        let (mut buffer, mut fds) = (Vec::new(), Vec::new());
        let mut command: Option<Command> = None;
        loop {
            let (asked, changed) = wait_for_either(&self.socket, &self.signals, -1)?;
            if changed {
                drain(&self.signals);
                self.reap(&mut command)?;
            }
            if asked {
                match frame::receive(&self.socket, &mut buffer, &mut fds) {
                    Ok(Some(())) => {}
                    Ok(None) | Err(_) => return Ok(()),
                }
                let fds = std::mem::take(&mut fds);
                self.obey(&buffer, fds, &mut command)?;
            }
        }
    }

    fn obey(
        &self,
        packet: &[u8],
        fds: Vec<OwnedFd>,
        command: &mut Option<Command>,
    ) -> io::Result<()> {
        match Decoder::new(packet) {
            Some((kind::LAUNCH, mut fields)) => match self.launch(&mut fields, &fds) {
                Ok((first, wants_pid)) => {
                    *command = Some(Command {
                        first,
                        status: None,
                        said: false,
                    });
                    let raw = u32::try_from(first.as_raw_nonzero().get()).unwrap_or(0);
                    if wants_pid {
                        self.say(kind::STARTED, &[raw])
                    } else {
                        Ok(())
                    }
                }
                Err((at, error)) => {
                    let number = error.raw_os_error().unwrap_or(libc::EIO);
                    self.say(kind::FAILED, &[at, u32::try_from(number).unwrap_or(0)])
                }
            },
            Some((kind::SIGNAL, mut fields)) => {
                let signal = i32::try_from(fields.number().unwrap_or(0)).unwrap_or(0);
                tree::signal(&tree::descendants(self.own), signal);
                Ok(())
            }
            Some((kind::KILL, _)) => {
                tree::kill_until_gone(|| {
                    let _ended = self.reap(command);
                    tree::descendants(self.own)
                });
                self.reap(command)
            }
            _ => Ok(()),
        }
    }

    fn launch(
        &self,
        fields: &mut Decoder<'_>,
        fds: &[OwnedFd],
    ) -> Result<(Pid, bool), (u32, io::Error)> {
        let malformed = || (stage::START, io::Error::from_raw_os_error(libc::EINVAL));
        let wants_pid = fields.number().ok_or_else(malformed)? != 0;
        let cwd = fields.bytes().ok_or_else(malformed)?;
        let file = fields.bytes().ok_or_else(malformed)?;
        let argv = fields.list().ok_or_else(malformed)?;
        let names = fields.list().ok_or_else(malformed)?;
        let values = fields.list().ok_or_else(malformed)?;
        let [stdin, stdout, stderr] = fds else {
            return Err(malformed());
        };

        let cwd = if cwd.is_empty() {
            self.default_cwd
        } else {
            Path::new(OsStr::from_bytes(cwd))
        };
        rustix::process::chdir(cwd).map_err(|error| (stage::CWD, error.into()))?;
        let env = self.environment(&names, &values);
        let first = argv.first().copied().ok_or_else(malformed)?;
        let path = find(if file.is_empty() { first } else { file }, &env)
            .map_err(|error| (stage::FIND, error))?;
        let words = argv
            .iter()
            .map(|word| CString::new(*word))
            .collect::<Result<Vec<_>, _>>();
        let words = words.map_err(|_| malformed())?;
        let stdio = [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()];
        let first = match spawn(&path, &words, &env, stdio, Leads::Group) {
            Err(error) if error.raw_os_error() == Some(libc::ENOEXEC) => {
                let mut script: Vec<CString> = SCRIPT_SHELL
                    .iter()
                    .filter_map(|word| CString::new(*word).ok())
                    .collect();
                script.push(path.clone());
                script.extend(words.into_iter().skip(1));
                let shell = script.first().cloned().unwrap_or(path);
                spawn(&shell, &script, &env, stdio, Leads::Group)
            }
            result => result,
        };
        first
            .map(|pid| (pid, wants_pid))
            .map_err(|error| (stage::START, error))
    }

    /// The base environment with the command's own variables in it.
    fn environment(&self, names: &[&[u8]], values: &[&[u8]]) -> Vec<CString> {
        let overridden = |entry: &CString| {
            let name = entry.as_bytes().split(|byte| *byte == b'=').next();
            name.is_some_and(|name| names.contains(&name))
        };
        let own = names
            .iter()
            .zip(values)
            .filter_map(|(name, value)| CString::new([name, b"=".as_slice(), value].concat()).ok());
        self.base_env
            .iter()
            .filter(|entry| !overridden(entry))
            .cloned()
            .chain(own)
            .collect()
    }

    /// Reaps what has ended, and says so when it was the command or its last straggler.
    fn reap(&self, command: &mut Option<Command>) -> io::Result<()> {
        let others = loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    if let Some(command) = command.as_mut().filter(|command| command.first == pid) {
                        command.status = Some(status);
                    }
                }
                Ok(None) => break true,
                Err(_no_children) => break false,
            }
        };
        let Some(current) = command.as_mut() else {
            return Ok(());
        };
        let Some(status) = current.status else {
            return Ok(());
        };
        if !current.said {
            current.said = true;
            self.say(kind::EXITED, &[encode_status(status), u32::from(others)])?;
            if !others {
                *command = None;
            }
        } else if !others {
            self.say(kind::GONE, &[])?;
            *command = None;
        }
        Ok(())
    }

    fn kill_all(&self) {
        tree::kill_until_gone(|| {
            while matches!(rustix::process::wait(WaitOptions::NOHANG), Ok(Some(_))) {}
            tree::descendants(self.own)
        });
    }

    fn say(&self, packet_kind: u8, numbers: &[u32]) -> io::Result<()> {
        let mut frame = Encoder::new(packet_kind);
        for number in numbers {
            frame.number(*number);
        }
        frame::send(&self.socket, frame.as_slice(), &[])
    }
}

/// Finds the program as a shell would: along `PATH`, unless the name has a slash.
fn find(name: &[u8], env: &[CString]) -> io::Result<CString> {
    let executable = |path: &Path| {
        rustix::fs::access(path, Access::EXEC_OK)
            .map_err(io::Error::from)
            .and_then(|()| {
                if path.is_dir() {
                    Err(io::Error::from_raw_os_error(libc::EISDIR))
                } else {
                    Ok(())
                }
            })
    };
    let own = |path: PathBuf| {
        CString::new(path.into_os_string().as_bytes())
            .map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
    };
    if name.contains(&b'/') {
        let path = Path::new(OsStr::from_bytes(name));
        return executable(path).and_then(|()| own(path.to_owned()));
    }
    let path = env
        .iter()
        .find_map(|entry| entry.as_bytes().strip_prefix(b"PATH="));
    let mut denied = None;
    for directory in path.unwrap_or(DEFAULT_PATH).split(|byte| *byte == b':') {
        let directory = if directory.is_empty() {
            b".".as_slice()
        } else {
            directory
        };
        let candidate = Path::new(OsStr::from_bytes(directory)).join(OsStr::from_bytes(name));
        match executable(&candidate) {
            Ok(()) => return own(candidate),
            Err(error) if error.raw_os_error() == Some(libc::EACCES) => denied = Some(error),
            Err(_) => {}
        }
    }
    Err(denied.unwrap_or_else(|| io::Error::from_raw_os_error(libc::ENOENT)))
}
