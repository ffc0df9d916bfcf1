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
        metadata_service(walker, call);
    }
    match call.name {
        "curl" => curl(walker, call),
        "wget" => {
            outputs(
                walker,
                call,
                &["-O", "--output-document", "-o", "-P", "--directory-prefix"],
            );
            for file in value_of(call, &["--post-file", "--body-file"]) {
                upload(walker, &file.text, &file);
            }
            uploads(
                walker,
                &value_of(call, &["--post-data", "--body-data"]),
                call,
            );
        }
        "nc" | "ncat" | "netcat" => sends_feed(walker, call, options),
        "aria2c" | "axel" | "fetch" => outputs(walker, call, &["-o", "--out"]),
        "scp" | "sftp" => scp(walker, options),
        _ => {}
    }
}

fn outputs(walker: &mut Walker<'_>, call: &Call<'_, '_>, names: &[&str]) {
    let mut files = value_of(call, names);
    match call.name {
        "curl" => files.extend(clustered_output(call, 'o')),
        "wget" => files.extend(clustered_output(call, 'O')),
        _ => {}
    }
    for file in &files {
        walker.touch(Touch::Write, file);
        walker.note_download(file);
    }
    let directories = value_of(
        call,
        &["-P", "--directory-prefix", "--output-dir", "-d", "--dir"],
    );
    // Without a name, the file is called as the address ends.
    for arg in call
        .args
        .iter()
        .filter(|arg| !arg.is_option() && arg.text.contains(['/', '.']))
    {
        let name = arg.text.rsplit('/').next().unwrap_or_default();
        let name = name.split(['?', '#']).next().unwrap_or_default();
        if name.is_empty() {
            continue;
        }
        walker.note_download(&Arg::literal(name.to_owned(), arg.span));
        for directory in &directories {
            let path = format!("{}/{name}", directory.text);
            walker.note_download(&Arg::literal(path, arg.span));
        }
    }
}

/// The file of an option at the end of a cluster such as `-sLo`.
fn clustered_output<'t>(call: &Call<'_, 't>, letter: char) -> Option<Arg<'t>> {
    let mut args = call.args.iter();
    while let Some(arg) = args.next() {
        let letters = arg.text.strip_prefix('-').unwrap_or_default();
        let cluster = letters.len() > 1 && letters.bytes().all(|b| b.is_ascii_alphabetic());
        if cluster && letters.ends_with(letter) {
            return args.next().cloned();
        }
    }
    None
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
        ],
    );
    uploads(walker, &sent, call);
    for letter in ['d', 'F'] {
        if let Some(sent) = clustered_output(call, letter) {
            uploads(walker, &[sent], call);
        }
    }
    for format in value_of(call, &["-w", "--write-out"]) {
        for part in format.text.split("%output{").skip(1) {
            let path = part.split('}').next().unwrap_or_default();
            let path = path.trim_start_matches('>').to_owned();
            walker.touch(Touch::Write, &Arg::literal(path, format.span));
        }
    }
    let socket = |arg: &&Arg<'_>| {
        [
            "docker.sock",
            "containerd.sock",
            "podman.sock",
            "lxd/unix.socket",
            "incus/unix.socket",
        ]
        .iter()
        .any(|socket| arg.text.ends_with(socket))
    };
    let methods = value_of(call, &["-X", "--request"]);
    let changes = !sent.is_empty()
        || methods
            .iter()
            .any(|method| !method.is("GET") && !method.is("HEAD"));
    if let Some(arg) = call.args.iter().find(socket).filter(|_| changes) {
        walker.found.note("container-host-access", arg.span);
    }
    if !call.args.iter().any(is_local) {
        for file in value_of(call, &["-T", "--upload-file"]) {
            upload(walker, &file.text, &file);
        }
    }
}

/// Data that is sent: values, the files behind an `@`, and what comes through a pipe.
fn uploads(walker: &mut Walker<'_>, sent: &[Arg<'_>], call: &Call<'_, '_>) {
    if call.args.iter().any(is_local) {
        return;
    }
    for arg in sent {
        let file = arg
            .text
            .rsplit_once('@')
            .or_else(|| arg.text.split_once("=<"));
        let path = file.map(|(_, path)| path);
        if let Some(path) = path.and_then(|path| path.split(';').next()) {
            upload(walker, path, arg);
        } else if arg.traits.secret {
            walker.found.note("sends-data", arg.span);
        }
    }
    if !sent.is_empty() && walker.found.credentials_read {
        walker.found.note("sends-data", call.span);
    }
    // An address that is made of a secret hands it over; a header is how one logs in.
    let before = std::iter::once(None).chain(call.args.iter().map(Some));
    let secret = call.args.iter().zip(before).find(|(arg, before)| {
        let header = |flag: &Arg<'_>| {
            matches!(
                flag.text.as_ref(),
                "-H" | "--header" | "-u" | "--user" | "-b" | "--oauth2-bearer" | "-E" | "--cert"
            )
        };
        let joined = ["-H", "-u", "--header=", "--user="];
        arg.traits.secret
            && !before.is_some_and(header)
            && !joined.iter().any(|flag| arg.text.starts_with(flag))
    });
    if let Some((arg, _)) = secret {
        walker.found.note("sends-data", arg.span);
    }
}

/// A file that is sent; `-` is what comes through a pipe.
fn upload(walker: &mut Walker<'_>, path: &str, arg: &Arg<'_>) {
    if path == "-" {
        let hidden = match &walker.feed {
            Feed::Contents(file) | Feed::File(file) => {
                !walker.is_ordinary(&Arg::literal(file.clone(), arg.span))
            }
            Feed::None | Feed::Text(_) => false,
            _ => true,
        };
        if walker.found.credentials_read || hidden {
            walker.found.note("sends-data", arg.span);
        }
        return;
    }
    let file = Arg {
        text: path.to_owned().into(),
        word: None,
        ..arg.clone()
    };
    walker.touch(Touch::Read, &file);
    let secret = walker
        .content_of(path)
        .is_some_and(|content| content.secret);
    if secret || !walker.is_ordinary(&file) {
        walker.found.note("sends-data", arg.span);
    }
}

/// Whether an address is one of this machine.
pub(super) fn is_local(arg: &Arg<'_>) -> bool {
    let text = arg.text.as_ref();
    let host = text.split_once("://").map_or(text, |(_, rest)| rest);
    ["localhost", "127.0.0.1", "[::1]", "0.0.0.0"]
        .iter()
        .any(|local| host.starts_with(local))
}

/// Where clouds hand out the credentials of a machine.
fn metadata_service(walker: &mut Walker<'_>, call: &Call<'_, '_>) {
    const ADDRESSES: &[&str] = &[
        "169.254.169.254",
        "metadata.google.internal",
        "100.100.100.200",
        "169.254.170.2",
        "[fd00:ec2::254]",
    ];
    let asks = |arg: &&Arg<'_>| ADDRESSES.iter().any(|address| arg.text.contains(address));
    if let Some(arg) = call.args.iter().find(asks) {
        walker.found.credentials_read = true;
        walker.found.note("reads-credentials", arg.span);
    }
}

/// `… | nc host port` sends what it reads.
fn sends_feed(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    if options.has("-z") || options.operands.is_empty() {
        return;
    }
    let sends = !matches!(walker.feed, Feed::None | Feed::Text(_)) || walker.found.credentials_read;
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
    if remote(target) {
        walker.touch_elsewhere(target);
    } else {
        walker.touch(Touch::Write, target);
        for source in sources.iter().filter(|arg| remote(arg)) {
            let name = source.text.rsplit(['/', ':']).next().unwrap_or_default();
            let path = format!("{}/{name}", target.text);
            walker.note_download(&Arg::literal(path, source.span));
            walker.note_download(target);
        }
    }
}
