//! Programs that talk to other machines.

use super::files::value_of;
use super::touch::Touch;
use super::{Call, Options};
use crate::analysis::EffectKind;
use crate::walk::arg::Arg;
use crate::walk::{Feed, Walker};

/// Programs whose output comes from another machine.
const FETCHERS: &[&str] = &[
    "curl", "wget", "fetch", "http", "https", "xh", "aria2c", "nc", "ncat", "netcat", "telnet",
    "lynx", "w3m", "links", "ftp", "socat", "dig", "nslookup", "host", "aws", "gsutil",
];

pub(super) fn run(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    if FETCHERS.contains(&call.name) {
        walker.found.effect(EffectKind::NetworkOut, None, call.span);
        walker.output.network = true;
    }
    match call.name {
        "curl" => curl(walker, call),
        "wget" => {
            outputs(
                walker,
                call,
                &["-O", "--output-document", "-o", "-P", "--directory-prefix"],
            );
            uploads(
                walker,
                &value_of(call, &["--post-file", "--body-file"]),
                call,
            );
        }
        "nc" | "ncat" | "netcat" => sends_feed(walker, call, options),
        "scp" | "sftp" => scp(walker, options),
        _ => {}
    }
}

fn outputs(walker: &mut Walker<'_>, call: &Call<'_, '_>, names: &[&str]) {
    let files = value_of(call, names);
    for file in &files {
        walker.touch(Touch::Write, file);
        walker.note_download(file);
    }
    // Without a name, the file is called as the address ends.
    for arg in call
        .args
        .iter()
        .filter(|arg| !arg.is_option() && arg.text.contains(['/', '.']))
    {
        let name = arg.text.rsplit('/').next().unwrap_or_default();
        let name = name.split(['?', '#']).next().unwrap_or_default();
        if !name.is_empty() {
            walker.note_download(&Arg::literal(name.to_owned(), arg.span));
        }
    }
}

fn curl(walker: &mut Walker<'_>, call: &Call<'_, '_>) {
    outputs(
        walker,
        call,
        &[
            "-o",
            "--output",
            "--output-dir",
            "-D",
            "--dump-header",
            "-c",
            "--cookie-jar",
        ],
    );
    let sent = value_of(
        call,
        &[
            "-d",
            "--data",
            "--data-binary",
            "--data-raw",
            "--data-urlencode",
            "-F",
            "--form",
            "--json",
            "-T",
            "--upload-file",
        ],
    );
    uploads(walker, &sent, call);
}

/// Data that is sent: the files behind an `@`, and what comes through a pipe.
fn uploads(walker: &mut Walker<'_>, sent: &[Arg<'_>], call: &Call<'_, '_>) {
    let local = call.args.iter().any(|arg| {
        let host = arg
            .text
            .split_once("://")
            .map_or(arg.text.as_ref(), |(_, rest)| rest);
        host.starts_with("localhost")
            || host.starts_with("127.0.0.1")
            || host.starts_with("[::1]")
            || host.starts_with("0.0.0.0")
    });
    for arg in sent {
        let Some(path) = arg.text.rsplit_once('@').map(|(_, path)| path) else {
            continue;
        };
        let path = path.split(';').next().unwrap_or_default();
        if path == "-" {
            if !local && (walker.found.credentials_read || walker.feed == Feed::Opaque) {
                walker.found.note("sends-data", arg.span);
            }
            continue;
        }
        let file = Arg {
            text: path.to_owned().into(),
            word: None,
            ..arg.clone()
        };
        walker.touch(Touch::Read, &file);
        if !local && !walker.is_ordinary(&file) {
            walker.found.note("sends-data", arg.span);
        }
    }
    if !local && !sent.is_empty() && walker.found.credentials_read {
        walker.found.note("sends-data", call.span);
    }
}

/// `… | nc host port` sends what it reads.
fn sends_feed(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    if options.has("-z") || options.operands.is_empty() {
        return;
    }
    let sends =
        !matches!(walker.feed, Feed::None | Feed::Text(..)) || walker.found.credentials_read;
    if sends {
        walker.found.note("sends-data", call.span);
    }
}

fn scp(walker: &mut Walker<'_>, options: &Options<'_, '_>) {
    let Some((target, sources)) = options.operands.split_last() else {
        return;
    };
    let remote = |arg: &Arg<'_>| {
        arg.text
            .split('/')
            .next()
            .is_some_and(|host| host.contains(':'))
    };
    walker
        .found
        .effect(EffectKind::NetworkOut, Some(&target.text), target.span);
    for source in sources.iter().filter(|arg| !remote(arg)) {
        walker.touch(Touch::Read, source);
    }
    if !remote(target) {
        walker.touch(Touch::Write, target);
    }
}
