//! Accounts while no server runs: the database is opened for one change, by whoever may read it.

use wharf_api::identity::{
    AccountRole, CreateUser, Hidden, MembershipRef, ResetCode, User, UserCreated,
};
use wharf_identity::limits::RESET_LIFETIME;
use wharf_identity::views::{NewUser, UserView};
use wharf_identity::{Error, HOME_SLUG};
use wharf_localstate::FileLock;
use wharf_model::{Caller, Role, Secret};

use super::identity::open_offline;
use crate::config::options::AccountOptions;
use crate::config::{self, Purpose};
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::login::now;
use crate::wire::block_on;

/// An account that was made without a server.
pub(crate) struct Made {
    /// As a server says it.
    pub(crate) user: UserCreated,
    /// Which database it is in.
    pub(crate) database: String,
    /// Where people will reach the server, if that is configured.
    pub(crate) public_url: Option<String>,
}

/// Makes an account in this machine's own database.
pub(crate) fn create_user(cx: &Context, ask: &CreateUser) -> Result<Made, CommandError> {
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
        let (identity, database) = open_offline(cx, &settings, &options).await?;
        let first = !identity.has_users().await.map_err(said)?;
        if first {
            suits_the_first(ask)?;
        }
        let caller = Caller::local();
        let made = identity.add_user(&caller, user).await.map_err(said)?;
        let code = match without_password {
            true => Some(identity.reset_code(&caller, &made.id).await.map_err(said)?),
            false => None,
        };
        Ok((made, code, database))
    })?;
    let (view, code, database) = made;
    let reset = code.map(|code| ResetCode {
        code: Hidden::from(code.expose()),
        expires_at: now().plus_seconds(RESET_LIFETIME.as_secs()).to_string(),
    });
    Ok(Made {
        user: UserCreated {
            user: account(view),
            reset,
        },
        database,
        public_url: options.public_url,
    })
}

/// The first account owns the server, whatever is asked for.
fn suits_the_first(ask: &CreateUser) -> Result<(), CommandError> {
    let role = ask.role.is_none_or(|role| role == AccountRole::Owner);
    let org = ask
        .organization
        .as_deref()
        .is_none_or(|org| org == HOME_SLUG);
    if role && org {
        return Ok(());
    }
    Err(CommandError::usage(format!(
        "the first account is the owner in {HOME_SLUG}, the server's own organization"
    ))
    .hint("leave out --role and --org"))
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
    let administrator = organizations.iter().any(|it| {
        it.slug == HOME_SLUG && matches!(it.role, AccountRole::Owner | AccountRole::Admin)
    });
    User {
        id: view.id,
        administrator,
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
