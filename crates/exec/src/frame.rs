//! Messages between the server, the zygote and the shims: one packet each on a socket that keeps
//! packet borders, with descriptors attached.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

/// The largest packet; what is larger travels in a memory file.
pub(crate) const MAX_PACKET: usize = 64 * 1024;
/// The most descriptors in one packet.
pub(crate) const MAX_FDS: usize = 6;

/// Writes byte strings and numbers.
#[derive(Default)]
pub(crate) struct Encoder(Vec<u8>);

impl Encoder {
    pub(crate) fn new(kind: u8) -> Self {
        Self(vec![kind])
    }

    pub(crate) fn number(&mut self, value: u32) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.number(u32::try_from(value.len()).unwrap_or(u32::MAX));
        self.0.extend_from_slice(value);
        self
    }

    pub(crate) fn list<'a>(
        &mut self,
        values: impl ExactSizeIterator<Item = &'a [u8]>,
    ) -> &mut Self {
        self.number(u32::try_from(values.len()).unwrap_or(u32::MAX));
        for value in values {
            self.bytes(value);
        }
        self
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

/// Reads them back. Both ends are the same program, so that a malformed packet is a bug, which is
/// answered with `None` rather than a panic.
pub(crate) struct Decoder<'a>(&'a [u8]);

impl<'a> Decoder<'a> {
    pub(crate) fn new(packet: &'a [u8]) -> Option<(u8, Self)> {
        packet.split_first().map(|(kind, rest)| (*kind, Self(rest)))
    }

    pub(crate) fn number(&mut self) -> Option<u32> {
        let (head, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*head))
    }

    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }

    pub(crate) fn list(&mut self) -> Option<Vec<&'a [u8]>> {
        let count = self.number()?;
        (0..count).map(|_| self.bytes()).collect()
    }
}

/// Sends one packet with descriptors. A payload over [`MAX_PACKET`] goes into a memory file whose
/// descriptor comes last.
pub(crate) fn send(socket: impl AsFd, payload: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    if payload.len() <= MAX_PACKET {
        return send_packet(socket, payload, fds);
    }
    let file = rustix::fs::memfd_create("wharf-frame", rustix::fs::MemfdFlags::CLOEXEC)?;
    let mut written = 0;
    while let Some(rest) = payload.get(written..).filter(|rest| !rest.is_empty()) {
        written += rustix::io::pwrite(&file, rest, u64::try_from(written).unwrap_or(u64::MAX))?;
    }
    let mut all: Vec<BorrowedFd<'_>> = fds.to_vec();
    all.push(file.as_fd());
    send_packet(socket, &[IN_FILE], &all)
}

/// The kind of a packet whose payload is in the attached memory file.
const IN_FILE: u8 = 0xff;

fn send_packet(socket: impl AsFd, payload: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS + 1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::other("too many descriptors for one packet"));
    }
    loop {
        let sent = rustix::net::sendmsg(
            &socket,
            &[IoSlice::new(payload)],
            &mut control,
            SendFlags::NOSIGNAL,
        );
        match sent {
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Receives one packet into `buffer`; `None` when the other end is gone.
pub(crate) fn receive(
    socket: impl AsFd,
    buffer: &mut Vec<u8>,
    fds: &mut Vec<OwnedFd>,
) -> io::Result<Option<()>> {
    // Packets are small as a rule: to look at the length first is cheaper than to clear 64 KiB.
    let length = loop {
        let flags = RecvFlags::PEEK | RecvFlags::TRUNC;
        match rustix::net::recv(&socket, &mut [0_u8; 1], flags) {
            Ok((_, length)) => break length,
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::CONNRESET) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    };
    buffer.clear();
    buffer.resize(length.min(MAX_PACKET), 0);
    fds.clear();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS + 1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let length = loop {
        let received = rustix::net::recvmsg(
            &socket,
            &mut [IoSliceMut::new(buffer)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        );
        match received {
            Ok(message) => break message.bytes,
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::CONNRESET) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    };
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            fds.extend(received);
        }
    }
    if length == 0 {
        return Ok(None);
    }
    buffer.truncate(length);
    if buffer.as_slice() == [IN_FILE] {
        let file = fds
            .pop()
            .ok_or_else(|| io::Error::other("a packet without its file"))?;
        read_file(&file, buffer)?;
    }
    Ok(Some(()))
}

fn read_file(file: &OwnedFd, buffer: &mut Vec<u8>) -> io::Result<()> {
    let size = usize::try_from(rustix::fs::fstat(file)?.st_size).unwrap_or(0);
    buffer.clear();
    buffer.resize(size, 0);
    let mut at = 0;
    while let Some(rest) = buffer.get_mut(at..).filter(|rest| !rest.is_empty()) {
        let read = rustix::io::pread(file, rest, u64::try_from(at).unwrap_or(u64::MAX))?;
        if read == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        at += read;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::*;

    fn pair() -> (OwnedFd, OwnedFd) {
        socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .unwrap()
    }

    #[test]
    fn carries_words_and_descriptors_of_any_size() {
        let (a, b) = pair();
        for size in [0, 1, MAX_PACKET - 100, MAX_PACKET, 3 * MAX_PACKET] {
            let word = vec![7_u8; size];
            let mut frame = Encoder::new(3);
            frame
                .bytes(&word)
                .number(9)
                .list([b"x".as_slice(), b"".as_slice()].into_iter());
            send(&a, frame.as_slice(), &[a.as_fd(), b.as_fd()]).unwrap();
            let (mut buffer, mut fds) = (Vec::new(), Vec::new());
            receive(&b, &mut buffer, &mut fds).unwrap().unwrap();
            let (kind, mut decoder) = Decoder::new(&buffer).unwrap();
            assert_eq!((kind, fds.len()), (3, 2));
            assert_eq!(decoder.bytes().unwrap(), word);
            assert_eq!(decoder.number(), Some(9));
            assert_eq!(decoder.list().unwrap(), [b"x".as_slice(), b""]);
            assert_eq!(decoder.number(), None);
        }
    }

    #[test]
    fn says_when_the_other_end_is_gone() {
        let (a, b) = pair();
        drop(a);
        assert!(
            receive(&b, &mut Vec::new(), &mut Vec::new())
                .unwrap()
                .is_none()
        );
    }
}
