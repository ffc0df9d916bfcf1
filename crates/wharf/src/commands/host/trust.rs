//! `wharf host trust NAME`

use wharf_api::{HostKey, HostTrust, HostTrustRequest};

use crate::commands::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::ui::{self, neutral::neutral_line};
use crate::wire::block_on;

const EXAMPLES: &str = "\
Examples:
  wharf host trust web-1                          shows the key and asks
  wharf host trust web-1 --fingerprint SHA256:…   where nobody can be asked
  wharf host trust web-1 --replace SHA256:…       after the machine was set up anew

Compare the fingerprint with the one that the machine's owner gives; on the machine itself
`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` prints it.";

/// Look at a host's key, compare it, and trust it
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES)]
pub(crate) struct Args {
    /// The host's name, or its address as USER@HOST:PORT
    host: String,
    /// The fingerprint that you have compared; nothing is asked then
    #[arg(long, value_name = "FINGERPRINT")]
    fingerprint: Option<String>,
    /// The fingerprint of the key on record that it replaces
    #[arg(long, value_name = "FINGERPRINT")]
    replace: Option<String>,
}

pub(crate) fn trust(cx: &Context, args: &Args) -> Outcome {
    let server = connect::find_or_start(cx)?;
    let client = &server.client;
    let trusted = block_on(async {
        let fingerprint = match &args.fingerprint {
            Some(fingerprint) => fingerprint.clone(),
            None => {
                let look = HostTrustRequest::default();
                let shown = client.trust_host(&args.host, &look).await?;
                if shown.trusted {
                    return Ok(shown);
                }
                asked(cx, args, &shown).await?
            }
        };
        let word = HostTrustRequest {
            fingerprint: Some(fingerprint),
            replace: args.replace.clone(),
        };
        Ok(client.trust_host(&args.host, &word).await?)
    })?;
    if cx.ui.json {
        ui::data(&format!("{}\n", serde_json::json!(trusted)))?;
        return Ok(DONE);
    }
    cx.ui.event(&match &trusted.recorded_in {
        Some(file) => format!("the key of {} is trusted now, by {file}", trusted.host),
        None => format!("the key of {} was trusted already", trusted.host),
    });
    Ok(DONE)
}

/// The fingerprint, if the person at the terminal says that it is the right one.
async fn asked(cx: &Context, args: &Args, shown: &HostTrust) -> Result<String, CommandError> {
    let key = &shown.key;
    let no = |message: &str| CommandError::new(Kind::Approval, message);
    match key.standing.as_str() {
        "refused" => {
            let why = key.detail.as_deref().unwrap_or_default();
            let why = format!("the key must not be trusted: {}", neutral_line(why));
            return Err(CommandError::new(Kind::Blocked, why));
        }
        "changed" if args.replace.as_ref() != key.expected.as_ref() => {
            cx.ui.say(&describe(shown));
            let old = key.expected.as_deref().unwrap_or_default();
            return Err(CommandError::new(
                Kind::Conflict,
                "another key is on record; nothing was changed",
            )
            .hint("somebody may be between you and the machine: ask its owner")
            .hint(format!(
                "if it was set up anew: wharf host trust {} --replace {}",
                neutral_line(&shown.host),
                neutral_line(old)
            )));
        }
        _ => {}
    }
    cx.ui.say(&describe(shown));
    let print = neutral_line(&key.fingerprint);
    let other = format!(
        "once it is compared: wharf host trust {} --fingerprint {print}",
        neutral_line(&shown.host)
    );
    if !cx.ui.may_ask {
        return Err(no("not trusted: there is nobody to ask here").hint(other));
    }
    if cx
        .ui
        .yes("Is that the fingerprint that the machine's owner gives?")
        .await
    {
        Ok(key.fingerprint.clone())
    } else {
        Err(no("not trusted").hint(other))
    }
}

fn describe(shown: &HostTrust) -> String {
    let HostKey {
        algorithm,
        fingerprint,
        expected,
        detail,
        ..
    } = &shown.key;
    let mut lines = vec![format!(
        "{} shows the {algorithm} key {fingerprint}",
        shown.host
    )];
    lines.extend(expected.as_ref().map(|expected| {
        let place = detail.as_deref().unwrap_or_default();
        format!("on record is {expected} ({place})")
    }));
    lines.iter().map(|line| neutral_line(line) + "\n").collect()
}
