//! The writer on a disk that fails: at every step, and for lack of space.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tempfile::TempDir;

use super::disk::{Disk, RealDisk};
use super::limits::CLOSE_ROOM_BYTES;
use super::{AuditError, AuditLog, CloseRoom, Durability, Head, Options, Position, Reader, verify};

/// How a step fails.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// Nothing happens, and an error is told.
    Before,
    /// A write stops in the middle, and the rest fails.
    Midway,
    /// It and every later step fails: the disk is gone.
    Forever,
}

#[test]
fn a_fault_at_any_step_leaves_the_old_or_the_new_state() {
    for fault in [Fault::Before, Fault::Midway, Fault::Forever] {
        let steps = (0..200).take_while(|step| survives(fault, *step)).count();
        assert!((20..200).contains(&steps), "{fault:?}: {steps} steps");
    }
}

/// Runs a story with a fault at `step` and checks what is on the disk. False when the story ended
/// before that step.
fn survives(fault: Fault, step: usize) -> bool {
    let dir = TempDir::new().unwrap();
    let disk = FakeDisk::failing(fault, step);
    let mut acknowledged = vec![Head::GENESIS];
    if let Ok((log, _)) = AuditLog::open_on(dir.path(), SMALL, || disk.boxed()) {
        tell_the_story(&log, dir.path(), &mut acknowledged);
        // The half line was cut off at once, unless the disk refused that as well.
        let torn = verify(dir.path(), None).unwrap().torn_bytes;
        assert!(
            torn == 0 || fault == Fault::Forever,
            "{fault:?} at {step}: {torn} bytes torn"
        );
    }
    let reached = disk.state.lock().unwrap().steps > step;

    // The process has died here; another one opens what is left, on a disk that works again.
    let (log, recovery) = AuditLog::open(dir.path(), SMALL).unwrap();
    let known = *acknowledged.last().unwrap();
    let report = verify(dir.path(), Some(known)).unwrap();
    assert!(report.is_intact(), "{fault:?} at {step}: {report:?}");
    // A write that was done although the disk then failed to take it back may remain.
    assert!(recovery.head.seq - known.seq <= 1, "{fault:?} at {step}");
    log.append("after", 1, &json!({})).unwrap();
    assert!(verify(dir.path(), Some(known)).unwrap().is_intact());
    reached
}

fn tell_the_story(log: &AuditLog, dir: &Path, acknowledged: &mut Vec<Head>) {
    let mut rooms: Vec<CloseRoom> = Vec::new();
    for n in 0..13 {
        // A long line that fails half-way must not show behind a short one that follows.
        let pad = if n % 2 == 0 { 1_500 } else { 1 };
        let body = json!({"n": n, "pad": "x".repeat(pad)});
        let appended = match n % 3 {
            0 => log.append("plain", n, &body),
            1 => log.open_entry("open", n, &body).map(|(entry, room)| {
                rooms.push(room);
                entry
            }),
            _ => match rooms.last_mut() {
                Some(room) => log.close_entry(room, "close", n, &body),
                None => continue,
            },
        };
        acknowledged.extend(appended.ok());
        // Whatever happened, a reader sees exactly what was acknowledged.
        let mut reader = Reader::from_position(dir, Position::START);
        for expected in acknowledged.iter().skip(1) {
            assert_eq!(reader.next_record().unwrap().unwrap().head(), *expected);
        }
        assert_eq!(reader.next_record().unwrap(), None);
        assert_eq!(log.head(), *acknowledged.last().unwrap());
    }
}

#[test]
fn a_full_disk_refuses_openings_and_still_takes_every_closing() {
    for can_reserve in [true, false] {
        let dir = TempDir::new().unwrap();
        let disk = FakeDisk::of_size(100_000, can_reserve);
        let (log, _) = AuditLog::open_on(dir.path(), ONE_FILE, || disk.boxed()).unwrap();

        // Open until the disk is full.
        let mut rooms = Vec::new();
        let refused = loop {
            match log.open_entry("open", 1, &json!({"pad": "x".repeat(300)})) {
                Ok((_, room)) => rooms.push(room),
                Err(error) => break error,
            }
        };
        assert!(matches!(refused, AuditError::NoSpace { .. }), "{refused:?}");
        assert!((15..25).contains(&rooms.len()), "{} opened", rooms.len());
        let full = log.head();

        // Others take what is left.
        disk.fill();
        assert!(matches!(
            log.append("plain", 1, &json!({})),
            Ok(_) | Err(AuditError::NoSpace { .. })
        ));
        assert!(matches!(
            log.reserve_close(),
            Err(AuditError::NoSpace { .. })
        ));

        // Every closing entry of the greatest promised length fits.
        let closing = json!({"pad": "x".repeat(usize::try_from(CLOSE_ROOM_BYTES).unwrap() - 250)});
        let opened = rooms.len();
        for room in &mut rooms {
            log.close_entry(room, "close", 2, &closing).unwrap();
        }
        let report = verify(dir.path(), Some(full)).unwrap();
        assert!(report.is_intact(), "{report:?}");
        assert!(report.entries >= (2 * opened) as u64);
        let refused = log.open_entry("open", 3, &json!({"pad": "x".repeat(5_000)}));
        assert!(
            matches!(refused, Err(AuditError::NoSpace { .. })),
            "{refused:?}"
        );

        // Space returns, and so does service, without opening again.
        disk.state.lock().unwrap().size = 1_000_000;
        let (entry, _room) = log.open_entry("open", 4, &json!({})).unwrap();
        assert!(verify(dir.path(), Some(entry)).unwrap().is_intact());
    }
}

#[test]
fn what_a_cut_gives_back_is_reserved_again() {
    let dir = TempDir::new().unwrap();
    let disk = FakeDisk::of_size(100_000, true);
    let (log, _) = AuditLog::open_on(dir.path(), ONE_FILE, || disk.boxed()).unwrap();
    let (_, mut room) = log.open_entry("open", 1, &json!({})).unwrap();

    let now = disk.state.lock().unwrap().steps;
    disk.state.lock().unwrap().fault = Some((Fault::Midway, now));
    let failed = log.append("plain", 1, &json!({}));
    assert!(
        matches!(failed, Err(AuditError::Write { .. })),
        "{failed:?}"
    );

    disk.fill();
    let closing = json!({"pad": "x".repeat(3_500)});
    log.close_entry(&mut room, "close", 2, &closing).unwrap();
}

#[test]
fn a_log_opens_on_a_full_disk_and_serves_when_there_is_room() {
    let dir = TempDir::new().unwrap();
    let disk = FakeDisk::of_size(0, true);
    let (log, _) = AuditLog::open_on(dir.path(), ONE_FILE, || disk.boxed()).unwrap();
    assert!(matches!(
        log.append("k", 1, &json!({})),
        Err(AuditError::NoSpace { .. })
    ));
    disk.state.lock().unwrap().size = 100_000;
    assert_eq!(log.append("k", 1, &json!({})).unwrap().seq, 1);
}

#[test]
fn a_segment_that_cannot_be_left_is_used_on() {
    let dir = TempDir::new().unwrap();
    let disk = FakeDisk::of_size(40_000, true);
    let (log, _) = AuditLog::open_on(dir.path(), SMALL, || disk.boxed()).unwrap();
    let mut rooms = Vec::new();
    while let Ok((_, room)) = log.open_entry("open", 1, &json!({"pad": "x".repeat(100)})) {
        rooms.push(room);
    }
    // All that is promised would have to be there twice to begin another file.
    for room in &mut rooms {
        log.close_entry(room, "close", 2, &json!({"pad": "x".repeat(3_500)}))
            .unwrap();
    }
    assert!(verify(dir.path(), Some(log.head())).unwrap().is_intact());
}

#[test]
fn room_that_is_not_used_is_free_again() {
    let dir = TempDir::new().unwrap();
    let disk = FakeDisk::of_size(20_000, true);
    let (log, _) = AuditLog::open_on(dir.path(), ONE_FILE, || disk.boxed()).unwrap();
    for _ in 0..1_000 {
        drop(log.reserve_close().unwrap());
    }
    let rooms: Vec<CloseRoom> = std::iter::from_fn(|| log.reserve_close().ok()).collect();
    assert_eq!(rooms.len(), 4);
}

#[tokio::test]
async fn a_flush_that_fails_is_told_to_all_who_wait_and_stops_the_log() {
    let dir = TempDir::new().unwrap();
    let disk = FakeDisk::of_size(1_000_000, true);
    let options = Options {
        durability: Durability::Full,
        ..ONE_FILE
    };
    let (log, _) = AuditLog::open_on(dir.path(), options, || disk.boxed()).unwrap();
    let safe = log.append_durable("k", 1, &json!({})).await.unwrap();

    disk.state.lock().unwrap().sync_fails = true;

    let failed = log.append_durable("k", 2, &json!({})).await;
    assert!(matches!(failed, Err(AuditError::Sync { .. })), "{failed:?}");
    // What was safe before still is; what comes now is refused before it is written.
    log.durable(safe.seq).await.unwrap();
    let refused = log.append("k", 3, &json!({}));
    assert!(
        matches!(refused, Err(AuditError::Sync { .. })),
        "{refused:?}"
    );
    assert_eq!(log.head().seq, 2);
}

const SMALL: Options = Options {
    durability: Durability::Process,
    segment_bytes: 1_000,
    reserve_bytes: 8_192,
};
const ONE_FILE: Options = Options {
    durability: Durability::Process,
    segment_bytes: 1 << 30,
    reserve_bytes: 8_192,
};

/// A disk that counts steps and bytes.
#[derive(Clone)]
struct FakeDisk {
    state: Arc<Mutex<State>>,
}

struct State {
    steps: usize,
    fault: Option<(Fault, usize)>,
    sync_fails: bool,
    /// Bytes that all files may take together, reserved ones included.
    size: u64,
    can_reserve: bool,
    /// How far each file, by inode, reaches.
    taken: HashMap<u64, u64>,
}

impl FakeDisk {
    fn failing(fault: Fault, step: usize) -> Self {
        let disk = Self::of_size(u64::MAX, true);
        disk.state.lock().unwrap().fault = Some((fault, step));
        disk
    }

    fn of_size(size: u64, can_reserve: bool) -> Self {
        let (steps, fault, sync_fails, taken) = (0, None, false, HashMap::new());
        let state = State {
            steps,
            fault,
            sync_fails,
            size,
            can_reserve,
            taken,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Somebody else takes all that is free.
    fn fill(&self) {
        let mut state = self.state.lock().unwrap();
        state.size = state.taken.values().sum();
    }

    fn boxed(&self) -> Box<dyn Disk> {
        Box::new(self.clone())
    }

    /// Counts a step. Tells how it fails, when it does.
    fn step(&self) -> Option<Fault> {
        let mut state = self.state.lock().unwrap();
        state.steps += 1;
        let (fault, at) = state.fault?;
        let now = state.steps - 1;
        (now == at || (now > at && fault == Fault::Forever)).then_some(fault)
    }

    fn check(&self) -> io::Result<()> {
        self.step()
            .map_or(Ok(()), |_| Err(io::Error::other("injected")))
    }

    /// Lets a file reach to `end`, or as far as there is room: then says how far.
    fn take(&self, file: &File, end: u64) -> io::Result<u64> {
        let inode = file.metadata()?.ino();
        let mut state = self.state.lock().unwrap();
        let used: u64 = state.taken.values().sum();
        let free = state.size.saturating_sub(used);
        let reached = state.taken.entry(inode).or_default();
        *reached = end.min(*reached + free).max(*reached);
        Ok(*reached)
    }
}

impl Disk for FakeDisk {
    fn create(&self, path: &Path) -> io::Result<File> {
        self.check()?;
        RealDisk.create(path)
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let fault = self.step();
        if fault == Some(Fault::Midway) {
            // The rest of the line is the next step, which fails as well.
            let mut state = self.state.lock().unwrap();
            state.fault = Some((Fault::Before, state.steps));
            drop(state);
            return RealDisk.write_at(file, &bytes[..bytes.len() / 2], offset);
        }
        if fault.is_some() {
            return Err(io::Error::other("injected"));
        }
        let reached = self.take(file, offset + bytes.len() as u64)?;
        let fits = usize::try_from(reached.saturating_sub(offset))
            .unwrap()
            .min(bytes.len());
        if fits == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        RealDisk.write_at(file, &bytes[..fits], offset)
    }

    fn truncate(&self, file: &File, len: u64) -> io::Result<()> {
        self.check()?;
        self.state
            .lock()
            .unwrap()
            .taken
            .insert(file.metadata()?.ino(), len);
        RealDisk.truncate(file, len)
    }

    fn reserve(&self, file: &File, offset: u64, len: u64) -> io::Result<()> {
        self.check()?;
        if !self.state.lock().unwrap().can_reserve {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let before = self.take(file, 0)?;
        if self.take(file, offset + len)? < offset + len {
            self.state
                .lock()
                .unwrap()
                .taken
                .insert(file.metadata()?.ino(), before);
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn sync_data(&self, file: &File) -> io::Result<()> {
        self.check()?;
        if self.state.lock().unwrap().sync_fails {
            return Err(io::Error::other("injected"));
        }
        RealDisk.sync_data(file)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.check()?;
        RealDisk.sync_dir(dir)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.check()?;
        RealDisk.remove(path)
    }
}
