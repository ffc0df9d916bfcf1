//! One file to show to somebody who helps: what the doctor says, settings, the ends of the logs.
//! Nothing of what was run, and no secret.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde_json::json;
use wharf_localstate::credentials::Keeper;
use wharf_localstate::private;
use wharf_model::TokenKind;

use super::{Level, Line, as_json, as_report};
use crate::commands::{DONE, Outcome};
use crate::config::keys::KEYS;
use crate::config::options::ClientOptions;
use crate::config::value::Value;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::login::{day, now};
use crate::tar::{self, Member};
use crate::ui::{self, Ui};
use crate::wire::block_on;

/// Bytes of each log's end.
const LOG_BYTES: u64 = 64 * 1024;
/// Most log files, the newest.
const LOGS_MAX: usize = 8;
/// The shortest secret that is looked for by its own text.
const SECRET_BYTES_MIN: usize = 8;
/// Stands where a secret stood.
const MARK: &str = "[redacted]";

/// Says what goes in, asks, and writes it.
pub(super) fn write(cx: &Context, file: Option<&Path>, lines: &[Line], yes: bool) -> Outcome {
    let files = collect(cx, lines);
    let name = format!("wharf-doctor-{}.tar.gz", day(now()));
    let file = match (file, cx.world.cwd()) {
        (Some(file), Some(cwd)) => cwd.join(file),
        (Some(file), None) => file.to_owned(),
        (None, cwd) => cwd.unwrap_or(Path::new("/tmp")).join(name),
    };
    let mut list = format!("{} will hold:\n", file.display());
    for (name, text) in &files {
        list.push_str(&format!("  {name:<32} {:>8} bytes\n", text.len()));
    }
    list.push_str("No tokens, keys, commands or outputs; secrets in logs are replaced.\n");
    cx.ui.say(&ui::neutral::neutral(&list));
    if !yes && !block_on(async { Ok(cx.ui.yes("Write it?").await) })? {
        return Err(CommandError::new(Kind::Approval, "nothing was written")
            .hint("--yes writes it without asking"));
    }
    let packed = tar::pack(&members(files), now().millis() / 1000)
        .map_err(|error| CommandError::failed("cannot pack the bundle").because(error))?;
    if !private::create(&file, &packed)? {
        let message = format!("{} is there already", file.display());
        return Err(CommandError::new(Kind::Conflict, message).hint("name another file"));
    }
    if cx.ui.json {
        ui::data(&format!("{}\n", json!({ "bundle": file })))?;
    } else {
        ui::data(&format!("{}\n", file.display()))?;
    }
    Ok(DONE)
}

fn members(files: Vec<(String, String)>) -> Vec<Member> {
    let member = |(name, text): (String, String)| Member {
        name,
        bytes: text.into_bytes(),
        mode: tar::PRIVATE,
    };
    files.into_iter().map(member).collect()
}

fn collect(cx: &Context, lines: &[Line]) -> Vec<(String, String)> {
    let secrets = secrets(cx);
    let ui = Ui {
        color: false,
        ..cx.ui
    };
    let checks: Vec<_> = lines.iter().map(as_json).collect();
    let failed = lines.iter().any(|line| line.level == Level::Fail);
    let mut files = vec![
        ("doctor.txt".to_owned(), as_report(ui, lines)),
        (
            "doctor.json".to_owned(),
            json!({ "ok": !failed, "checks": checks }).to_string(),
        ),
        ("settings.txt".to_owned(), settings(cx)),
        ("system.txt".to_owned(), system()),
        ("logins.json".to_owned(), logins(cx)),
    ];
    for log in logs(&cx.places.log_dir()) {
        let name = log.file_name().unwrap_or_default().to_string_lossy();
        let name: String = name.chars().filter(char::is_ascii).take(80).collect();
        if let Ok(text) = end_of(&log) {
            files.push((format!("logs/{name}"), text));
        }
    }
    let clean = |(name, text): (String, String)| {
        let text = without_secrets(&text, &secrets);
        (format!("wharf-doctor/{name}"), text)
    };
    files.into_iter().map(clean).collect()
}

/// Every setting with what decided it.
fn settings(cx: &Context) -> String {
    let lines = KEYS.iter().filter_map(|key| {
        let set = cx.settings.set_by(key.name)?;
        Some(format!(
            "{} = {}  from {}\n",
            key.name, set.value, set.origin
        ))
    });
    lines.collect()
}

fn system() -> String {
    let name = rustix::system::uname();
    let part = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let pretty = release
        .lines()
        .find(|line| line.starts_with("PRETTY_NAME="));
    format!(
        "wharf {}\n{} {} {}\n{}\n",
        env!("CARGO_PKG_VERSION"),
        part(name.sysname()),
        part(name.release()),
        part(name.machine()),
        pretty.unwrap_or_default(),
    )
}

/// Where logins are for and until when; not whose they are.
fn logins(cx: &Context) -> String {
    let logins = Keeper::new(&cx.places).list().unwrap_or_default();
    let logins: Vec<_> = logins
        .into_iter()
        .map(|(profile, login)| {
            let about = login.about.as_ref();
            json!({
                "profile": profile,
                "kept_in": login.place.to_string(),
                "url": about.map(|about| &about.url),
                "kind": about.map(|about| about.kind),
                "expires_at": about.and_then(|about| about.expires_at).map(|it| it.to_string()),
                "refused": about.map(|about| about.refused),
            })
        })
        .collect();
    json!(logins).to_string()
}

/// The newest files of the directory.
fn logs(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .filter_map(|entry| {
            let found = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            Some((found.modified().ok()?, entry.path()))
        })
        .collect();
    files.sort();
    files
        .into_iter()
        .rev()
        .take(LOGS_MAX)
        .map(|(_, path)| path)
        .collect()
}

/// The last lines of a file, whole ones.
fn end_of(file: &Path) -> io::Result<String> {
    let mut file = File::open(file)?;
    let size = file.metadata()?.len();
    let skip = size.saturating_sub(LOG_BYTES);
    file.seek(SeekFrom::Start(skip))?;
    let mut bytes = Vec::new();
    file.take(LOG_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(match (skip, text.split_once('\n')) {
        (1.., Some((_, whole))) => whole.to_owned(),
        _ => text,
    })
}

/// Secrets that this machine knows, to be looked for by their own text.
fn secrets(cx: &Context) -> Vec<String> {
    let places = &cx.places;
    let mut files = vec![
        places.token_file(),
        places.seal_key_file(),
        places.signing_key_file(),
        places.ssh_key_file(),
    ];
    files.extend(ClientOptions::resolve(&cx.settings).token_file);
    let mut texts: Vec<String> = files
        .iter()
        .filter_map(|file| private::read(file).ok().flatten())
        .collect();
    texts.extend(cx.world.variable("WHARF_TOKEN"));
    // Those that another source outranks, too.
    for set in KEYS.iter().flat_map(|key| cx.settings.layers(key.name)) {
        if let Value::Hidden(url) = &set.value {
            let url = url.secret().expose().to_owned();
            texts.extend(password(&url).map(str::to_owned));
            texts.push(url);
        }
    }
    let keeper = Keeper::new(places);
    for profile in keeper.list().unwrap_or_default().keys() {
        if let Ok(Some(kept)) = keeper.credential(profile) {
            texts.push(kept.token.expose().to_owned());
            texts.extend(kept.refresh.map(|it| it.expose().to_owned()));
        }
    }
    let lines = texts.iter().flat_map(|text| text.lines()).map(str::trim);
    let lines = lines.filter(|line| line.len() >= SECRET_BYTES_MIN && !line.starts_with("-----"));
    lines.map(str::to_owned).collect()
}

/// The password of a URL, as it is written there.
fn password(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (account, _) = authority.rsplit_once('@')?;
    account.split_once(':').map(|(_, password)| password)
}

/// `text` without what is known to be a secret, and without what looks like one.
fn without_secrets(text: &str, secrets: &[String]) -> String {
    let mut text = text.to_owned();
    for secret in secrets {
        text = text.replace(secret.as_str(), MARK);
    }
    let lines = text.split_inclusive('\n').map(|line| {
        let line = wharf_shell::redact(line);
        tokens(&line)
    });
    lines.collect()
}

/// Replaces our own tokens and JWTs wherever they stand, however they are quoted.
fn tokens(line: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let mut out = String::with_capacity(line.len());
    let mut word = String::new();
    for c in line.chars().chain(std::iter::once('\0')) {
        if is_part(c) {
            word.push(c);
            continue;
        }
        out.push_str(if is_token(&word) { MARK } else { &word });
        word.clear();
        if c != '\0' {
            out.push(c);
        }
    }
    out
}

/// The shortest text behind the prefix of a token that is taken for one.
const TOKEN_CHARS_MIN: usize = 16;

fn is_token(word: &str) -> bool {
    let ours = TokenKind::ALL.iter().any(|kind| {
        let rest = word.split_once(kind.prefix());
        rest.is_some_and(|(_, rest)| rest.len() >= TOKEN_CHARS_MIN)
    });
    ours || (word.starts_with("eyJ") && word.matches('.').count() >= 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_gone_however_they_stand() {
        let planted = [
            "whk_0123456789abcdefghjkmnpqrstvwxyz",
            "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
            "canary-of-the-file",
        ];
        let text = format!(
            "INFO token={} ok\n{{\"authorization\":\"Bearer {}\"}}\nplain {} here\n",
            planted[0], planted[1], planted[2]
        );
        let clean = without_secrets(&text, &["canary-of-the-file".to_owned()]);
        for secret in planted {
            assert!(!clean.contains(secret), "{clean}");
        }
        assert!(clean.contains("INFO") && clean.contains("plain") && clean.contains("here"));
        assert_eq!(tokens("a whk_x b"), "a whk_x b");
    }

    #[test]
    fn the_password_of_a_url_is_found_as_it_is_written() {
        for (url, found) in [
            (
                "smtps://ada:pass%40word@mail.example.com:465",
                Some("pass%40word"),
            ),
            ("postgres://ada:a:b@[::1]/wharf?x=c:d@e", Some("a:b")),
            ("postgres://ada@db/wharf", None),
            ("smtp://localhost:25", None),
            ("x", None),
        ] {
            assert_eq!(password(url), found, "{url}");
        }
        for kind in TokenKind::ALL {
            let short = format!("x{}0123456789abcde", kind.prefix());
            assert_eq!(tokens(&short), short);
            assert_eq!(tokens(&format!("{short}f")), MARK, "{kind:?}");
        }
    }

    #[test]
    fn only_the_end_of_a_long_log_goes_in() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let lines: String = (0..20_000).map(|n| format!("line {n}\n")).collect();
        fs::write(file.path(), &lines).unwrap();
        let end = end_of(file.path()).unwrap();
        assert!(end.len() <= usize::try_from(LOG_BYTES).unwrap());
        assert!(
            end.starts_with("line ") && end.ends_with("line 19999\n"),
            "{end:.40}"
        );
    }
}
