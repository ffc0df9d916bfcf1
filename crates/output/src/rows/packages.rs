//! Packages: `apt`, `dpkg`, `pip`, `npm`, `cargo`, `rpm`, `gem`, `brew`.

use serde_json::Value;

use super::Row;
use super::call::Call;
use super::cells::{between, fields, given, key, put, row, words};
use super::known::Parser;
use super::table::cells_apart;

pub(super) const PARSERS: &[Parser] = &[
    Parser {
        name: "apt_list",
        wants: |call| call.is(&["apt"]) && call.sub() == "list",
        read: apt_list,
    },
    Parser {
        name: "package_fields",
        wants: |call| {
            call.is(&["apt", "apt-cache"]) && call.sub() == "show"
                || call.is(&["dpkg"]) && (call.short('s') || call.has("--status"))
                || call.is(&["dpkg-query"]) && call.short('s')
        },
        read: stanzas,
    },
    Parser {
        name: "dpkg_list",
        wants: |call| call.is(&["dpkg", "dpkg-query"]) && (call.short('l') || call.has("--list")),
        read: dpkg_list,
    },
    Parser {
        name: "dpkg_files",
        wants: |call| call.is(&["dpkg"]) && (call.short('L') || call.has("--listfiles")),
        read: paths,
    },
    Parser {
        name: "pip_list",
        wants: |call| call.is(&["pip", "uv"]) && (call.sub() == "list" || call.sub_sub() == "list"),
        read: pip_list,
    },
    Parser {
        name: "pip_freeze",
        wants: |call| {
            call.is(&["pip", "uv"])
                && (call.sub() == "freeze"
                    || call.sub_sub() == "freeze"
                    || call.has("--format=freeze"))
        },
        read: pip_freeze,
    },
    Parser {
        name: "pip_show",
        wants: |call| call.is(&["pip", "uv"]) && (call.sub() == "show" || call.sub_sub() == "show"),
        read: pip_show,
    },
    Parser {
        name: "npm_ls",
        wants: |call| {
            call.is(&["npm", "pnpm"]) && matches!(call.sub(), "ls" | "list" | "ll" | "la")
        },
        read: npm_ls,
    },
    Parser {
        name: "npm_outdated",
        wants: |call| call.is(&["npm"]) && call.sub() == "outdated",
        read: npm_outdated,
    },
    Parser {
        name: "cargo_tree",
        wants: |call| call.is(&["cargo"]) && call.sub() == "tree",
        read: cargo_tree,
    },
    Parser {
        name: "cargo_install_list",
        wants: |call| call.is(&["cargo"]) && call.sub() == "install" && call.has("--list"),
        read: cargo_installed,
    },
    Parser {
        name: "gem_list",
        wants: |call| call.is(&["gem", "luarocks"]) && call.sub() == "list",
        read: gem_list,
    },
    Parser {
        name: "rpm_list",
        wants: |call| {
            call.is(&["rpm"])
                && call
                    .args
                    .iter()
                    .any(|arg| arg.starts_with("-qa") || arg == "-aq")
        },
        read: rpm_list,
    },
    Parser {
        name: "brew_list",
        wants: |call| call.is(&["brew"]) && call.sub() == "list" && call.has("--versions"),
        read: brew,
    },
];

/// `adduser/stable,now 3.134 all [installed,automatic]`.
fn apt_list(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .filter(|line| !line.is_empty() && !line.starts_with("Listing...") && !line.starts_with("WARNING:") && !line.starts_with("N: "))
        .map(|line| {
            let (name, rest) = line.split_once('/').filter(|(name, _)| !name.is_empty())?;
            let cells = fields(rest, 4);
            let [suites, version, architecture, state @ ..] = cells.as_slice() else {
                return None;
            };
            let plain = architecture.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            let numbered = version.starts_with(|c: char| c.is_ascii_digit());
            (!name.contains(' ') && plain && numbered).then_some(())?;
            let suites: Vec<&str> = suites.split(',').collect();
            let state = state.first().and_then(|state| between(state, "[", "]"));
            let flags: Vec<&str> = state.map(|state| state.split(',').collect()).unwrap_or_default();
            let mut row = row! {
                "package" => name, "suites" => suites, "version" => *version, "architecture" => *architecture,
                "installed" => flags.iter().any(|flag| flag.starts_with("installed") || flag.starts_with("upgradable")),
            };
            if let Some(from) = state.and_then(|state| state.split_once("upgradable from: ")) {
                put(&mut row, "upgradable_from", from.1);
            }
            put(&mut row, "state", flags);
            Some(row)
        })
        .collect()
}

fn dpkg_list(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut rows = Vec::new();
    for line in lines.iter().filter(|line| !line.is_empty()) {
        if ["Desired=", "| Status", "|/ Err", "||/ ", "+++-"]
            .iter()
            .any(|start| line.starts_with(start))
        {
            continue;
        }
        let cells = fields(line, 5);
        let [codes, name, version, architecture, description @ ..] = cells.as_slice() else {
            return None;
        };
        let mut letters = codes.chars();
        let mut row = row! {
            "codes" => *codes, "name" => *name, "version" => given(version), "architecture" => given(architecture),
            "description" => description.first().copied(),
            "desired" => desired(letters.next()?)?, "status" => status(letters.next()?)?,
        };
        if let Some(problem) = letters.next() {
            put(
                &mut row,
                "error",
                (problem == 'R').then_some("reinstall required")?,
            );
        }
        rows.push(row);
    }
    Some(rows)
}

fn desired(letter: char) -> Option<&'static str> {
    Some(match letter {
        'u' => "unknown",
        'i' => "install",
        'r' => "remove",
        'p' => "purge",
        'h' => "hold",
        _ => return None,
    })
}

fn status(letter: char) -> Option<&'static str> {
    Some(match letter.to_ascii_lowercase() {
        'n' => "not installed",
        'i' => "installed",
        'c' => "config-files",
        'u' => "unpacked",
        'f' => "failed config",
        'h' => "half installed",
        'w' => "trigger await",
        't' => "trigger pending",
        _ => return None,
    })
}

/// Blocks of `Name: value`, with lines that go on indented.
fn stanzas(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    let mut last = String::new();
    let mut fresh = true;
    for line in lines {
        if line.is_empty() || line.starts_with("N: ") {
            fresh = true;
            continue;
        }
        if fresh {
            rows.push(Row::new());
            fresh = false;
        }
        let row = rows.last_mut()?;
        if line.starts_with(' ') {
            if let Some(Value::String(text)) = row.get_mut(&last) {
                text.push('\n');
                text.push_str(line.trim());
                continue;
            }
            return None;
        }
        let (name, value) = line.split_once(':')?;
        last = key(name);
        row.insert(last.clone(), value.trim().into());
    }
    rows.iter()
        .all(|row| row.contains_key("package"))
        .then_some(rows)
}

fn paths(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .filter(|line| !line.is_empty())
        .map(|line| line.starts_with('/').then(|| row! { "path" => *line }))
        .collect()
}

fn pip_list(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut rows = Vec::new();
    let table = lines
        .first()
        .is_some_and(|line| line.starts_with("Package"))
        && lines.iter().any(|line| line.starts_with("---"));
    let names: Vec<String> = lines
        .first()
        .filter(|_| table)
        .map(|line| cells_apart(line, 1).map(|(_, name)| key(name)).collect())
        .unwrap_or_default();
    for line in lines.iter().filter(|line| !line.is_empty()) {
        if line.starts_with("---")
            || table && line.starts_with("Package ")
            || line.starts_with("DEPRECATION")
            || line.starts_with("WARNING")
            || line.starts_with("[notice]")
        {
            continue;
        }
        if !table {
            // The form of old versions: `name (1.0)`.
            let (name, version) = line.split_once(" (")?;
            rows.push(row! { "package" => name, "version" => version.strip_suffix(')')? });
            continue;
        }
        let cells = words(line);
        let [package, version, rest @ ..] = cells.as_slice() else {
            return None;
        };
        version
            .contains(|c: char| c.is_ascii_digit())
            .then_some(())?;
        let mut row = row! { "package" => *package, "version" => *version };
        // `--outdated` has a column for the newer version, `-e` one for the place.
        for (name, cell) in names.iter().skip(2).zip(rest) {
            put(&mut row, name, *cell);
        }
        rows.push(row);
    }
    Some(rows)
}

fn pip_freeze(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            if let Some(place) = line.strip_prefix("-e ") {
                return Some(row! { "editable" => true, "location" => place });
            }
            if let Some((package, place)) = line.split_once(" @ ") {
                return Some(row! { "package" => package, "location" => place });
            }
            let (package, version) = line.split_once("==")?;
            (!package.contains(' ') && !version.contains(' '))
                .then(|| row! { "package" => package, "version" => version })
        })
        .collect()
}

fn pip_show(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    let mut last = String::new();
    for line in lines {
        if *line == "---" {
            continue;
        }
        let named = line
            .split_once(':')
            .filter(|(name, _)| FIELDS.contains(name));
        if line.starts_with("Name: ") {
            rows.push(Row::new());
        }
        let row = rows.last_mut()?;
        match named {
            Some((name, value)) => {
                last = key(name);
                row.insert(last.clone(), given(value.trim()).into());
            }
            // A licence may go on over many lines.
            None => match row.get_mut(&last) {
                Some(Value::String(text)) => {
                    text.push('\n');
                    text.push_str(line);
                }
                Some(empty) => *empty = (*line).trim().into(),
                None => return None,
            },
        }
    }
    for row in &mut rows {
        for value in row.values_mut() {
            if let Value::String(text) = value {
                text.truncate(text.trim_end().len());
            }
        }
    }
    Some(rows)
}

/// The fields that `pip show` prints.
const FIELDS: &[&str] = &[
    "Name",
    "Version",
    "Summary",
    "Home-page",
    "Author",
    "Author-email",
    "License",
    "Location",
    "Requires",
    "Required-by",
    "Editable project location",
    "License-Expression",
    "Files",
    "Metadata-Version",
    "Installer",
    "Classifiers",
    "Entry-points",
    "Project-URLs",
];

/// A tree of branches: `├─┬ name@1.0.0 deduped`.
fn npm_ls(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let empty = lines.iter().any(|line| line.contains("(empty)"));
    let mut rows = Vec::new();
    for (index, line) in lines
        .iter()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let (depth, rest) = branch(line);
        if rest.starts_with("(empty)") || line.starts_with("npm ") {
            continue;
        }
        if depth == 0 {
            if index > 0 && !call.filtered {
                return None;
            }
            // The first line names the project and where it is.
            let cells = words(rest);
            let name = cells.first()?;
            let (package, version) = package_at(name).map_or((None, None), |(package, version)| {
                (Some(package), Some(version))
            });
            let path = cells.iter().find(|word| word.starts_with('/'));
            let alone = package.is_none() && lines.len() == 1;
            if package.is_none() && path.is_none() || alone && !empty {
                return None;
            }
            rows.push(row! { "package" => package, "version" => version, "depth" => 0, "path" => path.copied() });
            continue;
        }
        let rest = rest
            .strip_prefix("UNMET DEPENDENCY ")
            .map_or((rest, false), |rest| (rest, true));
        let optional = rest.0.strip_prefix("UNMET OPTIONAL DEPENDENCY ");
        let (text, unmet) = optional.map_or(rest, |text| (text, true));
        let (name, notes) = text.split_once(' ').unwrap_or((text, ""));
        let (package, version) = package_at(name)?;
        let mut row = row! { "package" => package, "version" => version, "depth" => depth };
        for (note, name) in [
            ("deduped", "deduped"),
            ("extraneous", "extraneous"),
            ("invalid", "invalid"),
            ("overridden", "overridden"),
        ] {
            if notes.contains(note) {
                put(&mut row, name, true);
            }
        }
        if let Some((_, target)) = notes.split_once("-> ") {
            put(&mut row, "link_to", target);
        }
        if unmet {
            put(
                &mut row,
                if optional.is_some() {
                    "unmet_optional"
                } else {
                    "unmet"
                },
                true,
            );
        }
        rows.push(row);
    }
    Some(rows)
}

/// How deep a branch of a tree stands, and what hangs on it.
fn branch(line: &str) -> (usize, &str) {
    let rest =
        line.trim_start_matches(['│', '├', '└', '─', '┬', ' ', '|', '`', '+', '\u{a0}', '-']);
    let marks = line.len() - rest.len();
    let width = line.get(..marks).map_or(0, |marks| marks.chars().count());
    (width / 2, rest)
}

/// `@scope/name@1.0.0`.
fn package_at(text: &str) -> Option<(&str, &str)> {
    let at = text.rfind('@').filter(|at| *at > 0)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

fn npm_outdated(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let (header, body) = lines.split_first()?;
    (header.starts_with("Package") && header.contains("Wanted")).then_some(())?;
    let names: Vec<String> = cells_apart(header, 2).map(|(_, name)| key(name)).collect();
    body.iter()
        .filter(|line| !line.is_empty())
        .map(|line| {
            let cells: Vec<&str> = cells_apart(line, 2).map(|(_, cell)| cell).collect();
            (cells.len() + 1 >= names.len() && cells.len() <= names.len()).then(|| {
                names
                    .iter()
                    .zip(cells)
                    .map(|(name, cell)| (name.clone(), cell.into()))
                    .collect()
            })
        })
        .collect()
}

/// `│   ├── serde v1.0.0 (proc-macro) (*)`.
fn cargo_tree(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut rows = Vec::new();
    for line in lines.iter().filter(|line| !line.trim().is_empty()) {
        let (width, rest) = branch(line);
        if rest.starts_with('[') {
            continue;
        }
        let mut cells = rest.split(' ');
        let name = cells.next()?;
        let version = cells.next()?.strip_prefix('v')?;
        let notes = rest.split_once(version).map_or("", |(_, notes)| notes);
        let mut row = row! { "package" => name, "version" => version, "depth" => width / 2 };
        if notes.contains("(*)") {
            put(&mut row, "repeated", true);
        }
        if notes.contains("(proc-macro)") {
            put(&mut row, "proc_macro", true);
        }
        let source = notes
            .split('(')
            .skip(1)
            .map(|note| note.split(')').next().unwrap_or_default());
        if let Some(path) = source.into_iter().find(|note| note.contains('/')) {
            put(&mut row, "source", path);
        }
        rows.push(row);
    }
    Some(rows)
}

fn cargo_installed(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    for line in lines.iter().filter(|line| !line.trim().is_empty()) {
        if let Some(binary) = line.strip_prefix("    ") {
            if let Some(Value::Array(binaries)) = rows.last_mut()?.get_mut("binaries") {
                binaries.push(binary.into());
            }
            continue;
        }
        let (name, version) = line.strip_suffix(':')?.split_once(" v")?;
        let version = version.split(' ').next();
        rows.push(
            row! { "package" => name, "version" => version, "binaries" => Vec::<Value>::new() },
        );
    }
    Some(rows)
}

/// `rake (13.0.6, 12.3.3)`.
fn gem_list(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .filter(|line| !line.is_empty() && !line.starts_with("***"))
        .map(|line| {
            let (name, rest) = line.split_once(" (")?;
            let versions: Vec<&str> = rest.strip_suffix(')')?.split(", ").collect();
            let numbered = versions.iter().all(|version| {
                version.starts_with(|c: char| c.is_ascii_digit()) || version.starts_with("default")
            });
            (numbered && !name.contains(char::is_whitespace)).then_some(())?;
            Some(row! { "package" => name, "versions" => versions })
        })
        .collect()
}

/// `bash-5.1.8-6.el9.x86_64`.
fn rpm_list(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    if call.has("--qf") || call.has("--queryformat") {
        return None;
    }
    lines
        .iter()
        .map(|line| {
            let (rest, architecture) = line.rsplit_once('.')?;
            let (rest, release) = rest.rsplit_once('-')?;
            let (name, version) = rest.rsplit_once('-')?;
            (!line.contains(' ')).then(|| row! { "package" => name, "version" => version, "release" => release, "architecture" => architecture })
        })
        .collect()
}

fn brew(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .map(|line| {
            let cells = words(line);
            let [name, versions @ ..] = cells.as_slice() else {
                return None;
            };
            (!versions.is_empty()).then(|| row! { "package" => *name, "versions" => versions })
        })
        .collect()
}
