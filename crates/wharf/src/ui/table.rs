//! Lists for people: columns as wide as their widest cell.

use unicode_width::UnicodeWidthStr as _;

use super::neutral::neutral_line;

/// The columns, in lines. The last one is not filled up.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let rows: Vec<[String; N]> = rows
        .iter()
        .map(|row| row.each_ref().map(|cell| neutral_line(cell)))
        .collect();
    let head = head.map(str::to_owned);
    let widths: [usize; N] = std::array::from_fn(|column| {
        let cells = std::iter::once(&head).chain(&rows);
        cells
            .filter_map(|row| row.get(column))
            .map(|cell| cell.width())
            .max()
            .unwrap_or_default()
    });
    let mut text = String::new();
    for row in std::iter::once(&head).chain(&rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(width - cell.width() + GAP));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

const GAP: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [
            ["漢".to_owned(), "1".to_owned()],
            ["abc".to_owned(), "2\u{1b}".to_owned()],
        ];
        assert_eq!(table(["A", "B"], &rows), "A    B\n漢   1\nabc  2␛\n");
    }
}
