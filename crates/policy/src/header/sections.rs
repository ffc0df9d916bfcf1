//! The sections of `policy.toml`.

use std::ops::Range;

use toml::de::DeTable;
use wharf_shell::Verdict;

use super::read::{Reader, Value};
use super::{
    Class, Example, Header, Hours, MAX_EXAMPLES, MAX_NAMES, MAX_PATTERNS, MAX_ROLES, NamedPaths,
    Role, TargetGroup,
};
use crate::glob::PathGlob;
use crate::pattern::Pattern;
use crate::question::{Moment, Weekday, parse_minute};
use crate::{builtin, vocabulary};

const KEYS: [&str; 9] = [
    "default_role",
    "without",
    "roles",
    "classes",
    "paths",
    "targets",
    "hours",
    "approvals",
    "examples",
];

/// Reads all sections. Roles come first whatever their place, because others name them.
pub(super) fn read(reader: &mut Reader<'_>, header: &mut Header) {
    let Some(document) = reader.document() else {
        return;
    };
    for (key, _) in &document {
        if !KEYS.contains(&key.get_ref().as_ref()) {
            reader.not_one_of(&key.span(), "key", key.get_ref(), KEYS);
        }
    }
    let mut section = |name: &str, read: fn(&mut Reader<'_>, &mut Header, &Value<'_>)| {
        if let Some(value) = document.get(name) {
            read(reader, header, value);
        }
    };
    section("roles", roles);
    section("default_role", default_role);
    section("without", without);
    section("classes", classes);
    section("paths", paths);
    section("targets", targets);
    section("hours", hours);
    section("approvals", approvals);
    section("examples", examples);
}

fn roles(reader: &mut Reader<'_>, header: &mut Header, value: &Value<'_>) {
    for (name, span, members) in named(reader, "roles", value, MAX_ROLES) {
        let mut role = Role {
            name: name.to_owned(),
            members: Vec::new(),
        };
        for (member, span) in reader.strings("a role", members, MAX_PATTERNS) {
            match member.split_once(':') {
                Some(("user" | "agent" | "token", name)) if !name.is_empty() => {
                    role.members.push(member.to_owned());
                }
                _ => reader.complain(
                    &span,
                    format!("`{member}` is nobody: write user:NAME, agent:NAME or token:NAME"),
                ),
            }
        }
        let known = header
            .roles
            .iter()
            .position(|known| known.name == role.name);
        match known.and_then(|index| header.roles.get_mut(index)) {
            Some(known) => *known = role,
            None => header.roles.push(role),
        }
        if header.roles.len() > MAX_ROLES {
            reader.complain(&span, format!("there are more than {MAX_ROLES} roles"));
            return;
        }
    }
}

fn default_role(reader: &mut Reader<'_>, header: &mut Header, value: &Value<'_>) {
    let Some(name) = reader.string("default_role", value) else {
        return;
    };
    if header.roles.iter().any(|role| role.name == name) {
        header.default_role = name.to_owned();
    } else {
        let names = header.roles.iter().map(|role| role.name.as_str());
        reader.not_one_of(&value.span(), "role", name, names);
    }
}

fn without(reader: &mut Reader<'_>, header: &mut Header, value: &Value<'_>) {
    for (id, span) in reader.strings("without", value, MAX_NAMES) {
        if builtin::IDS.contains(&id) {
            header.without.push(id.to_owned());
        } else {
            reader.not_one_of(&span, "built-in policy", id, builtin::IDS);
        }
    }
}

fn classes(reader: &mut Reader<'_>, header: &mut Header, value: &Value<'_>) {
    for (name, span, value) in named(reader, "classes", value, MAX_NAMES) {
        let mut class = Class {
            name: name.to_owned(),
            programs: Vec::new(),
            effects: Vec::new(),
        };
        let Some(table) = reader.table("a class", value) else {
            continue;
        };
        only(reader, table, &["programs", "effects"]);
        if let Some(programs) = table.get("programs") {
            for (text, span) in reader.strings("programs", programs, MAX_PATTERNS) {
                match Pattern::parse(text) {
                    Ok(pattern) => class.programs.push(pattern),
                    Err(error) => reader.complain(&span, format!("`{text}`: {error}")),
                }
            }
        }
        if let Some(effects) = table.get("effects") {
            for (text, span) in reader.strings("effects", effects, MAX_PATTERNS) {
                match vocabulary::effect(text) {
                    Some(kind) => class.effects.push(kind),
                    None => {
                        let names = vocabulary::EFFECTS.iter().map(|(_, name)| *name);
                        reader.not_one_of(&span, "effect", text, names);
                    }
                }
            }
        }
        if class.programs.is_empty() && class.effects.is_empty() {
            reader.complain(
                &span,
                format!("the class `{name}` names no program and no effect"),
            );
        }
        header.classes.push(class);
    }
}

fn paths(reader: &mut Reader<'_>, header: &mut Header, value: &Value<'_>) {
    for (name, span, value) in named(reader, "paths", value, MAX_NAMES) {
        if vocabulary::PLACES.contains(&name) {
            reader.complain(&span, format!("the place `{name}` is built in"));
        }
        let mut paths = NamedPaths {
            name: name.to_owned(),
            globs: Vec::new(),
            written: Vec::new(),
        };
        for (text, span) in reader.strings("a name in [paths]", value, MAX_PATTERNS) {
            paths.written.push(text.to_owned());
            match PathGlob::parse(text) {
                Some(glob) => paths.globs.push(glob),
                None => reader.complain(
                    &span,
                    format!("`{text}` must start with /, ~/, ./ (the working tree) or **/"),
                ),
            }
        }
        header.paths.push(paths);
    }
}

fn targets(reader: &mut Reader<'_>, header: &mut Header, value: &Value<'_>) {
    for (name, _, value) in named(reader, "targets", value, MAX_NAMES) {
        let patterns = reader.strings("a group of targets", value, MAX_PATTERNS);
        header.targets.push(TargetGroup {
            name: name.to_owned(),
            patterns: patterns
                .into_iter()
                .map(|(text, _)| text.to_owned())
                .collect(),
        });
    }
}

fn hours(reader: &mut Reader<'_>, header: &mut Header, value: &Value<'_>) {
    for (name, span, value) in named(reader, "hours", value, MAX_NAMES) {
        let Some(table) = reader.table("hours", value) else {
            continue;
        };
        only(reader, table, &["days", "from", "until"]);
        let mut days = Vec::new();
        match table.get("days") {
            None => days.extend(Weekday::ALL),
            Some(list) => {
                for (text, span) in reader.strings("days", list, MAX_NAMES) {
                    match days_of(text) {
                        Some(more) => days.extend(more),
                        None => reader.complain(
                            &span,
                            format!("`{text}` is no day: write mon, tue, … or mon-fri"),
                        ),
                    }
                }
            }
        }
        let mut minute = |key: &str, otherwise: u16| {
            let Some(value) = table.get(key) else {
                return Some(otherwise);
            };
            let text = reader.string(key, value)?;
            let minute = parse_minute(text);
            if minute.is_none() {
                reader.complain(&value.span(), format!("`{text}` is no time: write 09:00"));
            }
            minute
        };
        let (Some(from), Some(until)) = (minute("from", 0), minute("until", 1_440)) else {
            continue;
        };
        if days.is_empty() || from == until {
            reader.complain(&span, format!("the hours `{name}` are empty"));
        }
        header.hours.push(Hours {
            name: name.to_owned(),
            days,
            from,
            until,
        });
    }
}

/// `mon`, or `mon-fri`, also over the end of the week.
fn days_of(text: &str) -> Option<Vec<Weekday>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (
        Weekday::parse(first)? as usize,
        Weekday::parse(last)? as usize,
    );
    let count = (last + 7 - first) % 7;
    let days = Weekday::ALL.iter().cycle().skip(first).take(count + 1);
    Some(days.copied().collect())
}

fn approvals(reader: &mut Reader<'_>, header: &mut Header, value: &Value<'_>) {
    let Some(table) = reader.table("[approvals]", value) else {
        return;
    };
    only(
        reader,
        table,
        &["requester_may_approve", "open_minutes", "grant_minutes"],
    );
    let rules = &mut header.approvals;
    if let Some(value) = table.get("requester_may_approve") {
        rules.requester_may_approve = reader
            .boolean("requester_may_approve", value)
            .unwrap_or(false);
    }
    for (key, field) in [
        ("open_minutes", &mut rules.open_seconds),
        ("grant_minutes", &mut rules.grant_seconds),
    ] {
        if let Some(value) = table.get(key) {
            let minutes = reader.number(key, value).unwrap_or(1);
            if !(1..=MAX_MINUTES).contains(&minutes) {
                reader.complain(&value.span(), format!("{key} must be 1 to {MAX_MINUTES}"));
            }
            *field = minutes.min(MAX_MINUTES) * 60;
        }
    }
}

/// The longest that an approval may live: thirty days.
const MAX_MINUTES: u64 = 43_200;

fn examples(reader: &mut Reader<'_>, header: &mut Header, value: &Value<'_>) {
    for (role, span, value) in named(reader, "examples", value, MAX_ROLES) {
        if !header.roles.iter().any(|known| known.name == role) {
            let names = header.roles.iter().map(|role| role.name.as_str());
            reader.not_one_of(&span, "role", role, names);
        }
        let Some(table) = reader.table("examples", value) else {
            continue;
        };
        only(reader, table, &["allow", "confirm", "deny"]);
        for (key, expected) in [
            ("allow", Verdict::Allow),
            ("confirm", Verdict::Confirm),
            ("deny", Verdict::Deny),
        ] {
            let Some(list) = table.get(key) else { continue };
            for item in reader.list(key, list, MAX_EXAMPLES) {
                if let Some(example) = example(reader, role, item, expected) {
                    header.examples.push(example);
                }
            }
        }
    }
    if header.examples.len() > MAX_EXAMPLES {
        let message = format!("there are more than {MAX_EXAMPLES} examples");
        reader.complain(&value.span(), message);
    }
}

/// `"ls"`, or `{ run = "ls", target = "web-1", at = "sat 03:00", … }`.
fn example(
    reader: &mut Reader<'_>,
    role: &str,
    value: &Value<'_>,
    expected: Verdict,
) -> Option<Example> {
    let mut example = Example::new(role, "", expected);
    example.file = reader.file.to_owned();
    example.line = reader.line(&value.span());
    if let Some(run) = value.get_ref().as_str() {
        example.run = run.to_owned();
        return Some(example);
    }
    let table = reader.table("an example that is no text", value)?;
    only(
        reader,
        table,
        &[
            "run",
            "target",
            "groups",
            "cwd",
            "as",
            "at",
            "background",
            "env",
        ],
    );
    let text = |reader: &mut Reader<'_>, key: &str| {
        let value = table.get(key)?;
        reader.string(key, value).map(str::to_owned)
    };
    match text(reader, "run") {
        Some(run) => example.run = run,
        None => reader.complain(&value.span(), "an example needs `run`".to_owned()),
    }
    example.target = text(reader, "target").unwrap_or(example.target);
    example.cwd = text(reader, "cwd").unwrap_or(example.cwd);
    example.caller = text(reader, "as").unwrap_or(example.caller);
    if let Some(at) = text(reader, "at") {
        match Moment::parse(&at) {
            Some(at) => example.at = at,
            None => reader.complain(&value.span(), format!("`{at}` is no time: write sat 03:00")),
        }
    }
    if let Some(value) = table.get("background") {
        example.background = reader.boolean("background", value)?;
    }
    if let Some(value) = table.get("groups") {
        let names = reader.strings("groups", value, MAX_NAMES);
        example.groups = names.into_iter().map(|(name, _)| name.to_owned()).collect();
    }
    if let Some(value) = table.get("env") {
        let names = reader.strings("env", value, MAX_NAMES);
        example.env = names.into_iter().map(|(name, _)| name.to_owned()).collect();
    }
    Some(example)
}

/// The entries of a table of names.
fn named<'v, 'd>(
    reader: &mut Reader<'_>,
    what: &str,
    value: &'v Value<'d>,
    most: usize,
) -> Vec<(&'v str, Range<usize>, &'v Value<'d>)> {
    let mut entries = Vec::new();
    for (key, value) in reader.table(what, value).into_iter().flatten() {
        let name = key.get_ref().as_ref();
        let legal = !name.is_empty()
            && name.len() <= MAX_NAME_BYTES
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b))
            // Between an organization and a role in it.
            || (what == "roles" && of_organization(name));
        if !legal {
            let message = format!("`{name}` is no name: use a-z 0-9 - _");
            reader.complain(&key.span(), message);
        } else if entries.len() >= most {
            reader.complain(&key.span(), format!("{what} has more than {most} names"));
            break;
        } else {
            entries.push((name, key.span(), value));
        }
    }
    entries
}

fn of_organization(name: &str) -> bool {
    let Some((organization, role)) = name.split_once('/') else {
        return false;
    };
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !organization.is_empty()
        && name.len() <= MAX_NAME_BYTES
        && organization.bytes().all(plain)
        && wharf_model::Role::parse(role).is_some()
}

/// The longest name.
const MAX_NAME_BYTES: usize = 64;

/// Complains about keys that are not among `keys`.
fn only(reader: &mut Reader<'_>, table: &DeTable<'_>, keys: &[&'static str]) {
    for (key, _) in table {
        if !keys.contains(&key.get_ref().as_ref()) {
            reader.not_one_of(&key.span(), "key", key.get_ref(), keys.iter().copied());
        }
    }
}
