//! The steps by which the log touches the disk, each one a place where a test can make it fail.

use std::fs::File;
use std::io;
use std::path::Path;

/// What the writer needs of a file system.
pub(super) trait Disk: Send + Sync + 'static {
    /// Opens a file for reading and writing, made if it is absent, 0600.
    fn create(&self, path: &Path) -> io::Result<File>;
    /// Writes some of `bytes` at `offset`.
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// Cuts the file to `len`, giving back what was reserved beyond.
    fn truncate(&self, file: &File, len: u64) -> io::Result<()>;
    /// Takes room for `len` bytes at `offset` without changing the file's length.
    fn reserve(&self, file: &File, offset: u64, len: u64) -> io::Result<()>;
    /// Waits until the file's bytes are on the disk.
    fn sync_data(&self, file: &File) -> io::Result<()>;
    /// Waits until the directory's names are on the disk.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// The disk as it is.
pub(super) struct RealDisk;

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<File> {
        use std::os::unix::fs::OpenOptionsExt as _;
        File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::write_at(file, bytes, offset)
    }

    fn truncate(&self, file: &File, len: u64) -> io::Result<()> {
        file.set_len(len)
    }

    #[cfg(target_os = "linux")]
    fn reserve(&self, file: &File, offset: u64, len: u64) -> io::Result<()> {
        let mode = rustix::fs::FallocateFlags::KEEP_SIZE;
        rustix::io::retry_on_intr(|| rustix::fs::fallocate(file, mode, offset, len))?;
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    fn reserve(&self, _file: &File, _offset: u64, _len: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync_data(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }
}

/// Whether an error says that there is no room: the disk, the quota or the process's file size
/// limit is exhausted.
pub(super) fn is_no_space(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}
