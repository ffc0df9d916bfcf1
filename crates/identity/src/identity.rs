//! The one value that the rest of the program holds.

use std::sync::Arc;

use wharf_model::{Caller, Limits, Role, Secret};

use crate::views::{
    AgentView, DeviceAnswer, DeviceAsk, DeviceCodes, DevicePoll, DeviceView, InvitationView,
    KeyView, LimitsOf, LimitsView, LoggedIn, LoginView, MadeInvitation, MadeKey, MeView,
    MemberView, NewKey, NewUser, OrganizationView, Peer, PublicKey, SshKeyView, UserChange,
    UserView,
};
use crate::{Error, Options, Parts};

/// Accounts and what opens doors. Cheap to clone.
#[derive(Clone)]
pub struct Identity {
    inner: Arc<Inner>,
}

struct Inner {
    parts: Parts,
    options: Options,
}

macro_rules! surface {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)+) => {
        impl Identity {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// Says which step failed.
                #[expect(clippy::unused_async, clippy::too_many_arguments, reason = "the surface")]
                pub async fn $name(&self, $($argument: $type),*) -> Result<$answer, Error> {
                    let _held = (&self.inner.parts, &self.inner.options, $(&$argument),*);
                    Err(Error::internal("do this yet"))
                }
            )+
        }
    };
}

impl Identity {
    /// Puts it together. Nothing is made yet: the first signing key is when it is needed.
    ///
    /// # Errors
    /// When the options are of no use.
    pub fn open(parts: Parts, options: Options) -> Result<Self, Error> {
        Ok(Self {
            inner: Arc::new(Inner { parts, options }),
        })
    }
}

surface! {
    /// Who shows this token: an API key, an access token of ours, or one of an external issuer.
    authenticate(token: &Secret, peer: &Peer) -> Caller;
    /// The account behind a caller.
    me(caller: &Caller) -> MeView;
    /// The public keys that verify access tokens.
    public_keys() -> Vec<PublicKey>;
    /// Deletes what has ended; to be called now and then. Says how many rows went.
    sweep() -> u64;

    /// Whether there is any account.
    has_users() -> bool;
    /// A new code for the first account, in place of an older one; none when there is an account.
    first_run_code() -> Option<Secret>;
    /// Makes the first account, the server's own organization and its owner, by that code.
    first(code: &Secret, email: &str, username: Option<&str>, password: &Secret, peer: &Peer) -> LoggedIn;
    /// Makes an account, where anybody may. The answer is its id.
    register(email: &str, username: Option<&str>, password: &Secret, peer: &Peer) -> String;
    /// Begins a login by password, for the person's first organization or the one named.
    login(email: &str, password: &Secret, organization: Option<&str>, peer: &Peer) -> LoggedIn;
    /// Goes on with a login. The token is used up.
    refresh(token: &Secret, peer: &Peer) -> LoggedIn;
    /// Ends the login or revokes the key that the caller shows; with `all`, all logins of theirs.
    logout(caller: &Caller, all: bool) -> ();
    /// The logins of a caller's person that are good.
    logins(caller: &Caller) -> Vec<LoginView>;
    /// Ends one of them.
    revoke_login(caller: &Caller, id: &str) -> ();
    /// Sets another password, and ends all other logins.
    change_password(caller: &Caller, old: &Secret, new: &Secret, peer: &Peer) -> ();
    /// Mails a code for a new password, if there is such an account and a way to send mail. The
    /// answer is the same whether or not.
    request_reset(email: &str, peer: &Peer) -> ();
    /// Sets a new password by a code, ends all logins and begins one.
    reset(code: &Secret, password: &Secret, peer: &Peer) -> LoggedIn;
    /// A code for a new password, for an administrator to read out.
    reset_code(caller: &Caller, user: &str) -> Secret;

    /// All accounts, for an administrator; after the one with this id where one is given.
    users(caller: &Caller, after: Option<&str>) -> Vec<UserView>;
    /// One account by id or address: one's own, or any for an administrator.
    user(caller: &Caller, user: &str) -> UserView;
    /// Makes an account, as an administrator. The first one makes the server's own organization
    /// as well and is its owner.
    add_user(caller: &Caller, user: NewUser) -> UserView;
    /// Changes an account: one's own name, or anything for an administrator.
    change_user(caller: &Caller, user: &str, change: UserChange) -> UserView;
    /// Disables an account for good: its address is nobody else's ever after.
    remove_user(caller: &Caller, user: &str) -> ();

    /// The organizations of a caller; all for an administrator.
    organizations(caller: &Caller) -> Vec<OrganizationView>;
    /// One of them by id or short name.
    organization(caller: &Caller, organization: &str) -> OrganizationView;
    /// Makes an organization whose owner the caller is.
    add_organization(caller: &Caller, slug: &str, name: &str) -> OrganizationView;
    /// Gives an organization another name.
    rename_organization(caller: &Caller, organization: &str, name: &str) -> OrganizationView;
    /// Ends an organization: its members, keys, agents and invitations go; its short name is kept.
    remove_organization(caller: &Caller, organization: &str) -> ();
    /// Lets the caller's login be for another organization of theirs.
    switch_organization(caller: &Caller, organization: &str) -> LoggedIn;
    /// The members of an organization.
    members(caller: &Caller, organization: &str) -> Vec<MemberView>;
    /// Makes a user, by id or address, a member or gives them another role.
    set_member(caller: &Caller, organization: &str, user: &str, role: Role) -> MemberView;
    /// Takes somebody out of an organization; also oneself.
    remove_member(caller: &Caller, organization: &str, user: &str) -> ();
    /// The invitations of an organization that wait.
    invitations(caller: &Caller, organization: &str) -> Vec<InvitationView>;
    /// Invites somebody.
    invite(caller: &Caller, organization: &str, email: &str, role: Role) -> MadeInvitation;
    /// Takes an invitation back.
    revoke_invitation(caller: &Caller, organization: &str, id: &str) -> ();
    /// Follows an invitation: with a new account, or with the password of the one that is there.
    accept_invitation(code: &Secret, username: Option<&str>, password: &Secret, peer: &Peer) -> LoggedIn;

    /// The agents that act for the caller; with `all`, those of the organization.
    agents(caller: &Caller, all: bool) -> Vec<AgentView>;
    /// Makes an agent that acts for the caller in their organization.
    add_agent(caller: &Caller, name: &str) -> AgentView;
    /// Ends an agent and its keys.
    remove_agent(caller: &Caller, id: &str) -> ();

    /// The API keys of the caller's person that are good, or of somebody else's for an administrator.
    keys(caller: &Caller, of: Option<&str>) -> Vec<KeyView>;
    /// Makes an API key.
    make_key(caller: &Caller, key: NewKey) -> MadeKey;
    /// Revokes an API key.
    revoke_key(caller: &Caller, id: &str) -> ();

    /// A device asks to be let in.
    begin_device(ask: DeviceAsk, peer: &Peer) -> DeviceCodes;
    /// A device asks whether it was.
    poll_device(device_code: &Secret, peer: &Peer) -> DevicePoll;
    /// The device with this user code, for the person who is to decide.
    find_device(caller: &Caller, user_code: &str, peer: &Peer) -> DeviceView;
    /// Decides.
    answer_device(caller: &Caller, user_code: &str, answer: DeviceAnswer, peer: &Peer) -> ();

    /// The SSH keys of a caller.
    ssh_keys(caller: &Caller) -> Vec<SshKeyView>;
    /// Adds one; [`Error::Conflict`] `… already registered` when it is there.
    add_ssh_key(caller: &Caller, public_key: &str, name: Option<&str>, fingerprint: Option<&str>) -> SshKeyView;
    /// Removes one, by id or fingerprint.
    remove_ssh_key(caller: &Caller, id: &str) -> ();
    /// Removes all; says how many.
    remove_ssh_keys(caller: &Caller) -> u64;

    /// How much a caller may use.
    limits_of(caller: &Caller) -> LimitsView;
    /// Sets how much somebody may use, as an administrator of what they belong to.
    set_limits(caller: &Caller, of: LimitsOf, limits: Limits) -> ();
}
