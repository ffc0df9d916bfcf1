//! One stream from the far side, and the mark in it at which a command's output ends.

use std::io;

use memchr::memmem;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::shell::report::{self, Found};

/// What one read takes.
const READ_BYTES: usize = 32 * 1024;
/// Stands behind a mark when the report does not.
const APART: u8 = b'.';

/// A stream whose bytes are handed on as they come, up to a mark that is dropped.
pub(crate) struct Flow {
    /// Kept beyond its end: a channel all of whose streams are gone is closed, and then nobody
    /// hears any more how its command ended.
    reader: Box<dyn AsyncRead + Send + Unpin>,
    is_over: bool,
    /// What was read and not handed on: it could be the beginning of the mark, or is behind it.
    held: Vec<u8>,
    /// What is looked for; empty when nothing is.
    mark: Vec<u8>,
    chunk: Vec<u8>,
    /// What may stand behind the mark is still to be looked at.
    is_reporting: bool,
}

impl Flow {
    pub(crate) fn new(reader: Box<dyn AsyncRead + Send + Unpin>) -> Self {
        Self {
            reader,
            is_over: false,
            held: Vec::new(),
            mark: Vec::new(),
            chunk: Vec::new(),
            is_reporting: false,
        }
    }

    /// The far side writes no more.
    pub(crate) const fn closed(&self) -> bool {
        self.is_over
    }

    /// From here on, what comes is handed on until `mark`.
    pub(crate) fn look_for(&mut self, mark: &str) {
        self.mark.clear();
        self.mark.extend_from_slice(mark.as_bytes());
        self.is_reporting = false;
    }

    /// The same, and behind the mark a report or a word that it is elsewhere.
    pub(super) fn look_for_report(&mut self, mark: &str) {
        self.look_for(mark);
        self.is_reporting = true;
    }

    /// All up to the mark and what belongs to it was seen, or will never be.
    pub(crate) const fn passed(&self) -> bool {
        self.mark.is_empty() && !self.is_reporting || self.is_over
    }

    /// The report behind the mark, when it is there.
    pub(super) fn report(&mut self) -> Found {
        if !self.is_reporting || !self.mark.is_empty() || self.held.is_empty() {
            return Found::Nothing;
        }
        if self.held.first() == Some(&APART) {
            self.held.drain(..1);
            self.is_reporting = false;
            return Found::Nothing;
        }
        let found = report::take(&mut self.held);
        self.is_reporting = matches!(found, Found::Nothing);
        found
    }

    /// The mark was seen.
    pub(crate) const fn found(&self) -> bool {
        self.mark.is_empty()
    }

    /// Waits for one read. Safe to drop and call again. [`Self::take`] says what is there then.
    pub(crate) async fn read(&mut self) {
        if self.is_over {
            return std::future::pending().await;
        }
        self.chunk.clear();
        self.chunk.reserve(READ_BYTES);
        match self.reader.read_buf(&mut self.chunk).await {
            Ok(0) => self.is_over = true,
            Ok(_) => {
                self.held.append(&mut self.chunk);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => self.is_over = true,
        }
    }

    /// Hands on what is certainly before the mark. Behind a mark that was seen, nothing is.
    pub(crate) fn take(&mut self, mut sink: impl FnMut(&[u8])) {
        if self.held.is_empty() || self.mark.is_empty() {
            return;
        }
        if let Some(at) = memmem::find(&self.held, &self.mark) {
            sink(self.held.get(..at).unwrap_or_default());
            self.held.drain(..at.saturating_add(self.mark.len()));
            self.mark.clear();
            return;
        }
        let keep = if self.is_over {
            0
        } else {
            overlap(&self.held, &self.mark)
        };
        let ready = self.held.len().saturating_sub(keep);
        sink(self.held.get(..ready).unwrap_or_default());
        self.held.drain(..ready);
    }

    /// What is there, whatever it is: where no mark is looked for.
    pub(crate) fn take_all(&mut self, into: &mut Vec<u8>) {
        into.append(&mut self.held);
    }

    /// Waits until there is something, or the end.
    pub(crate) async fn is_there(&mut self) {
        while self.held.is_empty() && !self.closed() {
            self.read().await;
        }
    }

    /// Drops what is there.
    pub(crate) fn drop_all(&mut self) {
        self.held.clear();
    }

    /// The next byte that is there, where no mark is looked for.
    pub(crate) fn take_one(&mut self) -> Option<u8> {
        let first = self.held.first().copied()?;
        self.held.remove(0);
        Some(first)
    }

    /// Hands on everything until the far side writes no more.
    pub(crate) async fn read_rest(&mut self, mut sink: impl FnMut(&[u8])) {
        loop {
            sink(&self.held);
            self.held.clear();
            if self.closed() {
                return;
            }
            self.read().await;
        }
    }
}

/// The length of the longest end of `bytes` with which `mark` begins.
fn overlap(bytes: &[u8], mark: &[u8]) -> usize {
    let longest = mark.len().saturating_sub(1).min(bytes.len());
    (1..=longest)
        .rev()
        .find(|length| {
            let end = bytes.len().saturating_sub(*length);
            bytes.get(end..) == mark.get(..*length)
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is handed on of `parts` up to the mark, and what is left.
    async fn through(parts: &[&str], mark: &str) -> (String, String, bool) {
        let (reader, mut writer) = tokio::io::duplex(1024);
        let mut flow = Flow::new(Box::new(reader));
        flow.look_for(mark);
        let mut said = Vec::new();
        for part in parts {
            tokio::io::AsyncWriteExt::write_all(&mut writer, part.as_bytes())
                .await
                .unwrap();
            flow.read().await;
            flow.take(|bytes| said.extend_from_slice(bytes));
        }
        let mut rest = Vec::new();
        flow.take_all(&mut rest);
        (
            String::from_utf8(said).unwrap(),
            String::from_utf8(rest).unwrap(),
            flow.passed(),
        )
    }

    #[tokio::test]
    async fn a_mark_is_found_wherever_it_is_cut() {
        for cut in 0..=8 {
            let text = "abMARKcd";
            let (first, second) = text.split_at(cut);
            let parts: Vec<&str> = [first, second]
                .into_iter()
                .filter(|p| !p.is_empty())
                .collect();
            let (said, rest, passed) = through(&parts, "MARK").await;
            assert_eq!(
                (said.as_str(), rest.as_str(), passed),
                ("ab", "cd", true),
                "{cut}"
            );
        }
    }

    #[tokio::test]
    async fn what_only_begins_like_a_mark_is_handed_on() {
        let (said, rest, passed) = through(&["abMA", "xMMAR", "MARK"], "MARK").await;
        assert_eq!(
            (said.as_str(), rest.as_str(), passed),
            ("abMAxMMAR", "", true)
        );
        let (said, rest, passed) = through(&["abMA"], "MARK").await;
        assert_eq!((said.as_str(), rest.as_str(), passed), ("ab", "MA", false));
    }

    /// A report as a shell writes it.
    const REPORT: &[u8] = b"\x007\0/\0 1.25 d\x000 hB 0\0\0";

    #[tokio::test]
    async fn a_report_behind_the_mark_is_told_from_output_wherever_it_is_cut() {
        let sent = [b"out\0.MARK".as_slice(), REPORT, b".rest"].concat();
        for cut in 1..sent.len() {
            let (reader, mut writer) = tokio::io::duplex(1024);
            let mut flow = Flow::new(Box::new(reader));
            flow.look_for_report("MARK");
            let (mut said, mut reports) = (Vec::new(), Vec::new());
            for part in [&sent[..cut], &sent[cut..]] {
                tokio::io::AsyncWriteExt::write_all(&mut writer, part)
                    .await
                    .unwrap();
                flow.read().await;
                flow.take(|bytes| said.extend_from_slice(bytes));
                if let Found::Report(report) = flow.report() {
                    assert!(flow.passed(), "{cut}");
                    reports.push((report.number, report.tick, report.left));
                }
            }
            let mut rest = Vec::new();
            flow.take_all(&mut rest);
            assert_eq!(
                (said.as_slice(), rest.as_slice()),
                (&b"out\0."[..], &b".rest"[..])
            );
            assert_eq!(reports, [(Some(7), Some(125), "d".to_owned())], "{cut}");
        }
    }

    #[tokio::test]
    async fn a_report_that_is_elsewhere_is_said_to_be() {
        let (reader, mut writer) = tokio::io::duplex(1024);
        let mut flow = Flow::new(Box::new(reader));
        flow.look_for_report("MARK");
        for (part, passed) in [("out MARK", false), (".\0rest", true)] {
            tokio::io::AsyncWriteExt::write_all(&mut writer, part.as_bytes())
                .await
                .unwrap();
            flow.read().await;
            flow.take(|_| {});
            assert!(matches!(flow.report(), Found::Nothing));
            assert_eq!((flow.found(), flow.passed()), (true, passed));
        }
        let mut rest = Vec::new();
        flow.take_all(&mut rest);
        assert_eq!(rest, b"\0rest");
    }
}
