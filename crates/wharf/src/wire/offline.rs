//! Accounts while no server runs: the database is opened for one change, by whoever may read it.

use wharf_api::identity::{
    AccountRole, CreateUser, Hidden, MembershipRef, ResetCode, User, UserCreated,
};
use wharf_identity::Error;
use wharf_identity::limits::RESET_LIFETIME;
use wharf_identity::views::{NewUser, UserView};
use wharf_localstate::FileLock;
use wharf_model::{Caller, Role, Secret};

use super::identity::open_offline;
use crate::config::options::AccountOptions;
use crate::config::{self, Purpose};
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::login::now;
use crate::wire::block_on;

/// Makes an account in this machine's own database.
pub(crate) fn create_user(cx: &Context, ask: &CreateUser) -> Result<UserCreated, CommandError> {
    // Accounts are as the server would have them, which knows more sources.
    let settings = config::read(&cx.world, &cx.places, Purpose::Serve, &[])?;
    let options = AccountOptions::resolve(&settings)
        .map_err(|refused| CommandError::usage(refused.to_string()))?;
    cx.places.make_data()?;
    let lock = cx.places.server_lock();
    let Some(_held) = FileLock::try_take(&lock)? else {
        return Err(CommandError::new(
            Kind::TryLater,
            "a server is just starting or stopping here",
        )
        .hint("try again"));
    };
    let user = NewUser {
        email: ask.email.clone(),
        username: ask.username.clone(),
        password: ask
            .password
            .as_ref()
            .map(|it| Secret::new(it.expose().to_owned())),
        role: ask.role.and_then(|role| Role::parse(role.as_str())),
        organization: ask.organization.clone(),
    };
    let without_password = user.password.is_none();
    let made = block_on(async {
        let identity = open_offline(cx, &options).await?;
        let caller = Caller::local();
        let made = identity.add_user(&caller, user).await.map_err(said)?;
        let code = match without_password {
            true => Some(identity.reset_code(&caller, &made.id).await.map_err(said)?),
            false => None,
        };
        Ok((made, code))
    })?;
    let (view, code) = made;
    let reset = code.map(|code| ResetCode {
        code: Hidden::from(code.expose()),
        expires_at: now().plus_seconds(RESET_LIFETIME.as_secs()).to_string(),
    });
    Ok(UserCreated {
        user: account(view),
        reset,
    })
}

/// As the server says it.
fn account(view: UserView) -> User {
    let memberships = view.organizations.into_iter();
    let organizations: Vec<_> = memberships
        .map(|it| MembershipRef {
            id: it.organization,
            slug: it.slug,
            name: it.name,
            role: wire_role(it.role),
        })
        .collect();
    User {
        id: view.id,
        email: view.email,
        username: view.username,
        disabled: view.disabled,
        has_password: view.has_password,
        role: wire_role(view.role),
        created_at: view.created.to_string(),
        organizations,
        ..User::default()
    }
}

fn wire_role(role: Role) -> AccountRole {
    match role {
        Role::Owner => AccountRole::Owner,
        Role::Admin => AccountRole::Admin,
        Role::Member => AccountRole::Member,
        Role::Agent => AccountRole::Agent,
        Role::Viewer => AccountRole::Viewer,
    }
}

fn said(error: Error) -> CommandError {
    let kind = match &error {
        Error::Invalid { .. } => Kind::Usage,
        Error::NotFound(_) => Kind::NotFound,
        Error::Conflict(_) | Error::Full { .. } => Kind::Conflict,
        Error::Throttled { .. } => Kind::TryLater,
        _ => Kind::Failed,
    };
    let mut said = CommandError::new(kind, error.to_string());
    if let Some(source) = std::error::Error::source(&error) {
        said = said.because(source);
    }
    said
}
