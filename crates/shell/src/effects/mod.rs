//! What one program with its arguments does.
//!
//! Most of it is data in `data/rules`; here is what needs to read arguments in a program's own
//! way: which operands are sources and which are targets, and what a script in another language
//! or a pipe into an interpreter amounts to.

mod amounts;
mod apis;
mod credentials;
mod elsewhere;
mod exposes;
mod files;
mod find;
mod frameworks;
mod git;
mod interactive;
mod machines;
mod manifests;
mod matching;
mod network;
mod outputs;
mod sed;
mod sql;
mod system;
pub(crate) mod touch;
mod verbs;

pub(crate) use files::value_of;
pub(crate) use find::{is_narrowed as find_narrowed, one as find_one, roots as find_roots};
pub(crate) use matching::{Options, asks_for_help, matches};
pub(crate) use outputs::names_output;

use crate::analysis::{EffectKind, Kind, Risk, Span, TimeoutClass};
use crate::rules;
use crate::walk::Walker;
use crate::walk::arg::Arg;
use crate::walk::source::Source;

/// What it costs to compare an argument with a rule or a subcommand.
const COMPARISON_COST: usize = 8;

/// A program and its arguments.
pub(crate) struct Call<'a, 't> {
    /// Basename of the program.
    pub(crate) name: &'a str,
    pub(crate) args: &'a [Arg<'t>],
    pub(crate) span: Span,
    pub(crate) source: &'a Source<'t>,
}

const PACKAGE_MANAGERS: &[&str] = &[
    "apt",
    "apt-get",
    "aptitude",
    "dpkg",
    "yum",
    "dnf",
    "rpm",
    "zypper",
    "pacman",
    "apk",
    "brew",
    "snap",
    "flatpak",
    "npm",
    "npx",
    "pnpm",
    "yarn",
    "bun",
    "pip",
    "pip3",
    "pipx",
    "uv",
    "poetry",
    "pipenv",
    "conda",
    "mamba",
    "gem",
    "bundle",
    "composer",
    "cargo",
    "emerge",
    "nix-env",
    "cpan",
    "cpanm",
    "opkg",
    "easy_install",
    "apt-mark",
    "apt-key",
];
const CONTAINER_TOOLS: &[&str] = &[
    "docker",
    "podman",
    "docker-compose",
    "podman-compose",
    "nerdctl",
    "buildah",
    "crictl",
    "ctr",
    "lxc",
];

/// Records what the call does.
pub(crate) fn run(walker: &mut Walker<'_>, call: &Call<'_, '_>) {
    let compared = rules::weight(call.name) * (call.args.len() + 1);
    if !walker.charge(compared * COMPARISON_COST, call.span) {
        return;
    }
    classify(walker, call.name);
    let options = Options::read(call);
    if options.only_help(call) {
        return;
    }
    let decoded = |arg: &&Arg<'_>| arg.traits.decoded;
    if walker.found.elevated
        && let Some(arg) = call.args.iter().find(decoded)
    {
        // What it is done to was written so that nobody reads it.
        walker.found.note("hidden-code", arg.span);
    }
    let mut acted = false;
    let plain = rules::is_harmless(call.name);
    let rehearses = !plain && verbs::rehearses(call, &options);
    for rule in rules::for_program(call.name) {
        if rehearses && verbs::is_rehearsed(rule) {
            continue;
        }
        if matches(rule, call, &options) && !(rule.spares_tests && verbs::for_tests(walker, call)) {
            walker.found.report(rule, call.span);
            acted = true;
        }
    }
    let before = walker.found.effects.len();
    if !plain && !rehearses {
        verbs::run(walker, call, &options);
        frameworks::run(walker, call, &options);
        exposes::run(walker, call, &options);
        machines::run(walker, call, &options);
    }
    files::run(walker, call, &options);
    outputs::run(walker, call, &options);
    credentials::run(walker, call, &options);
    git::run(walker, call, &options);
    find::run(walker, call);
    network::run(walker, call, &options);
    if !rehearses {
        system::run(walker, call, &options);
    }
    sed::run(walker, call);
    apis::run(walker, call, &options);
    amounts::run(walker, call);
    manifests::run(walker, call, &options);
    interactive::run(walker, call, &options);
    elsewhere::run(walker, call, &options);
    acted |= walker.found.effects.get(before..).is_some_and(|new| {
        new.iter().any(|effect| {
            !matches!(
                effect.kind,
                EffectKind::Read | EffectKind::NetworkOut | EffectKind::Interactive
            )
        })
    });
    let harmless = rehearses
        || plain
        || options.starts_with_any(rules::harmless_subcommands(call.name))
        || sql::only_looks(walker, call);
    if walker.found.elevated && (acted || !harmless) {
        walker.found.note("privileged-effect", call.span);
    }
    if !harmless {
        walker.found.raise(Risk::Medium);
    }
}

/// Records what a file does that is run by its path and that nothing is known of.
pub(crate) fn run_file(walker: &mut Walker<'_>, call: &Call<'_, '_>) {
    let options = Options::read(call);
    if options.only_help(call) {
        return;
    }
    if walker.found.elevated {
        walker.found.note("privileged-effect", call.span);
    }
    system::servers(walker, call, &options);
    walker.found.raise(Risk::Medium);
}

fn classify(walker: &mut Walker<'_>, name: &str) {
    if walker.via.is_some() {
        return;
    }
    if PACKAGE_MANAGERS.contains(&name) {
        walker.found.shape(Kind::PackageManager);
        raise_timeout(walker, TimeoutClass::PackageManager);
    } else if CONTAINER_TOOLS.contains(&name) {
        walker.found.shape(Kind::Docker);
        raise_timeout(walker, TimeoutClass::Container);
    }
}

pub(crate) fn raise_timeout(walker: &mut Walker<'_>, class: TimeoutClass) {
    if class.seconds() > walker.found.timeout.seconds() {
        walker.found.timeout = class;
    }
}
