//! Users and groups: `id`, `groups`, passwd, group, shadow.

use super::Row;
use super::call::Call;
use super::cells::{between, given, int, put, row};
use super::known::Parser;

pub(super) const PARSERS: &[Parser] = &[
    Parser {
        name: "id",
        wants: |call| call.is(&["id"]),
        read: id,
    },
    Parser {
        name: "passwd",
        wants: |call| database(call, "passwd"),
        read: passwd,
    },
    Parser {
        name: "group",
        wants: |call| database(call, "group"),
        read: group,
    },
    Parser {
        name: "shadow",
        wants: |call| database(call, "shadow"),
        read: shadow,
    },
    Parser {
        name: "gshadow",
        wants: |call| database(call, "gshadow"),
        read: gshadow,
    },
];

/// Whether a file of accounts is printed, by a path or by `getent`.
fn database(call: &Call, name: &str) -> bool {
    call.file().is_some_and(|file| {
        file.strip_prefix("/etc/")
            .is_some_and(|file| file.trim_end_matches('-') == name)
    }) || call.is(&["getent"]) && call.sub() == name
}

/// `uid=0(root) gid=0(root) groups=0(root),1(daemon)`.
fn id(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .map(|line| {
            line.starts_with("uid=").then_some(())?;
            let mut row = Row::new();
            for part in line.split(' ') {
                let (name, value) = part.split_once('=')?;
                match name {
                    "uid" | "gid" | "euid" | "egid" => put(&mut row, name, named(value)?),
                    "groups" => {
                        let groups: Option<Vec<Row>> = value.split(',').map(named).collect();
                        put(&mut row, "groups", groups?);
                    }
                    "context" => {
                        let mut parts = value.splitn(4, ':');
                        put(&mut row, "context", row! {
                            "user" => parts.next(), "role" => parts.next(), "type" => parts.next(), "level" => parts.next(),
                        });
                    }
                    _ => return None,
                }
            }
            Some(row)
        })
        .collect()
}

/// `0(root)`.
fn named(text: &str) -> Option<Row> {
    let number = text.split('(').next()?;
    Some(row! { "id" => int(number)?, "name" => between(text, "(", ")") })
}

/// Lines of a file, without comments, cut at colons.
fn entries<'a>(lines: &[&'a str], count: usize) -> Option<Vec<Vec<&'a str>>> {
    lines
        .iter()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let cells: Vec<&str> = line.split(':').collect();
            (cells.len() == count).then_some(cells)
        })
        .collect()
}

fn passwd(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    entries(lines, 7)?
        .into_iter()
        .map(|cells| {
            let [name, password, uid, gid, comment, home, shell] = cells.as_slice() else {
                return None;
            };
            Some(row! {
                "username" => *name, "password" => hidden(password), "uid" => int(uid)?, "gid" => int(gid)?,
                "comment" => *comment, "home" => *home, "shell" => *shell,
            })
        })
        .collect()
}

fn group(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    entries(lines, 4)?
        .into_iter()
        .map(|cells| {
            let [name, password, gid, members] = cells.as_slice() else {
                return None;
            };
            Some(row! { "group_name" => *name, "password" => hidden(password), "gid" => int(gid)?, "members" => list(members) })
        })
        .collect()
}

fn list(members: &str) -> Vec<&str> {
    members
        .split(',')
        .filter(|member| !member.is_empty())
        .collect()
}

/// What stands for a password; a real one or its hash is not repeated.
fn hidden(password: &str) -> &str {
    if password.len() > 2 && !password.starts_with('!') && !password.starts_with('*') {
        "[redacted]"
    } else {
        password
    }
}

fn shadow(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    entries(lines, 9)?
        .into_iter()
        .map(|cells| {
            let [name, password, changed, minimum, maximum, warn, inactive, expire, _] = cells.as_slice() else {
                return None;
            };
            let number = |text: &str| match given(text) {
                Some(text) => int(text).map(Some),
                None => Some(None),
            };
            Some(row! {
                "username" => *name, "password" => hidden(password), "last_changed" => number(changed)?,
                "minimum" => number(minimum)?, "maximum" => number(maximum)?, "warn" => number(warn)?,
                "inactive" => number(inactive)?, "expire" => number(expire)?,
            })
        })
        .collect()
}

fn gshadow(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    entries(lines, 4)?
        .into_iter()
        .map(|cells| {
            let [name, password, administrators, members] = cells.as_slice() else {
                return None;
            };
            Some(row! { "group_name" => *name, "password" => hidden(password), "administrators" => list(administrators), "members" => list(members) })
        })
        .collect()
}
