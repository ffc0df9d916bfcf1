//! `wharf sync status`

use serde_json::{Value, json};
use wharf_sync::plan::{Options, Plan};
use wharf_sync::select::LeftOut;

use super::origin;
use super::place::seconds;
use super::report::{ago, count, remote, short, stuck};
use super::rows::{self, Row};
use super::session::{Look, Session};
use super::sites::{self, Agent};
use super::state::State;
use super::watch::unit;
use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::error::CommandError;
use crate::ui::{self, neutral::neutral_line};

/// Another agent, and how far it is.
struct Other {
    agent: Agent,
    shown: String,
    /// The version that its files are of; nothing where there are none.
    version: Option<String>,
    lost: Vec<(String, String)>,
}

pub(super) async fn status(cx: &Context) -> Outcome {
    let site = sites::claude(cx)?;
    let mut session = Session::begin(cx)?.reading(true);
    let look = session.look(site).await?;
    let wish = Options::default();
    let plan = look.place.plan(&look.here, &look.there.manifest, &wish);
    let rows = rows::rows(&plan, &|_| None);
    let others = others(cx, &look)?;
    look.place.note_time(false)?;
    let watch = unit::installed(cx).map(|file| file.display().to_string());
    if cx.ui.json {
        let mut answer = as_json(&session, &look, &plan, &rows, &others);
        if let Some(members) = answer.as_object_mut() {
            members.insert("watch_unit".to_owned(), json!(watch));
        }
        ui::data(&format!("{answer}\n"))?;
        return Ok(DONE);
    }
    let mut text = String::new();
    let mut line = |name: &str, what: &str| {
        text.push_str(&format!("{name:<10} {}\n", neutral_line(what)));
    };
    line("server", &session.who(&look.there));
    line(
        "newest",
        remote(&look.there.tree).trim_start_matches("remote "),
    );
    let layers = look.there.tree.layers.iter();
    let layers: Vec<String> = layers.map(origin::name).collect();
    if layers.len() > 1 {
        line("made of", &layers.join(", "));
    }
    line(
        "directory",
        &format!("{}, {}", look.place.site.shown, base(&look)),
    );
    for other in &others {
        let state = match &other.version {
            None => "not written yet: wharf sync".to_owned(),
            Some(version) if *version == look.there.tree.version => "up to date".to_owned(),
            Some(version) => format!("of {}: wharf sync", short(version)),
        };
        line(other.agent.name(), &format!("{}, {state}", other.shown));
    }
    if let Some(file) = &watch {
        line("watch", file);
    }
    text.push_str(&rows::text(&rows, cx.ui.verbose));
    text.push_str(&next(&plan));
    text.push_str(&left_out(&look.here.left_out, cx.ui.verbose));
    for other in others.iter().filter(|_| cx.ui.verbose) {
        for (path, what) in &other.lost {
            let (path, what) = (neutral_line(path), neutral_line(what));
            text.push_str(&format!("lost -> {}  {path}: {what}\n", other.agent.name()));
        }
    }
    ui::data(&text)?;
    Ok(DONE)
}

fn base(look: &Look) -> String {
    let version = &look.place.work.base().version;
    if version.is_empty() && look.place.work.base().manifest.is_empty() {
        return "nothing agreed yet".to_owned();
    }
    let agreed = look.place.state.times().agreed;
    format!("base {} ({})", short(version), ago(agreed, seconds()))
}

fn others(cx: &Context, look: &Look) -> Result<Vec<Other>, CommandError> {
    let sites = sites::chosen(cx, &[])?;
    let others = sites.into_iter().filter(|site| site.agent != Agent::Claude);
    let each = others.map(|site| {
        let made = State::of(cx, &look.there.owner, &site).made();
        Other {
            agent: site.agent,
            shown: site.shown,
            version: Some(made.version).filter(|version| !version.is_empty()),
            lost: made.lost,
        }
    });
    Ok(each.collect())
}

/// What there is to do, with the words that do it.
fn next(plan: &Plan) -> String {
    let sum = plan.summary();
    let mut parts = Vec::new();
    if sum.pending() > 0 {
        let come = count(sum.pending(), "change to come", "changes to come");
        parts.push(format!("{come}: wharf sync"));
    }
    if sum.kept > 0 {
        let yours = count(sum.kept, "edit is yours", "edits are yours");
        parts.push(format!("{yours}: wharf sync push"));
    }
    let choices = plan.conflicts().filter(|(_, why)| why.is_choice()).count();
    if choices > 0 {
        let conflicts = count(choices, "conflict", "conflicts");
        parts.push(format!(
            "{conflicts}: wharf sync diff, wharf sync merge FILE"
        ));
    }
    let stuck = stuck(sum.conflicts.saturating_sub(choices));
    match sum.same {
        _ if !parts.is_empty() => format!("{}.\n{stuck}", parts.join(". ")),
        _ if !stuck.is_empty() => stuck,
        1 => "The same on both sides, 1 file.\n".to_owned(),
        n => format!("The same on both sides, {n} files.\n"),
    }
}

/// What does not travel, where somebody should know; all of it when asked.
fn left_out(left: &[LeftOut], all: bool) -> String {
    let told = left.iter().filter(|it| all || it.why.is_trouble());
    let lines = told.map(|it| format!("not synced  {}: {}\n", neutral_line(&it.path), it.why));
    lines.collect()
}

fn as_json(
    session: &Session<'_>,
    look: &Look,
    plan: &Plan,
    rows: &[Row],
    others: &[Other],
) -> Value {
    let (tree, sum) = (&look.there.tree, plan.summary());
    json!({
        "server": session.account.server,
        "remote": {
            "version": tree.version,
            "commit_sha": tree.commit_sha,
            "author": tree.author,
            "updated_at": tree.updated_at,
            "layers": tree.layers,
        },
        "directory": look.place.site.shown,
        "base": look.place.work.base().version,
        "agreed_at": look.place.state.times().agreed,
        "steps": rows.iter().map(rows::as_json).collect::<Vec<_>>(),
        "same": sum.same,
        "pending": sum.pending(),
        "kept": sum.kept,
        "conflicts": sum.conflicts,
        "left_out": look.here.left_out.iter().map(|it| {
            json!({ "path": it.path, "why": it.why.to_string(), "trouble": it.why.is_trouble() })
        }).collect::<Vec<_>>(),
        "targets": others.iter().map(|other| json!({
            "target": other.agent.name(),
            "directory": other.shown,
            "version": other.version,
            "lost": other.lost.iter().map(|(path, what)| json!({ "path": path, "what": what }))
                .collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
    })
}
