//! What somebody who has ended had in agent configuration.

use wharf_identity::{Ended, Whose};
use wharf_profiles::Layer;

use super::asker;
use crate::state::App;

/// Takes the upstream of each of them away, with its token, key and webhook. They have ended already,
/// so that what fails here fails nobody's request: no webhook of theirs is heard any more, and the
/// log says it.
pub(crate) async fn ended(app: &App, ended: &[Ended]) {
    let Some(configuration) = &app.configuration else {
        return;
    };
    for Ended { whose, id } in ended {
        let Ok(owner) = asker::owner_of(*whose, id) else {
            continue;
        };
        if let Err(error) = configuration.profiles.remove_upstream(&owner).await {
            tracing::error!(target: "api", %owner, %error, "an upstream was not taken away");
        }
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
