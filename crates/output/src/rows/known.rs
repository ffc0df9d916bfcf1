//! The table of parsers.

use super::call::Call;
use super::{
    Row, accounts, archives, containers, cpu, disks, dns, files, generic, git, git_log, git_refs,
    hosts, interfaces, ip, listing, memory, packages, processes, reach, schedule, sessions,
    sockets, systemd, text, top, unix,
};

/// One form of output.
pub(super) struct Parser {
    /// Its name.
    pub(super) name: &'static str,
    /// Whether a call may print it.
    pub(super) wants: fn(&Call) -> bool,
    /// Reads it; nothing when a line does not fit.
    pub(super) read: fn(&Call, &[&str]) -> Option<Vec<Row>>,
}

/// All families. Those that a call names come first, forms that explain themselves last.
const FAMILIES: &[&[Parser]] = &[
    listing::PARSERS,
    files::PARSERS,
    processes::PARSERS,
    top::PARSERS,
    memory::PARSERS,
    disks::PARSERS,
    sockets::PARSERS,
    ip::PARSERS,
    interfaces::PARSERS,
    dns::PARSERS,
    reach::PARSERS,
    git::PARSERS,
    git_log::PARSERS,
    git_refs::PARSERS,
    containers::PARSERS,
    packages::PARSERS,
    systemd::PARSERS,
    accounts::PARSERS,
    sessions::PARSERS,
    schedule::PARSERS,
    hosts::PARSERS,
    cpu::PARSERS,
    unix::PARSERS,
    archives::PARSERS,
    text::PARSERS,
    generic::PARSERS,
];

/// The rows of an output, and the name of the parser that read it.
pub(super) fn read(call: &Call, lines: &[&str]) -> Option<(&'static str, Vec<Row>)> {
    if lines.iter().all(|line| line.trim().is_empty()) {
        return None;
    }
    FAMILIES
        .iter()
        .flat_map(|family| family.iter())
        .filter(|parser| (parser.wants)(call))
        .find_map(|parser| {
            let rows = (parser.read)(call, lines)?;
            (!rows.is_empty()).then_some((parser.name, rows))
        })
}
