//! Lines to records: each line gets its rank, in one pass over each stream.

use super::blocks::{Block, Of, Open, Step};
use super::families::{Class, class_of};
use super::frames::Frames;
use super::judged::Judged;
use super::levels::{Level, level};
use super::lines::{Segment, clean, segments};
use super::manner::Manner;
use super::marks::{is_bar_only, is_coded, is_heading, is_located, is_marked, peel};
use super::progress::{dots, is_progress};
use super::records::{Kind, Rank, Record, Weight};
use super::shapes::{Shapes, hash};
use super::words::Words;
use super::{Input, Stream};

/// Lines of one shape that are shown before the rest of them counts as repetition.
pub(super) const SHOWN_OF_A_SHAPE: u64 = 4;

/// Lines that a failure outside of any block pulls along, before and after it.
const NEAR_LINES: usize = 2;

/// Notes of a compiler on one error that are shown; a template can bring a hundred.
const SHOWN_NOTES: u32 = 2;

/// Failures that pull lines along; where there are more, they explain each other.
const MAX_EXPLAINED: usize = 40;

/// How far back the heading of an indented failure is looked for, in records.
const HEADING_REACH: usize = 60;

/// All lines of an output, ranked.
pub(super) struct Scanned {
    pub(super) records: Vec<Record>,
    /// Lines of both streams.
    pub(super) lines: u64,
    /// A stream that holds no text, with its size.
    pub(super) binary: Vec<(Stream, usize)>,
}

impl Scanned {
    /// Bytes of all of it as a person sees it, without states that were written over.
    pub(super) fn plain_bytes(&self) -> usize {
        self.records.iter().map(|record| record.bytes + 1).sum()
    }
}

/// Ranks the lines of an output.
pub(super) fn scan(input: &Input<'_>, manner: Manner, failing: bool) -> Scanned {
    let mut scanned = Scanned {
        records: Vec::new(),
        lines: 0,
        binary: Vec::new(),
    };
    let mut evident = 0;
    for (stream, bytes) in [
        (Stream::Stdout, input.stdout),
        (Stream::Stderr, input.stderr),
    ] {
        if is_binary(bytes) {
            scanned.binary.push((stream, bytes.len()));
            continue;
        }
        // What a listing lists is no message, whatever its names say.
        let lists = manner != Manner::Work && stream == Stream::Stdout;
        let mut scanner = Scanner::new(stream, manner, failing, lists, scanned.records);
        let end = tail(bytes);
        let mut lines = 0;
        for segment in segments(bytes) {
            lines = segment.line;
            scanner.ending = segment.start >= end;
            scanner.line(&segment);
        }
        scanned.lines += lines;
        evident += scanner.evident;
        scanned.records = scanner.records;
    }
    // `make | tee log` ends with 0; when a tool said that it failed, its words count after all.
    if !failing && manner == Manner::Work && evident > 0 {
        for record in scanned.records.iter_mut().filter(|record| record.worded) {
            (record.rank, record.kind) = (Rank::Failure, Kind::Failure);
        }
    }
    scanned
}

/// Lines at the end of a stream that are shown though they are like those above: how it ended.
const LAST_LINES: usize = 2;

/// Where the last lines of a stream begin.
fn tail(bytes: &[u8]) -> usize {
    let text = bytes.trim_ascii_end();
    let breaks = memchr::memrchr_iter(b'\n', text);
    breaks.take(LAST_LINES).last().map_or(0, |at| at + 1)
}

/// Bytes that are looked at for the question whether a stream is text.
const BINARY_SAMPLE: usize = 8_192;

/// More than a tenth of control characters other than those that terminals know.
fn is_binary(bytes: &[u8]) -> bool {
    let sample = bytes.get(..BINARY_SAMPLE).unwrap_or(bytes);
    let control = |byte: &&u8| matches!(**byte, 0..=6 | 14..=26 | 28..=31 | 127);
    sample.iter().filter(control).count() * 10 > sample.len()
}

struct Scanner {
    stream: Stream,
    manner: Manner,
    failing: bool,
    lists: bool,
    records: Vec<Record>,
    /// First record of this stream.
    first: usize,
    open: Option<Open>,
    /// The heading that the lines stand under, until a failure has used it.
    head: Option<usize>,
    /// The last line without indentation.
    top: Option<usize>,
    near_after: usize,
    failures: usize,
    evident: usize,
    shapes: Shapes,
    /// Shapes of what told of failures.
    told: Shapes,
    /// Shapes of what a log told of failures.
    logged: Shapes,
    warnings: Shapes,
    /// The last warning is shown, and so is its place.
    warned: bool,
    frames: Frames,
    /// Notes since the last failure.
    notes: u32,
    /// What the last failure was is said.
    messages: bool,
    /// The last lines of the stream are read.
    ending: bool,
}

impl Scanner {
    fn new(
        stream: Stream,
        manner: Manner,
        failing: bool,
        lists: bool,
        records: Vec<Record>,
    ) -> Self {
        Self {
            stream,
            manner,
            failing,
            lists,
            first: records.len(),
            records,
            open: None,
            head: None,
            top: None,
            near_after: 0,
            failures: 0,
            evident: 0,
            shapes: Shapes::default(),
            told: Shapes::of_names(),
            logged: Shapes::default(),
            warnings: Shapes::of_names(),
            warned: false,
            frames: Frames::default(),
            notes: 0,
            messages: false,
            ending: false,
        }
    }

    fn line(&mut self, segment: &Segment<'_>) {
        let text = clean(segment.text);
        if text.trim_start().is_empty() {
            if self.open.as_mut().is_some_and(|open| !open.blank()) {
                self.open = None;
            }
            self.push(segment, "", &Judged::noise(Kind::Blank));
            return;
        }
        let body = peel(&text);
        let indent = body.len() - body.trim_start().len();
        let judged = if segment.superseded {
            self.written_over(&text)
        } else {
            self.judge(&text, body, indent)
        };
        let judged = self.weighed(judged, &text);
        let at = self.push(segment, &text, &judged);
        self.pull_along(at, indent, &judged);
        if judged.head {
            self.head = Some(at);
        }
        if indent == 0 && judged.rank != Rank::Noise {
            self.top = Some(at);
        }
    }

    /// A failure that was told of often, in the same words, says less each time.
    fn weighed(&mut self, mut judged: Judged, text: &str) -> Judged {
        if judged.rank == Rank::Failure
            && judged.weight == Weight::Headline
            && self.told.count(text) > SHOWN_OF_A_SHAPE
        {
            judged.weight = Weight::Again;
        }
        judged
    }

    /// A state that another was written over is progress, unless it is a message.
    fn written_over(&self, text: &str) -> Judged {
        if !self.lists && Words::of(text).message {
            Judged::failure()
        } else {
            Judged::noise(Kind::Progress)
        }
    }

    fn judge(&mut self, text: &str, body: &str, indent: usize) -> Judged {
        let words = Words::of(text);
        let levelled = level(body);
        if self.lists {
            return self.listed(text, words, levelled);
        }
        // What a log says of itself counts more than the words of its messages.
        match levelled {
            Some(Level::Failed) => {
                self.open = None;
                return self.evident_failure(text);
            }
            Some(Level::Calm) if self.open.is_none() => return self.calm(text),
            _ => {}
        }
        let class = class_of(body);
        if let Some(mut open) = self.open.take() {
            let step = open.step(body, indent);
            if step != Step::Over {
                return self.inside(open, step, class, words, body, indent);
            }
        }
        match class {
            Some(class) => self.classed(class, text, words, indent),
            None => self.unknown(text, body, words, indent),
        }
    }

    /// A line of a listing or of a content.
    fn listed(&mut self, text: &str, words: Words, levelled: Option<Level>) -> Judged {
        if self.manner == Manner::Content && levelled == Some(Level::Failed) {
            return self.evident_failure(text);
        }
        if self.manner == Manner::Content && words.message {
            return Judged::new(Rank::Warning, Kind::Other);
        }
        if self.manner == Manner::Listing && is_bar_only(text) {
            return Judged::noise(Kind::Progress);
        }
        Judged::new(Rank::Plain, Kind::Other)
    }

    /// A line inside the open block.
    fn inside(
        &mut self,
        mut open: Open,
        step: Step,
        class: Option<Class>,
        words: Words,
        body: &str,
        indent: usize,
    ) -> Judged {
        let warning = open.of() == Of::Warning;
        let note = open.of() == Of::Note;
        let foreign = self.frames.is_foreign(body);
        let says_failure = self.tells(words) && (words.strong || !(warning || note));
        let mut judged = match class {
            Some(Class::Pass(kind)) => Judged::noise(kind),
            _ if foreign => Judged::noise(Kind::Trace),
            Some(Class::Open(block)) if !warning || words.message => {
                if open.is_section() {
                    open.restart();
                } else if let Some(inner) = Open::new(block, Of::Failure, indent) {
                    open = inner;
                }
                Judged::opens(block)
            }
            Some(Class::Fail | Class::Sum) => Judged::failure(),
            _ if says_failure
                || (!warning && !note && (is_marked(body) || step == Step::Message)) =>
            {
                let message = words.message || body.starts_with("E  ");
                let first = message && !self.messages;
                self.messages |= message;
                // The end of a traceback names the exception; a summary lists what failed.
                let named = open.is_over() || open.of() == Of::Detail && indent == 0;
                let weight = match first {
                    _ if words.message && named => Weight::Headline,
                    true => Weight::Message,
                    false => Weight::Detail,
                };
                Judged {
                    weight,
                    ..Judged::failure()
                }
            }
            _ if warning && self.warned && body.trim_start().starts_with("--> ") => {
                Judged::new(Rank::Warning, Kind::WarningDetail)
            }
            _ if warning => Judged::noise(Kind::WarningDetail),
            _ if open.of() == Of::Note && self.notes > SHOWN_NOTES => Judged::noise(Kind::Note),
            _ if step == Step::Beyond => Judged::new(Rank::Plain, Kind::Excerpt),
            _ => Judged::new(Rank::Excerpt, Kind::Excerpt),
        };
        if is_heading(body) && body.contains(" Captured ") {
            open.restart_captured();
        } else if is_heading(body) {
            open.restart();
        }
        judged.depth = open.depth();
        self.open = Some(open);
        judged
    }

    /// A line that a rule knows.
    fn classed(&mut self, class: Class, text: &str, words: Words, indent: usize) -> Judged {
        match class {
            Class::Pass(kind) => Judged::noise(kind),
            Class::Noise(kind) | Class::Step(kind) => {
                let mut judged = if self.failing && words.message {
                    Judged::failure()
                } else {
                    Judged::noise(kind)
                };
                judged.worded = words.message;
                judged.head = matches!(class, Class::Step(_));
                judged
            }
            Class::Fail => self.evident_failure(text),
            Class::Sum => {
                if self.tells(words) {
                    self.evident_failure(text)
                } else {
                    Judged::new(Rank::Failure, Kind::Other)
                }
            }
            Class::Open(block) => {
                self.open = Open::new(block, Of::Failure, indent);
                Judged {
                    weight: Judged::opens(block).weight,
                    ..self.evident_failure(text)
                }
            }
            Class::Detail(block) => {
                self.open = Open::new(block, Of::Detail, indent);
                if self.tells(words) {
                    Judged::failure()
                } else {
                    Judged::new(Rank::Excerpt, Kind::Excerpt)
                }
            }
            Class::Warn(block) => {
                self.open = Open::new(block, Of::Warning, indent);
                self.warning(text)
            }
            Class::Note(block) => {
                self.notes += 1;
                self.open = Open::new(block, Of::Note, indent);
                if self.failing && words.strong {
                    Judged::failure()
                } else if self.notes > SHOWN_NOTES {
                    Judged::noise(Kind::Note)
                } else {
                    Judged::new(Rank::Excerpt, Kind::Excerpt)
                }
            }
            Class::Head if self.tells(words) => Judged::failure(),
            Class::Head => Judged {
                head: true,
                ..Judged::new(Rank::Plain, Kind::Other)
            },
            Class::Near if self.failing && words.strong => Judged::failure(),
            Class::Near => Judged::new(Rank::Near, Kind::Other),
        }
    }

    /// A line that no rule knows: its words and its form decide.
    fn unknown(&mut self, text: &str, body: &str, words: Words, indent: usize) -> Judged {
        if let Some(failed) = dots(body) {
            return if failed {
                Judged::failure()
            } else {
                Judged::noise(Kind::Passed)
            };
        }
        let located = is_located(body);
        if words.message {
            return self.evident_failure(text);
        }
        if self.failing && (words.any() || is_coded(body) || (located && !words.warning)) {
            if located {
                self.open = Open::new(Block::Deeper, Of::Detail, indent);
            }
            return Judged::failure();
        }
        if words.warning {
            return self.warning(text);
        }
        let worded = words.strong;
        if is_progress(body) {
            return Judged {
                worded,
                ..Judged::noise(Kind::Progress)
            };
        }
        if !worded && self.shapes.count(text) > SHOWN_OF_A_SHAPE && !self.ending {
            return Judged::noise(Kind::Repeat);
        }
        if self.near_after > 0 {
            self.near_after -= 1;
            return Judged {
                worded,
                ..Judged::new(Rank::Near, Kind::Other)
            };
        }
        Judged {
            worded,
            ..Judged::new(Rank::Plain, Kind::Other)
        }
    }

    /// A line of a log that says of itself that all is well.
    fn calm(&mut self, text: &str) -> Judged {
        if self.shapes.count(text) > SHOWN_OF_A_SHAPE && !self.ending {
            return Judged::noise(Kind::Repeat);
        }
        if self.near_after > 0 {
            self.near_after -= 1;
            return Judged::new(Rank::Near, Kind::Other);
        }
        Judged::new(Rank::Plain, Kind::Other)
    }

    /// A warning; the same again, elsewhere, is counted only.
    fn warning(&mut self, text: &str) -> Judged {
        let name = text
            .rsplit_once(" [")
            .filter(|(_, name)| name.ends_with(']'));
        let same = name.map_or(text, |(_, name)| name);
        self.warned = self.warnings.count(same) <= SHOWN_OF_A_SHAPE;
        if !self.warned {
            return Judged::noise(Kind::Warning);
        }
        Judged::new(Rank::Warning, Kind::Warning)
    }

    /// A line that says of itself that something failed. In a log of a run that went well, the
    /// same message again, at another time, is a repetition.
    fn evident_failure(&mut self, text: &str) -> Judged {
        let logged = text.starts_with(|first: char| first.is_ascii_digit() || first == '[');
        if !self.failing && logged && self.logged.count(text) > SHOWN_OF_A_SHAPE {
            return Judged::noise(Kind::Repeat);
        }
        self.evident += 1;
        Judged::failure()
    }

    fn tells(&self, words: Words) -> bool {
        words.message || (self.failing && words.any())
    }

    /// A failure takes its heading and the plain lines before it along.
    fn pull_along(&mut self, at: usize, indent: usize, judged: &Judged) {
        if judged.rank != Rank::Failure || judged.kind != Kind::Failure {
            return;
        }
        self.failures += 1;
        if judged.weight != Weight::Detail && judged.weight != Weight::Message {
            self.messages = false;
        }
        if self.open.is_none_or(|open| open.of() != Of::Note) {
            self.notes = 0;
        }
        if let Some(head) = self.head.take() {
            self.raise(head, Rank::Excerpt);
        }
        let top = self
            .top
            .filter(|top| indent > 0 && at - top.min(&at) < HEADING_REACH);
        if let Some(top) = top {
            self.raise(top, Rank::Excerpt);
        }
        if self.open.is_some() || self.failures > MAX_EXPLAINED {
            return;
        }
        self.near_after = NEAR_LINES;
        let from = at.saturating_sub(NEAR_LINES).max(self.first);
        for before in from..at {
            let plain = self
                .records
                .get(before)
                .is_some_and(|r| r.rank == Rank::Plain);
            if plain {
                self.raise(before, Rank::Near);
            }
        }
    }

    fn raise(&mut self, at: usize, rank: Rank) {
        if let Some(record) = self.records.get_mut(at)
            && record.rank < rank
            && record.kind != Kind::Blank
        {
            record.rank = rank;
        }
    }

    /// Adds a line, or joins it to the one before; returns where it stands.
    fn push(&mut self, segment: &Segment<'_>, text: &str, judged: &Judged) -> usize {
        let hash = hash(text.as_bytes());
        let bytes = if segment.superseded && judged.rank == Rank::Noise {
            0
        } else {
            text.len() + 1
        };
        let last = self.records.len().wrapping_sub(1);
        let previous = self.records.get_mut(last).filter(|_| last >= self.first);
        if let Some(previous) = previous {
            let noise = judged.rank == Rank::Noise
                && previous.rank == Rank::Noise
                && previous.kind == judged.kind
                && !(judged.head || judged.worded || previous.worded)
                && Some(last) != self.head;
            let same = previous.hash == hash
                && previous.len == text.len()
                && !text.is_empty()
                && !segment.superseded;
            if noise || (same && previous.rank == judged.rank) {
                previous.end = segment.end;
                previous.to_line = segment.line;
                previous.lines += 1;
                previous.bytes += bytes;
                return last;
            }
        }
        self.records.push(Record {
            stream: self.stream,
            start: segment.start,
            text_end: segment.start + segment.text.len(),
            end: segment.end,
            line: segment.line,
            to_line: segment.line,
            lines: 1,
            bytes,
            len: text.len(),
            hash,
            rank: judged.rank,
            kind: judged.kind,
            depth: judged.depth,
            worded: judged.worded,
            weight: judged.weight,
        });
        self.records.len() - 1
    }
}
