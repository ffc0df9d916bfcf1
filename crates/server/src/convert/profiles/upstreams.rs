//! Upstreams.

use wharf_api::profile::{self as api, UpstreamDone, UpstreamShown};
use wharf_profiles::upstream::{Divergence, Last, Opens, Settings};

pub(crate) fn shown(settings: &Settings) -> UpstreamShown {
    UpstreamShown {
        url: settings.address.to_string(),
        branch: settings.branch.as_str().to_owned(),
        access: settings.opens.as_str().to_owned(),
        public_key: match &settings.opens {
            Opens::Key { public, .. } => Some(public.clone()),
            Opens::Open | Opens::Token { .. } => None,
        },
        push: settings.push,
        webhook_path: format!("/api/v1/profile/webhook/{}", settings.webhook_id),
        last: settings.last.as_ref().map(done),
    }
}

pub(crate) fn done(last: &Last) -> UpstreamDone {
    UpstreamDone {
        outcome: last.outcome.as_str().to_owned(),
        commit_sha: last.commit.clone(),
        detail: last.detail.clone(),
        at: last.at.to_string(),
    }
}

pub(crate) const fn divergence(wanted: Option<api::Divergence>) -> Divergence {
    match wanted {
        None => Divergence::Report,
        Some(api::Divergence::Merge) => Divergence::Merge,
        Some(api::Divergence::Theirs) => Divergence::Theirs,
        Some(api::Divergence::Ours) => Divergence::Ours,
    }
}
