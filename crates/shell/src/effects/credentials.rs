//! Files with credentials that an argument names: as an operand, as the value of an option, behind
//! an `@`, or as one side of a mount.
//!
//! Whoever names such a file to a program that reads files has it read. Programs that only look at
//! names and modes, and those that take a key to log in with, are told apart.

use super::{Call, Options};
use crate::place;
use crate::rules::{self, Group};
use crate::walk::Walker;
use crate::walk::arg::Arg;

/// Tools of `openssl` that read certificates, which are public.
const ON_CERTIFICATES: &[&str] = &[
    "x509",
    "verify",
    "crl",
    "crl2pkcs7",
    "s_client",
    "storeutl",
    "ocsp",
    "ts",
    "asn1parse",
];

/// Tools of `openssl` that write what they name.
const CREATES: &[&str] = &["req", "genrsa", "genpkey", "ecparam", "dhparam", "rand"];

pub(super) fn run(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    match call.name {
        "git" => return git(walker, call, options),
        "docker" | "podman" | "nerdctl" => return container(walker, call, options),
        "kubectl" | "oc" => {
            let files = super::value_of(call, &["--from-file", "--from-env-file"]);
            return each(
                walker,
                files
                    .iter()
                    .filter(|file| file.text.starts_with(['/', '~'])),
            );
        }
        "openssl" if CREATES.iter().any(|verb| options.starts_with(verb)) => return,
        name if rules::is_in(name, Group::NotReaders) => return,
        _ => {}
    }
    let certificates =
        call.name == "openssl" && ON_CERTIFICATES.iter().any(|verb| options.starts_with(verb));
    let public = |arg: &&Arg<'_>| {
        let name = arg.text.rsplit('/').next().unwrap_or_default();
        certificates && name.ends_with(".pem") && !name.contains("key") && !name.contains("priv")
    };
    each(walker, call.args.iter().filter(|arg| !public(arg)));
}

fn each<'a, 't: 'a>(walker: &mut Walker<'_>, args: impl Iterator<Item = &'a Arg<'t>>) {
    for arg in args.filter(|arg| arg.text.len() > 3) {
        let parts = arg
            .text
            .bytes()
            .filter(|b| matches!(b, b'=' | b'@' | b',' | b':'));
        if !walker.charge(parts.count() * PART_COST, arg.span) {
            return;
        }
        if named(walker, &arg.text) {
            walker.found.credentials_read = true;
            walker.found.note("reads-credentials", arg.span);
        }
    }
}

/// What it costs to look at a part of an argument.
const PART_COST: usize = 100;

/// Whether a path of credentials stands in the text: alone, or as a part of a setting.
fn named(walker: &Walker<'_>, text: &str) -> bool {
    if !text.contains(['/', '.']) || text.contains("://") && !text.starts_with("file:") {
        return false;
    }
    let holds = |path: &str| {
        path.contains(['/', '.'])
            && place::holds_credentials(&walker.place.resolve(&walker.of_home(path)))
    };
    let whole = text.strip_prefix("file://").unwrap_or(text);
    let whole = whole.rsplit(['=', '@']).next().unwrap_or_default();
    holds(whole) || text.contains([',', ':']) && text.split(['=', '@', ',', ':']).any(holds)
}

/// `git commit -F key`, `git diff --no-index /dev/null key`, `git hash-object -w key`.
fn git(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    let any = |verbs: &[&str]| verbs.iter().any(|verb| options.starts_with(verb));
    if any(&["commit", "tag", "notes", "merge", "commit-tree"]) {
        let files = super::value_of(call, &["-F", "--file"]);
        each(walker, files.iter());
    } else if options.has_exactly("--no-index")
        || any(&["hash-object", "mailinfo", "patch-id", "apply", "am"])
    {
        each(walker, call.args.iter());
    }
}

/// `docker cp key c:/`, `docker build --secret id=k,src=key`.
fn container(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    if options.starts_with("cp") || options.starts_with("container cp") {
        return each(walker, options.operands.iter().skip(1).copied());
    }
    let secrets = super::value_of(call, &["--secret", "--ssh", "--build-context"]);
    each(walker, secrets.iter());
}
