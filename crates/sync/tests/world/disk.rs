//! A disk that can fail at any call.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::cell::Cell;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use wharf_sync::apply::{Disk, Move, RealDisk};

/// What happens at the call with the chosen number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails, and the calls after it work.
    Once,
    /// It fails, and so does every later one that needs room.
    Full,
    /// The program ends before it.
    Before,
    /// The program ends after it, or after half of it.
    After,
    /// The power goes before it: what was not synced is lost.
    Power,
}

/// A disk that counts its calls.
pub(crate) struct Faulty {
    pub(crate) fault: Option<(usize, Fault)>,
    pub(crate) calls: Cell<usize>,
    /// Two files cannot be exchanged on it.
    pub(crate) no_swap: bool,
    /// What somebody else does before a call.
    pub(crate) meanwhile: Option<(usize, Box<dyn Fn()>)>,
    /// No sync reaches the real disk, which makes thousands of histories possible.
    pub(crate) fast: bool,
    unsynced: std::cell::RefCell<Vec<Unsynced>>,
}

/// What a power cut takes back.
enum Unsynced {
    Content(PathBuf),
    Name {
        dirs: Vec<PathBuf>,
        back: Box<dyn Fn()>,
    },
}

impl Faulty {
    pub(crate) fn new(fault: Option<(usize, Fault)>) -> Self {
        Self {
            fault,
            calls: Cell::new(0),
            no_swap: false,
            meanwhile: None,
            fast: true,
            unsynced: std::cell::RefCell::default(),
        }
    }

    /// Counts a call. Yes when the call is to be done and to be the last one.
    fn count(&self, needs_room: bool) -> io::Result<bool> {
        let call = self.calls.get() + 1;
        self.calls.set(call);
        if let Some((at, act)) = &self.meanwhile
            && *at == call
        {
            act();
        }
        let Some((at, fault)) = self.fault else {
            return Ok(false);
        };
        let dead = || Err(io::Error::other("the program has ended"));
        match fault {
            Fault::Once if call == at => Err(rustix::io::Errno::IO.into()),
            Fault::Full if call >= at && needs_room => Err(rustix::io::Errno::NOSPC.into()),
            Fault::Before if call >= at => dead(),
            Fault::After if call == at => Ok(true),
            Fault::After if call > at => dead(),
            Fault::Power if call == at => {
                self.cut();
                dead()
            }
            Fault::Power if call > at => dead(),
            _ => Ok(false),
        }
    }

    fn cut(&self) {
        for lost in self.unsynced.borrow_mut().drain(..).rev() {
            match lost {
                Unsynced::Content(path) => {
                    if path.exists() {
                        fs::write(path, "").unwrap();
                    }
                }
                Unsynced::Name { back, .. } => back(),
            }
        }
    }

    /// The names in a directory are on the disk. One that concerns two directories is when both
    /// are.
    fn settle(&self, dir: &Path) {
        self.unsynced.borrow_mut().retain_mut(|lost| match lost {
            Unsynced::Name { dirs, .. } => {
                dirs.retain(|other| other != dir);
                !dirs.is_empty()
            }
            Unsynced::Content(_) => true,
        });
    }

    fn named(&self, paths: &[&Path], back: impl Fn() + 'static) {
        if matches!(self.fault, Some((_, Fault::Power))) {
            let dirs = paths.iter().map(|path| path.parent().unwrap().to_owned());
            let dirs = dirs.collect();
            let back = Box::new(back);
            self.unsynced
                .borrow_mut()
                .push(Unsynced::Name { dirs, back });
        }
    }
}

impl Disk for Faulty {
    fn create(&self, path: &Path, mode: u32) -> io::Result<File> {
        self.count(true)?;
        let file = RealDisk.create(path, mode)?;
        let name = path.to_owned();
        self.named(&[path], move || drop(fs::remove_file(&name)));
        if matches!(self.fault, Some((_, Fault::Power))) {
            self.unsynced
                .borrow_mut()
                .push(Unsynced::Content(path.to_owned()));
        }
        Ok(file)
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        let room = self.count(true);
        if matches!(room, Ok(true)) || matches!(self.fault, Some((_, Fault::Full))) && room.is_err()
        {
            RealDisk.write(file, bytes.get(..bytes.len() / 2).unwrap())?;
        }
        if room? {
            return Err(io::Error::other("the program has ended"));
        }
        RealDisk.write(file, bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.count(false)?;
        let real = fs::read_link(format!(
            "/proc/self/fd/{}",
            std::os::fd::AsRawFd::as_raw_fd(file)
        ));
        let real = real?;
        let other = |lost: &Unsynced| !matches!(lost, Unsynced::Content(path) if *path == real);
        self.unsynced.borrow_mut().retain(other);
        if self.fast {
            Ok(())
        } else {
            RealDisk.sync(file)
        }
    }

    fn rename(&self, from: &Path, to: &Path, how: Move) -> io::Result<()> {
        self.count(true)?;
        if how == Move::Swap && self.no_swap {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let displaced = fs::read(to).ok();
        RealDisk.rename(from, to, how)?;
        let (a, b) = (from.to_owned(), to.to_owned());
        self.named(&[from, to], move || {
            if how == Move::Swap {
                // Nothing to take back when one of the two has been removed since.
                let _ = RealDisk.rename(&b, &a, Move::Swap);
                return;
            }
            // Its directory may have gone after it, which is taken back as well.
            fs::create_dir_all(a.parent().unwrap()).unwrap();
            fs::rename(&b, &a).unwrap();
            if let Some(bytes) = &displaced {
                fs::write(&b, bytes).unwrap();
            }
        });
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.count(false)?;
        let bytes = fs::read(path);
        RealDisk.remove(path)?;
        let (name, bytes) = (path.to_owned(), bytes?);
        self.named(&[path], move || fs::write(&name, &bytes).unwrap());
        Ok(())
    }

    fn make_dir(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.count(true)?;
        RealDisk.make_dir(path, mode)?;
        let name = path.to_owned();
        self.named(&[path], move || drop(fs::remove_dir_all(&name)));
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.count(false)?;
        RealDisk.remove_dir(path)?;
        // A directory goes after what was in it.
        self.settle(path);
        let name = path.to_owned();
        self.named(&[path], move || fs::create_dir(&name).unwrap());
        Ok(())
    }

    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.count(false)?;
        RealDisk.set_mode(path, mode)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.count(false)?;
        self.settle(path);
        if self.fast {
            Ok(())
        } else {
            RealDisk.sync_dir(path)
        }
    }
}
