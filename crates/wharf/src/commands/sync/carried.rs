//! What of this machine's agent configuration goes along into a sandbox.
//!
//! It is what `wharf sync` keeps the same: the profile as it is in Claude Code's directory now, and
//! what other agents make of it. MCP servers stay here: they are programs of this machine, and their
//! settings are where secrets are.

use sha2::{Digest as _, Sha256};
use wharf_sync::secrets::{self, ALLOW_FILE, Allowed};
use wharf_sync::select::Selection;
use wharf_sync::targets::{Existing, Files, Target, render};

use super::sites::{self, SERVERS};
use super::{place, state::State};
use crate::context::Context;
use crate::error::CommandError;
use crate::tar::Member;

/// Permissions of a file, and of one that is a program.
const FILE: u32 = 0o644;
const PROGRAM: u32 = 0o755;

/// Files for the home directory of an account.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    /// By their paths there.
    pub(crate) files: Vec<Member>,
    /// Files of the profile that look as if a secret were in them. They stay here.
    pub(crate) held: Vec<String>,
}

impl Carried {
    /// The same for the same files.
    pub(crate) fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for file in &self.files {
            hash.update(format!(
                "{} {:o} {}\n",
                file.name,
                file.mode,
                file.bytes.len()
            ));
            hash.update(&file.bytes);
        }
        hash.finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// What goes along, for all agents that could run there.
pub(crate) fn carried(cx: &Context) -> Result<Carried, CommandError> {
    let site = sites::claude(cx)?;
    if !site.real.exists() {
        return Ok(Carried::default());
    }
    let state = State::last(cx, &site).map(|(state, _)| state);
    let here = place::look(&site, state.as_ref())?;
    let (profile, held) = profile(&here)?;
    let mut files: Vec<Member> = profile
        .iter()
        .map(|(path, content)| {
            let entry = here.manifest.get(path);
            let is_program = entry.is_some_and(|entry| entry.executable);
            member(".claude", path.as_str(), content, is_program)
        })
        .collect();
    for (target, root) in [
        (Target::OpenCode, ".config/opencode"),
        (Target::Codex, ".codex"),
    ] {
        // The profile is in the usual place there, and nothing else is.
        let existing = Existing {
            claude_too: true,
            ..Existing::default()
        };
        let rendered = render(target, &profile, &existing).map_err(|error| {
            CommandError::failed("the profile is not understood").because(error)
        })?;
        let rendered = rendered.files.iter();
        files.extend(rendered.map(|(path, content)| member(root, path.as_str(), content, false)));
    }
    Ok(Carried { files, held })
}

/// The contents, without servers and without what looks like a secret.
fn profile(here: &Selection) -> Result<(Files, Vec<String>), CommandError> {
    let mut files = Files::new();
    let mut held = Vec::new();
    let allow_file = here
        .manifest
        .iter()
        .find(|(path, _)| path.as_str() == ALLOW_FILE);
    let allowed = match allow_file {
        Some((path, _)) => Allowed::read(&here.content(path)?),
        None => Allowed::default(),
    };
    for (path, _) in here.manifest.iter() {
        if path.as_str() == SERVERS {
            continue;
        }
        let content = here.content(path)?;
        if secrets::find(path, &content, &allowed).secrets.is_empty() {
            files.insert(path.clone(), content.into());
        } else {
            held.push(path.to_string());
        }
    }
    Ok((files, held))
}

fn member(root: &str, path: &str, content: &[u8], is_program: bool) -> Member {
    Member {
        name: format!("{root}/{path}"),
        bytes: content.to_vec(),
        mode: if is_program { PROGRAM } else { FILE },
    }
}
