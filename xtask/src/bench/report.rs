//! The result: one table for people, the same as JSON for everything else.

use serde_json::{Value, json};

use super::remote;
use super::rows::{Reach, Row, Unit};
use super::target::Role;

/// What was found for one row.
pub(super) struct Finding {
    pub(super) row: &'static Row,
    pub(super) wharf: Cell,
    pub(super) floor: Cell,
    pub(super) peer: Cell,
}

/// One target's part in a row.
#[derive(Clone, Default)]
pub(super) struct Cell {
    /// The median over rounds; absent where it was not or could not be measured.
    pub(super) value: Option<f64>,
    /// The largest share of the processors that others used around a counted round.
    pub(super) noise: f64,
    /// Why there is no value, where there should be one.
    pub(super) error: Option<String>,
}

impl Finding {
    /// A row before anything was measured.
    pub(super) fn empty(row: &'static Row) -> Self {
        let [wharf, floor, peer] = [(); 3].map(|()| Cell::default());
        Self {
            row,
            wharf,
            floor,
            peer,
        }
    }

    /// Puts a target's part into its column. The harness is a floor as well.
    pub(super) fn set(&mut self, role: Role, cell: Cell) {
        match role {
            Role::Wharf => self.wharf = cell,
            Role::Floor | Role::Null => self.floor = cell,
            Role::Peer => self.peer = cell,
        }
    }

    /// Whether the reach is met; unknown where a figure that it needs is missing.
    fn is_met(&self) -> Option<bool> {
        let value = self.wharf.value?;
        Some(match self.row.reach {
            Reach::NoBar => return None,
            Reach::AtMost(most) => value <= most,
            Reach::AtLeast(least) => value >= least,
            Reach::AtMostTimesFloor(factor) => value <= factor * self.floor.value?,
            Reach::AtLeastTimesFloor(factor) => value >= factor * self.floor.value?,
        })
    }

    fn ratio_to(&self, other: &Cell) -> Option<f64> {
        other
            .value
            .filter(|value| *value > 0.0)
            .and_then(|value| Some(self.wharf.value? / value))
    }

    fn noise(&self) -> f64 {
        self.wharf.noise.max(self.floor.noise).max(self.peer.noise)
    }

    fn errors(&self) -> impl Iterator<Item = (Role, &str)> {
        let cells = [
            (Role::Wharf, &self.wharf),
            (Role::Floor, &self.floor),
            (Role::Peer, &self.peer),
        ];
        cells
            .into_iter()
            .filter_map(|(role, cell)| Some((role, cell.error.as_deref()?)))
    }
}

/// The table, with errors below it.
pub(super) fn table(findings: &[Finding]) -> String {
    let heads = [
        "work",
        "unit",
        "wharf",
        "floor",
        "FastAPI",
        "× floor",
        "× FastAPI",
        "reach",
        "",
    ];
    let mut lines = vec![heads.map(str::to_owned).to_vec()];
    lines.extend(findings.iter().map(cells));
    let mut text = aligned(&lines, &[0, 1, 7, 8]);
    for finding in findings {
        for (role, error) in finding.errors() {
            text.push_str(&format!(
                "! {} ({}): {error}\n",
                finding.row.title,
                role.name()
            ));
        }
    }
    text
}

/// The lines in columns: words, whose columns are named, to the left, figures to the right.
pub(super) fn aligned(lines: &[Vec<String>], words: &[usize]) -> String {
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max()
    };
    let mut text = String::new();
    for line in lines {
        for (column, cell) in line.iter().enumerate() {
            let width = width(column).unwrap_or(0);
            let padded = if words.contains(&column) {
                format!("{cell:<width$}")
            } else {
                format!("{cell:>width$}")
            };
            text.push_str(&padded);
            text.push_str("  ");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

/// The last cell of a row.
pub(super) fn verdict(is_met: Option<bool>, noise: f64) -> String {
    let mark = match is_met {
        Some(true) => "✓",
        Some(false) => "✗",
        None => "",
    };
    let noisy = if noise > 0.2 { " noisy" } else { "" };
    format!("{mark}{noisy}")
}

/// The findings with every figure unrounded.
pub(super) fn json(findings: &[Finding], remote: &[remote::Finding], machine: &Value) -> Value {
    let remote = remote.iter().map(remote::Finding::json);
    let rows: Vec<Value> = findings.iter().map(as_json).chain(remote).collect();
    json!({"machine": machine, "rows": rows})
}

fn as_json(finding: &Finding) -> Value {
    let errors: Vec<String> = finding
        .errors()
        .map(|(role, error)| format!("{}: {error}", role.name()))
        .collect();
    json!({
        "id": finding.row.id,
        "title": finding.row.title,
        "unit": finding.row.unit.name(),
        "wharf": finding.wharf.value,
        "floor": finding.floor.value,
        "peer": finding.peer.value,
        "ratio_to_floor": finding.ratio_to(&finding.floor),
        "ratio_to_peer": finding.ratio_to(&finding.peer),
        "reach": finding.row.reach.describe(),
        "met": finding.is_met(),
        "noise": finding.noise(),
        "errors": errors,
    })
}

fn cells(finding: &Finding) -> Vec<String> {
    let unit = finding.row.unit;
    let value = |cell: &Cell| cell.value.map_or("–".to_owned(), |value| unit.show(value));
    let ratio = |cell: &Cell| {
        finding
            .ratio_to(cell)
            .map_or("–".to_owned(), |r| format!("{r:.2}"))
    };
    vec![
        finding.row.title.to_owned(),
        unit.name().to_owned(),
        value(&finding.wharf),
        value(&finding.floor),
        value(&finding.peer),
        ratio(&finding.floor),
        ratio(&finding.peer),
        finding.row.reach.describe(),
        verdict(finding.is_met(), finding.noise()),
    ]
}

impl Unit {
    pub(super) fn name(self) -> &'static str {
        match self {
            Unit::Milliseconds => "ms",
            Unit::PerSecond => "/s",
            Unit::Kibibytes => "KiB",
            Unit::Mebibytes => "MiB",
        }
    }

    pub(super) fn show(self, value: f64) -> String {
        match self {
            Unit::Milliseconds => format!("{value:.3}"),
            Unit::PerSecond | Unit::Kibibytes => format!("{value:.0}"),
            Unit::Mebibytes => format!("{value:.1}"),
        }
    }
}

impl Reach {
    fn describe(&self) -> String {
        match self {
            Reach::NoBar => String::new(),
            Reach::AtMost(most) => format!("≤ {most}"),
            Reach::AtLeast(least) => format!("≥ {least}"),
            Reach::AtMostTimesFloor(factor) => format!("≤ {factor} × floor"),
            Reach::AtLeastTimesFloor(factor) => format!("≥ {factor} × floor"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::rows::ROWS;

    fn finding(id: &str, wharf: f64, floor: f64) -> Finding {
        let row = ROWS.iter().find(|row| row.id == id).expect("a row");
        let cell = |value| Cell {
            value: Some(value),
            ..Cell::default()
        };
        Finding {
            row,
            wharf: cell(wharf),
            floor: cell(floor),
            peer: Cell::default(),
        }
    }

    #[test]
    fn a_reach_is_met_at_its_bound_and_not_beyond() {
        assert_eq!(finding("true", 1.15, 1.0).is_met(), Some(true));
        assert_eq!(finding("true", 1.16, 1.0).is_met(), Some(false));
        assert_eq!(finding("rate-8", 850.0, 1000.0).is_met(), Some(true));
        assert_eq!(finding("rate-8", 849.0, 1000.0).is_met(), Some(false));
        assert_eq!(finding("session", 0.30, 0.0).is_met(), Some(true));
        assert_eq!(finding("sessions-8", 9_999.0, 0.0).is_met(), Some(false));
    }

    #[test]
    fn without_a_figure_there_is_no_verdict() {
        let mut missing = finding("true", 1.0, 1.0);
        missing.floor.value = None;
        assert_eq!(missing.is_met(), None);
        missing.wharf.error = Some("it burned".to_owned());
        let table = table(&[missing]);
        assert!(
            table.contains("! /bin/true, 1 client, p50 (wharf): it burned"),
            "{table}"
        );
        assert!(!table.contains('✗') && !table.contains('✓'), "{table}");
    }
}
