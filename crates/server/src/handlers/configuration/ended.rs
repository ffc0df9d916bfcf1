//! What somebody who has ended had in agent configuration.

use wharf_identity::{Ended, Whose};
use wharf_profiles::{Layer, Owner, Profiles};

use super::asker;
use crate::state::App;

/// Takes the upstream of each of them away, with its token, key and webhook, and puts what they had
/// aside. They have ended already, so that what fails here fails nobody's request: no webhook of
/// theirs is heard any more, and the log says it.
pub(crate) async fn ended(app: &App, ended: &[Ended]) {
    for gone in ended {
        let Some((profiles, owner)) = of(app, gone) else {
            continue;
        };
        not_heard(profiles, &owner).await;
        if let Err(error) = profiles.put_aside(&owner).await {
            tracing::error!(target: "api", %owner, %error, "a profile was not put aside");
        }
    }
}

/// Somebody is kept out for now: their upstream goes, and what they had stays for when they come back.
pub(crate) async fn kept_out(app: &App, who: &Ended) {
    if let Some((profiles, owner)) = of(app, who) {
        not_heard(profiles, &owner).await;
    }
}

/// Somebody who had ended is back, and so is what they had, if it is there still.
pub(crate) async fn back(app: &App, who: &Ended) {
    let Some((profiles, owner)) = of(app, who) else {
        return;
    };
    if let Err(error) = profiles.take_back(&owner).await {
        tracing::error!(target: "api", %owner, %error, "a profile was not put back");
    }
}

fn of<'a>(app: &'a App, who: &Ended) -> Option<(&'a Profiles, Owner)> {
    let configuration = app.configuration.as_ref()?;
    let owner = asker::owner_of(who.whose, &who.id).ok()?;
    Some((&configuration.profiles, owner))
}

async fn not_heard(profiles: &Profiles, owner: &Owner) {
    if let Err(error) = profiles.remove_upstream(owner).await {
        tracing::error!(target: "api", %owner, %error, "an upstream was not taken away");
    }
}

/// Whose profiles of this layer are.
pub(crate) const fn whose(layer: Layer) -> Whose {
    match layer {
        Layer::Organization => Whose::Organization,
        Layer::Team => Whose::Team,
        Layer::User => Whose::Person,
    }
}
