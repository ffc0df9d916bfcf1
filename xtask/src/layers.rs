//! Which crate may depend on which, and which outside crate has one home.
//!
//! The rules are data: [`ROWS`] for our own crates, [`HOMES`] for outside crates that one
//! crate of ours wraps, [`PURE`] for crates that must not reach the outside world at all.
//! They are read against `cargo metadata`, so a `use` cannot slip past them. A violation is
//! a sentence: which edge, and why the rule exists.
//!
//! Normal and build dependencies are judged. Dev-dependencies follow the rows as well, but
//! may add `wharf-testkit`, and may use any outside crate.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, Package, PackageId};

/// What one of our crates may depend on, and what is lost if it depends on more.
struct Row {
    name: &'static str,
    may: &'static [&'static str],
    why: &'static str,
}

const TESTKIT: &str = "wharf-testkit";

/// Lowest layer first, as in ARCHITECTURE.md. Rows may precede their crates.
const ROWS: &[Row] = &[
    Row {
        name: "wharf-model",
        may: &[],
        why: "the words that all crates share must not drag a layer along",
    },
    Row {
        name: "wharf-linux",
        may: &[],
        why: "calls of the system are made the same way whoever makes them",
    },
    Row {
        name: "wharf-shell",
        may: &[],
        why: "analysis is a function of the text alone, so that it can be fuzzed and trusted",
    },
    Row {
        name: "wharf-secrets",
        may: &[],
        why: "what a secret looks like is asked by crates that have nothing else in common",
    },
    Row {
        name: "wharf-output",
        may: &["wharf-secrets", "wharf-shell"],
        why: "what an output says is a function of its bytes and of the command that made it",
    },
    Row {
        name: "wharf-policy",
        may: &["wharf-model", "wharf-shell"],
        why: "a policy is text that anybody can test anywhere; it knows no server and no database",
    },
    Row {
        name: "wharf-api",
        may: &[],
        why: "the wire format must not change because something inside was renamed",
    },
    Row {
        name: "wharf-ssh",
        may: &["wharf-model"],
        why: "a connection knows neither the database nor who may use it",
    },
    Row {
        name: "wharf-exec",
        may: &["wharf-linux", "wharf-model", "wharf-ssh"],
        why: "processes are started by whoever holds a decision; exec does not make or record one",
    },
    Row {
        name: "wharf-sandbox",
        may: &["wharf-linux", "wharf-model", "wharf-ssh"],
        why: "a provider makes machines; it does not decide what runs there, and runs nothing there \
              itself but what makes them",
    },
    Row {
        name: "wharf-store",
        may: &["wharf-model"],
        why: "what is kept must not depend on who keeps it, or a migration would need the engine",
    },
    Row {
        name: "wharf-engine",
        may: &[
            "wharf-model",
            "wharf-shell",
            "wharf-output",
            "wharf-policy",
            "wharf-exec",
            "wharf-store",
        ],
        why: "use cases are the same behind HTTP, the command line and the tests",
    },
    Row {
        name: "wharf-identity",
        may: &["wharf-model", "wharf-store"],
        why: "who somebody is does not depend on what they run",
    },
    Row {
        name: "wharf-profiles",
        may: &["wharf-model", "wharf-ssh", "wharf-store"],
        why: "configuration is kept apart from what runs; of SSH it takes the making of keys",
    },
    Row {
        name: "wharf-gateway",
        may: &["wharf-model", "wharf-exec", "wharf-sandbox", "wharf-store"],
        why: "sandbox sessions are use cases, and use cases do not know HTTP",
    },
    Row {
        name: "wharf-server",
        may: &[
            "wharf-api",
            "wharf-model",
            "wharf-engine",
            "wharf-identity",
            "wharf-profiles",
            "wharf-gateway",
        ],
        why: "a handler parses, calls one use case and renders; reaching past the use case would \
              skip the decision and the record",
    },
    Row {
        name: "wharf-client",
        may: &["wharf-api", "wharf-model"],
        why: "a client must not need the server's code to talk to it",
    },
    Row {
        name: "wharf-localstate",
        may: &["wharf-model"],
        why: "files on the user's machine are read before there is a network or a server",
    },
    Row {
        name: "wharf-sync",
        may: &["wharf-localstate", "wharf-secrets"],
        why: "what a sync does to a person's files is decided and tested without a server",
    },
    Row {
        name: "wharf-workspace",
        may: &[
            "wharf-model",
            "wharf-secrets",
            "wharf-ssh",
            "wharf-localstate",
            "wharf-sync",
        ],
        why: "moving a directory needs a connection, not the engine or the server; of wharf-sync it \
              takes the merge of texts",
    },
];

/// Crates that put the others together. They may depend on all of ours but the testkit.
const ASSEMBLERS: &[&str] = &["wharf", TESTKIT];

/// The tasks for developers, which must start when the product does not compile.
const TASKS: &str = "xtask";

/// Outside crates that only some of our crates may name.
struct Home {
    family: &'static [&'static str],
    allowed: &'static [&'static str],
    why: &'static str,
}

const HOMES: &[Home] = &[
    Home {
        family: &[
            "sqlx",
            "sqlx-core",
            "rusqlite",
            "libsqlite3-sys",
            "tokio-postgres",
        ],
        allowed: &["wharf-store"],
        why: "SQL is written in one crate, behind traits that both databases pass",
    },
    Home {
        family: &[
            "axum",
            "axum-extra",
            "utoipa-axum",
            "utoipa-swagger-ui",
            "tower-http",
        ],
        allowed: &["wharf-server"],
        why: "HTTP is served in one crate; nothing below it may know that HTTP exists",
    },
    Home {
        family: &["russh", "ssh2"],
        allowed: &["wharf-ssh"],
        why: "host keys are verified in one crate, so that there is no second way to connect",
    },
    Home {
        family: &["russh-sftp"],
        allowed: &["wharf-exec"],
        why: "files are reached through one port, whose limits hold whichever way they are moved; \
              the channel comes from wharf-ssh, since this crate cannot connect",
    },
    Home {
        family: &["argon2", "aws-lc-rs", "jsonwebtoken"],
        allowed: &["wharf-identity"],
        why: "passwords are tried and tokens verified in one crate, so that there is one answer to \
              who somebody is",
    },
    Home {
        family: &["clap", "clap_complete"],
        allowed: &["wharf", TASKS],
        why: "flags are parsed at the edge and become plain options",
    },
    Home {
        family: &[
            "keyring-core",
            "linux-keyutils-keyring-store",
            "zbus-secret-service-keyring-store",
        ],
        allowed: &["wharf-localstate"],
        why: "where a login is kept is decided in one crate, which never falls back to a weaker place",
    },
    Home {
        family: &["gix", "gix-odb", "git2"],
        allowed: &["wharf-profiles"],
        why: "repositories are written in one crate, which flushes and locks",
    },
    Home {
        family: &["reqwest"],
        allowed: &["wharf-client"],
        why: "requests are made in one crate, which holds the rules for tokens and retries",
    },
    Home {
        family: &["lettre"],
        allowed: &["wharf"],
        why: "mail is sent by an adapter of the binary's; what is written is decided by who somebody is",
    },
    Home {
        family: &["anstream", "owo-colors"],
        allowed: &["wharf"],
        why: "only the binary speaks to a person",
    },
    Home {
        family: &["anyhow"],
        allowed: &["wharf", TASKS, TESTKIT],
        why: "a library's errors name the step that failed, so that callers can match on them",
    },
];

/// Crates that compute and do nothing else: neither they nor what they pull in may do IO.
const PURE: &[&str] = &[
    "wharf-model",
    "wharf-shell",
    "wharf-secrets",
    "wharf-output",
    "wharf-policy",
    "wharf-api",
];

/// What a pure crate must not reach, even through another crate.
const WORLD: &[&str] = &[
    "async-std",
    "hyper",
    "libsqlite3-sys",
    "mio",
    "reqwest",
    "rustix",
    "smol",
    "tempfile",
    "tokio",
];

/// All violations in the workspace, each as a sentence; none if the layers hold.
pub(crate) fn violations(metadata: &Metadata) -> Vec<String> {
    let mut found = Vec::new();
    for package in metadata.workspace_packages() {
        let ours = our_edges(metadata, package);
        found.extend(ours.iter().filter_map(|edge| judge_ours(edge)));
        found.extend(
            outside_edges(metadata, package)
                .iter()
                .filter_map(|edge| judge_outside(edge)),
        );
        found.extend(judge_known(&package.name));
    }
    for (name, reached) in worlds(metadata) {
        found.push(format!(
            "{name} reaches {reached}: {name} is pure (no IO, no async), so that it can run \
             anywhere and be tested with text alone"
        ));
    }
    found.sort();
    found.dedup();
    found
}

struct Edge<'a> {
    from: &'a str,
    to: &'a str,
    kind: DependencyKind,
}

fn our_edges<'a>(metadata: &'a Metadata, package: &'a Package) -> Vec<Edge<'a>> {
    edges(package)
        .filter(|edge| is_ours(metadata, edge.to))
        .collect()
}

fn outside_edges<'a>(metadata: &'a Metadata, package: &'a Package) -> Vec<Edge<'a>> {
    edges(package)
        .filter(|edge| !is_ours(metadata, edge.to))
        .collect()
}

fn edges(package: &Package) -> impl Iterator<Item = Edge<'_>> {
    package.dependencies.iter().map(|dependency| Edge {
        from: &package.name,
        to: &dependency.name,
        kind: dependency.kind,
    })
}

fn is_ours(metadata: &Metadata, name: &str) -> bool {
    metadata
        .workspace_packages()
        .iter()
        .any(|package| package.name == name)
}

fn judge_known(name: &str) -> Option<String> {
    let known =
        ASSEMBLERS.contains(&name) || name == TASKS || ROWS.iter().any(|row| row.name == name);
    (!known).then(|| {
        format!("{name} has no row in xtask/src/layers.rs: say what it may depend on, and why")
    })
}

fn judge_ours(edge: &Edge<'_>) -> Option<String> {
    let Edge { from, to, kind } = edge;
    if *to == TESTKIT {
        return (*kind != DependencyKind::Development).then(|| {
            format!(
                "{from} depends on {TESTKIT}: it is only ever a dev-dependency, because what \
                 makes tests short must not be shipped"
            )
        });
    }
    if *from == TASKS {
        return Some(format!(
            "{TASKS} depends on {to}: the tasks must start when a crate does not compile"
        ));
    }
    if ASSEMBLERS.contains(from) {
        return None;
    }
    let row = ROWS.iter().find(|row| row.name == *from)?;
    if row.may.contains(to) {
        return None;
    }
    let may = match row.may {
        [] => "none of our crates".to_owned(),
        allowed => format!("only {}", allowed.join(", ")),
    };
    Some(format!(
        "{from} depends on {to}, but may depend on {may}: {}",
        row.why
    ))
}

fn judge_outside(edge: &Edge<'_>) -> Option<String> {
    if edge.kind == DependencyKind::Development {
        return None;
    }
    let home = HOMES.iter().find(|home| home.family.contains(&edge.to))?;
    if home.allowed.contains(&edge.from) {
        return None;
    }
    Some(format!(
        "{} depends on {}, which belongs to {}: {}",
        edge.from,
        edge.to,
        home.allowed.join(" and "),
        home.why
    ))
}

/// Each pure crate with each crate of [`WORLD`] that its normal dependencies lead to.
fn worlds(metadata: &Metadata) -> Vec<(String, String)> {
    let names: BTreeMap<&PackageId, &str> = metadata
        .packages
        .iter()
        .map(|package| (&package.id, package.name.as_str()))
        .collect();
    let mut found = Vec::new();
    for package in metadata.workspace_packages() {
        if !PURE.contains(&package.name.as_str()) {
            continue;
        }
        for reached in closure(metadata, &package.id) {
            let name = names.get(reached).copied().unwrap_or_default();
            if WORLD.contains(&name) {
                found.push((package.name.to_string(), name.to_owned()));
            }
        }
    }
    found
}

/// Everything that a package's normal dependencies lead to.
fn closure<'a>(metadata: &'a Metadata, start: &'a PackageId) -> BTreeSet<&'a PackageId> {
    let graph: BTreeMap<&PackageId, _> = metadata
        .resolve
        .iter()
        .flat_map(|resolve| &resolve.nodes)
        .map(|node| (&node.id, &node.deps))
        .collect();
    let mut seen = BTreeSet::new();
    let mut open = vec![start];
    while let Some(id) = open.pop() {
        for dependency in graph.get(id).copied().into_iter().flatten() {
            let is_normal = dependency
                .dep_kinds
                .iter()
                .any(|kind| kind.kind == DependencyKind::Normal);
            if is_normal && seen.insert(&dependency.pkg) {
                open.push(&dependency.pkg);
            }
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal<'a>(from: &'a str, to: &'a str) -> Edge<'a> {
        Edge {
            from,
            to,
            kind: DependencyKind::Normal,
        }
    }

    fn development<'a>(from: &'a str, to: &'a str) -> Edge<'a> {
        Edge {
            from,
            to,
            kind: DependencyKind::Development,
        }
    }

    #[test]
    fn this_workspace_keeps_its_layers() {
        let project = crate::project::Project::find().expect("the workspace");
        assert_eq!(violations(&project.metadata), Vec::<String>::new());
    }

    #[test]
    fn a_wrong_edge_is_named_with_its_reason() {
        let sentence = judge_ours(&normal("wharf-server", "wharf-store")).expect("a violation");
        assert!(
            sentence.starts_with("wharf-server depends on wharf-store, but may depend on only")
        );
        assert!(
            sentence.contains("would skip the decision and the record"),
            "{sentence}"
        );
    }

    #[test]
    fn a_crate_without_dependencies_is_told_so() {
        let sentence = judge_ours(&normal("wharf-shell", "wharf-model")).expect("a violation");
        assert!(sentence.contains("none of our crates"), "{sentence}");
    }

    #[test]
    fn the_testkit_is_a_dev_dependency_and_nothing_else() {
        assert!(judge_ours(&development("wharf-model", "wharf-testkit")).is_none());
        assert!(judge_ours(&normal("wharf", "wharf-testkit")).is_some());
        assert!(judge_ours(&normal("wharf-testkit", "wharf-server")).is_none());
    }

    #[test]
    fn dev_dependencies_follow_the_rows() {
        assert!(judge_ours(&development("wharf-store", "wharf-engine")).is_some());
        assert!(judge_ours(&development("wharf-engine", "wharf-store")).is_none());
    }

    #[test]
    fn an_outside_crate_stays_in_its_home() {
        assert!(judge_outside(&normal("wharf-store", "sqlx")).is_none());
        for from in ["wharf", "wharf-engine", "wharf-testkit", "wharf-server"] {
            assert!(judge_outside(&normal(from, "sqlx")).is_some(), "{from}");
        }
        for to in ["axum", "sqlx", "russh", "clap"] {
            assert!(judge_outside(&normal("wharf-engine", to)).is_some(), "{to}");
        }
        assert!(judge_outside(&development("wharf-engine", "clap")).is_none());
    }

    #[test]
    fn a_crate_without_a_row_is_refused() {
        assert!(judge_known("wharf-surprise").is_some());
        for name in ["wharf", "wharf-model", "wharf-testkit", "xtask"] {
            assert!(judge_known(name).is_none(), "{name}");
        }
    }

    #[test]
    fn what_a_crate_reaches_is_followed_through_others() {
        let project = crate::project::Project::find().expect("the workspace");
        let metadata = &project.metadata;
        let store = metadata
            .workspace_packages()
            .into_iter()
            .find(|package| package.name == "wharf-store")
            .expect("wharf-store");
        let reached = closure(metadata, &store.id);
        let mio = metadata
            .packages
            .iter()
            .find(|package| package.name == "mio")
            .expect("mio");
        assert!(
            store
                .dependencies
                .iter()
                .all(|dependency| dependency.name != "mio")
        );
        assert!(reached.contains(&mio.id), "store reaches mio through tokio");
    }
}
