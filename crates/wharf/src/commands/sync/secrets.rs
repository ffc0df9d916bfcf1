//! Secrets in what would be sent: nothing goes then, but for what a person has overruled.

use std::fs;
use std::sync::Arc;

use wharf_sync::plan::{Contents, Push};
use wharf_sync::profile::ProfilePath;
use wharf_sync::secrets::{ALLOW_FILE, Allowed, Finding, Found, find};

use super::report::count;
use super::session::Look;
use super::sites;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::ui::neutral::neutral_line;

/// Refuses a push that has secrets in it. What was overruled is to be told. It counts whether or not
/// the file that says so is sent with it.
pub(super) async fn of_push(
    look: &Look,
    push: &Push,
    contents: &Contents,
) -> Result<Vec<Finding>, CommandError> {
    let allowed = sites::parsed(ALLOW_FILE)?;
    let allowed = look.here.content(&allowed).unwrap_or_default();
    let sent = push.sent.iter().filter_map(|sent| {
        let bytes = contents.get(&sent.entry?.sha256)?;
        Some((sent.path.clone(), Arc::clone(bytes)))
    });
    let sent: Vec<(ProfilePath, Arc<[u8]>)> = sent.collect();
    // Of a large profile it takes a while, in which the connection is to be looked after.
    let looked = tokio::task::spawn_blocking(move || {
        let allowed = Allowed::read(&allowed);
        let mut all = Found::default();
        for (path, bytes) in &sent {
            let found = find(path, bytes, &allowed);
            all.secrets.extend(found.secrets);
            all.overruled.extend(found.overruled);
        }
        all
    });
    let all = looked.await.map_err(|error| {
        CommandError::failed("the look for secrets has failed; nothing was sent").because(error)
    })?;
    match all.secrets.as_slice() {
        [] => Ok(all.overruled),
        found => {
            let refused = refusal(found, &look.place.site.shown);
            Err(refused.hint("the rest can be sent by name: wharf sync push FILE"))
        }
    }
}

/// The same for one content that goes elsewhere than into a profile.
pub(crate) fn of_content(
    cx: &Context,
    path: &ProfilePath,
    content: &[u8],
) -> Result<Vec<Finding>, CommandError> {
    let site = sites::claude(cx)?;
    let allowed = fs::read(site.root.join(ALLOW_FILE)).unwrap_or_default();
    let found = find(path, content, &Allowed::read(&allowed));
    match found.secrets.as_slice() {
        [] => Ok(found.overruled),
        secrets => Err(refusal(secrets, &site.shown)),
    }
}

/// Says what went although it looks like a secret.
pub(crate) fn tell(cx: &Context, overruled: &[Finding]) {
    for finding in overruled {
        let line = line(finding);
        cx.ui.event(&format!("{line}, overruled by {ALLOW_FILE}"));
    }
}

/// Why nothing was sent. `dir` is where the file is that overrules.
fn refusal(found: &[Finding], dir: &str) -> CommandError {
    let places = count(found.len(), "secret", "secrets");
    let mut error = CommandError::new(Kind::Blocked, format!("{places} in it: nothing was sent"));
    "secret_found".clone_into(&mut error.code);
    for finding in found {
        let cause = format!("{} [{}]", line(finding), neutral_line(&finding.mark));
        error.causes.push(cause);
    }
    error
        .hint("write ${NAME} there, and set the variable on each machine")
        .hint(format!(
            "where it is none: what stands in [ ], as a line of {dir}/{ALLOW_FILE}, overrules it; \
             say why behind it"
        ))
}

fn line(finding: &Finding) -> String {
    let path = neutral_line(finding.path.as_str());
    format!("{path}:{}: {}", finding.line, finding.kind.words())
}
