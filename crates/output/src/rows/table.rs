//! Tables with a header, cut by position.

use super::Row;
use super::cells::{auto, given, key};

/// Columns of a table; a header with more is none.
pub(super) const MAX_COLUMNS: usize = 256;

/// The columns of a header: their names and where they begin, in characters.
pub(crate) struct Columns {
    pub(crate) keys: Vec<String>,
    starts: Vec<usize>,
    ends: Vec<usize>,
}

impl Columns {
    /// Reads a header whose names stand at least `gap` blanks apart. Names may not repeat.
    pub(crate) fn read(header: &str, gap: usize) -> Option<Self> {
        let (mut keys, mut starts, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for (start, name) in cells_apart(header, gap) {
            (keys.len() < MAX_COLUMNS).then_some(())?;
            let mut key = key(name);
            if keys.contains(&key) {
                key = format!("{key}_{}", keys.len() + 1);
            }
            keys.push(key);
            starts.push(start);
            ends.push(start + name.chars().count());
        }
        (!keys.is_empty()).then_some(Self { keys, starts, ends })
    }

    /// The cells of a line whose columns begin where the header's do. Nothing when a cell
    /// reaches into the next column.
    pub(super) fn left_aligned<'a>(&self, line: &'a str) -> Option<Vec<&'a str>> {
        let mut cells = Vec::with_capacity(self.starts.len());
        for (index, start) in self.starts.iter().enumerate() {
            let from = byte_at(line, *start);
            let to = self
                .starts
                .get(index + 1)
                .map_or(line.len(), |next| byte_at(line, *next));
            let before = line.get(..from)?;
            if *start > 0 && from < line.len() && !before.ends_with([' ', '\t']) {
                return None;
            }
            cells.push(line.get(from..to)?.trim());
        }
        Some(cells)
    }

    /// The cells of a line, each word given to the column whose name it stands under.
    ///
    /// This reads columns that are aligned to either side and may be empty. A word that stands
    /// under no name belongs to the word before it when one blank parts them, else to the
    /// nearest column behind.
    pub(super) fn under<'a>(&self, line: &'a str) -> Option<Vec<&'a str>> {
        let mut spans: Vec<Option<(usize, usize)>> = vec![None; self.keys.len()];
        let (mut column, mut end_before) = (0, None::<usize>);
        let last = self.keys.len().checked_sub(1)?;
        for (start, word, offset) in words_at(line) {
            let end = start + word.chars().count();
            let next = if end_before.is_none() { 0 } else { column + 1 };
            let first =
                end_before.is_none() && self.starts.get(1).is_none_or(|second| start < *second);
            if first {
                // A name that is indented like a branch of a tree stands under nothing.
                *spans.first_mut()? = Some((offset, offset + word.len()));
                end_before = Some(end);
                continue;
            }
            let fits = (next..=last).find(|index| self.overlaps(*index, start, end));
            let joined = end_before.is_some_and(|before| start == before + 1);
            let chosen = match fits {
                Some(index) => index,
                None if joined || next > last => column,
                None => (next..=last).min_by_key(|index| self.distance(*index, start, end))?,
            };
            let span = spans.get_mut(chosen)?;
            *span = Some(span.map_or((offset, offset + word.len()), |(from, _)| {
                (from, offset + word.len())
            }));
            column = chosen;
            end_before = Some(end);
        }
        spans
            .into_iter()
            .map(|span| match span {
                Some((from, to)) => line.get(from..to),
                None => Some(""),
            })
            .collect()
    }

    /// A row of cells: numbers as numbers, empty cells as nothing.
    pub(super) fn row(&self, cells: &[&str]) -> Row {
        self.keys
            .iter()
            .zip(cells)
            .map(|(key, cell)| (key.clone(), given(cell).map(auto).into()))
            .collect()
    }

    fn overlaps(&self, index: usize, start: usize, end: usize) -> bool {
        match (self.starts.get(index), self.ends.get(index)) {
            (Some(from), Some(to)) => start < *to && *from < end,
            _ => false,
        }
    }

    fn distance(&self, index: usize, start: usize, end: usize) -> usize {
        match (self.starts.get(index), self.ends.get(index)) {
            (Some(from), Some(to)) => from.saturating_sub(end).max(start.saturating_sub(*to)),
            _ => usize::MAX,
        }
    }
}

/// A table whose columns begin where the header's do, or stand two blanks apart.
pub(super) fn left_aligned(lines: &[&str], gap: usize) -> Option<Vec<Row>> {
    let (header, body) = lines.split_first()?;
    let columns = Columns::read(header, gap)?;
    body.iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let cells = columns.left_aligned(line).or_else(|| {
                let cells: Vec<&str> = cells_apart(line, 2).map(|(_, cell)| cell).collect();
                (cells.len() == columns.keys.len()).then_some(cells)
            })?;
            Some(columns.row(&cells))
        })
        .collect()
}

/// Rows of lines that all have as many words as there are names; the last takes the rest.
pub(super) fn by_words(names: &[&str], lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let cells = super::cells::fields(line, names.len());
            (cells.len() == names.len()).then(|| {
                names
                    .iter()
                    .zip(cells)
                    .map(|(name, cell)| ((*name).to_owned(), given(cell).map(auto).into()))
                    .collect()
            })
        })
        .collect()
}

/// Stretches of a line that stand at least `gap` blanks apart, with their place in characters.
pub(super) fn cells_apart(line: &str, gap: usize) -> impl Iterator<Item = (usize, &str)> {
    let mut out: Vec<(usize, &str)> = Vec::new();
    let mut open: Option<(usize, usize, usize)> = None;
    for (start, word, offset) in words_at(line) {
        let end = offset + word.len();
        open = match open {
            Some((at, from, to))
                if offset - to < gap
                    && !line.get(to..offset).unwrap_or_default().contains('\t') =>
            {
                Some((at, from, end))
            }
            Some((at, from, to)) => {
                out.push((at, line.get(from..to).unwrap_or_default()));
                Some((start, offset, end))
            }
            None => Some((start, offset, end)),
        };
    }
    if let Some((at, from, to)) = open {
        out.push((at, line.get(from..to).unwrap_or_default()));
    }
    out.into_iter()
}

/// Words with their place in characters and in bytes.
fn words_at(line: &str) -> impl Iterator<Item = (usize, &str, usize)> {
    let base = line.as_ptr() as usize;
    let ascii = line.is_ascii();
    let (mut counted, mut chars) = (0, 0);
    line.split_whitespace().map(move |word| {
        let offset = word.as_ptr() as usize - base;
        if ascii {
            return (offset, word, offset);
        }
        chars += line
            .get(counted..offset)
            .map_or(0, |text| text.chars().count());
        counted = offset;
        (chars, word, offset)
    })
}

/// Where a character stands, or the end of the line.
fn byte_at(line: &str, at: usize) -> usize {
    if line.is_ascii() {
        return at.min(line.len());
    }
    line.char_indices()
        .nth(at)
        .map_or(line.len(), |(offset, _)| offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_cut_where_the_header_says() {
        let lines = [
            "NAME   IMAGE ID   UP",
            "a b    x          ",
            "ä      y          3",
        ];
        let rows = left_aligned(&lines, 2).unwrap();
        assert_eq!(rows[0]["name"], "a b");
        assert_eq!(rows[0]["up"], serde_json::Value::Null);
        assert_eq!(rows[1]["image_id"], "y");
        assert_eq!(rows[1]["up"], 3);
    }

    #[test]
    fn a_cell_that_reaches_into_the_next_column_is_no_cell() {
        assert!(left_aligned(&["NAME  UP", "abcdefgh"], 2).is_none());
    }

    #[test]
    fn words_stand_under_their_names() {
        let columns = Columns::read("NAME  SIZE RO MODEL", 1).unwrap();
        assert_eq!(
            columns.under("sda    20G  0 VMware Virtual S"),
            Some(vec!["sda", "20G", "0", "VMware Virtual S"])
        );
        assert_eq!(
            columns.under("sda1     1  0"),
            Some(vec!["sda1", "1", "0", ""])
        );
        assert_eq!(
            columns.under("sda1        0"),
            Some(vec!["sda1", "", "0", ""])
        );
    }
}
