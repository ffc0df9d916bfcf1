//! What is asked and what is answered. Times are moments; texts are as people see them; nothing
//! here but a [`Secret`] opens a door.

use std::net::IpAddr;
use std::time::Duration;

use wharf_model::{Limits, Role, Scopes, Secret, Timestamp};

/// Where a request comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peer {
    /// The address; none for a request on this machine's own socket.
    pub address: Option<IpAddr>,
    /// What the client calls itself: a device name, or what a browser says.
    pub device: Option<String>,
}

/// A person's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserView {
    /// A UUID.
    pub id: String,
    /// The address they log in with.
    pub email: String,
    /// The name that others see.
    pub username: String,
    /// Their role in the server's own organization, or else in their first one.
    pub role: Role,
    /// When the account was made.
    pub created: Timestamp,
    /// Whether it can be used no more.
    pub disabled: bool,
    /// Whether there is a password.
    pub has_password: bool,
    /// What was set for this person.
    pub limits: Limits,
    /// The organizations that they belong to, the first one first.
    pub organizations: Vec<MembershipView>,
}

/// What a person is in an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipView {
    /// The organization's id.
    pub organization: String,
    /// Its short name.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// The person's role.
    pub role: Role,
}

/// Who I am: what was shown, and what that is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeView {
    /// The account.
    pub user: UserView,
    /// The organization that the credential is for.
    pub organization: MembershipView,
    /// The id of the login or key that was shown.
    pub credential: String,
    /// When that ends.
    pub expires: Option<Timestamp>,
}

/// A login has begun or went on.
#[derive(Debug, Clone)]
pub struct LoggedIn {
    /// Shown with each request.
    pub access: Secret,
    /// How long it is good for.
    pub access_lifetime: Duration,
    /// Goes on with the login, once; none where the one that there is stays good.
    pub refresh: Option<Secret>,
    /// How long that is good for.
    pub refresh_lifetime: Duration,
    /// The login's id.
    pub login: String,
    /// Whose it is.
    pub user: UserView,
    /// What it is for.
    pub organization: MembershipView,
}

/// A login, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginView {
    /// Its id.
    pub id: String,
    /// The device, as it called itself.
    pub device: String,
    /// The address that it was last used from.
    pub address: String,
    /// When it began.
    pub created: Timestamp,
    /// When it was last used, to the minute.
    pub used: Timestamp,
    /// When it ends if it is not used again.
    pub expires: Timestamp,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// A new account.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The address to log in with.
    pub email: String,
    /// The name that others see; the address, as far as it fits, where there is none.
    pub username: Option<String>,
    /// The password; without one nobody can log in until it is reset.
    pub password: Option<Secret>,
    /// The role in the organization; a member's where there is none.
    pub role: Option<Role>,
    /// The organization; the server's own where there is none.
    pub organization: Option<String>,
}

/// What changes in an account; nothing where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserChange {
    /// The name that others see.
    pub username: Option<String>,
    /// Whether the account can be used no more.
    pub disabled: Option<bool>,
}

/// An API key, without the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyView {
    /// Its id.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// What it is for.
    pub scopes: Scopes,
    /// The organization's short name.
    pub organization: String,
    /// The address of the person whose it is.
    pub email: String,
    /// The agent whose it is, by name.
    pub agent: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// When it was last used, to the minute.
    pub used: Option<Timestamp>,
    /// The address that it was last used from.
    pub used_from: Option<String>,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// A new API key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewKey {
    /// What its owner will know it by.
    pub name: String,
    /// What it is for; all that the one who makes it may give where there is none.
    pub scopes: Option<Scopes>,
    /// How long it is good for; 90 days where there is none.
    pub lifetime: Option<Duration>,
    /// The organization, by id or short name; the maker's where there is none.
    pub organization: Option<String>,
    /// The agent that it is for, by id.
    pub agent: Option<String>,
}

/// A key that was just made: the only time that its text is known.
#[derive(Debug, Clone)]
pub struct MadeKey {
    /// The text.
    pub token: Secret,
    /// What lists will say of it.
    pub key: KeyView,
}

/// A device asks to be let in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceAsk {
    /// What it asks to be for; all where there is none.
    pub scopes: Option<Scopes>,
}

/// What a device was given to go on with.
#[derive(Debug, Clone)]
pub struct DeviceCodes {
    /// What it polls with.
    pub device_code: Secret,
    /// What its person types: `ABCD-1234`.
    pub user_code: Secret,
    /// How long both are good for.
    pub lifetime: Duration,
    /// How long it waits before each poll.
    pub interval: Duration,
}

/// What a poll comes to.
#[derive(Debug, Clone)]
pub enum DevicePoll {
    /// Nobody has decided.
    Pending,
    /// Nobody has decided, and this came too soon: wait for so long from now on.
    SlowDown {
        /// The new interval.
        interval: Duration,
    },
    /// The person said no.
    Denied,
    /// It took too long.
    Expired,
    /// There is no such code, or its key was fetched before.
    Invalid,
    /// The person said yes: here is the key.
    Done(Box<DeviceDone>),
}

/// A device was let in.
#[derive(Debug, Clone)]
pub struct DeviceDone {
    /// The key.
    pub token: Secret,
    /// What lists will say of it.
    pub key: KeyView,
    /// Whose it is.
    pub user: UserView,
    /// What it is for.
    pub organization: MembershipView,
}

/// A device that waits, as the person sees it who is to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceView {
    /// What it calls itself.
    pub device: String,
    /// Where it asks from.
    pub address: String,
    /// What it asks to be for.
    pub scopes: Scopes,
    /// When it asked.
    pub asked: Timestamp,
    /// When its code ends.
    pub expires: Timestamp,
    /// Whether the person asks from the same address as the device.
    pub same_address: bool,
}

/// What a person says to a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceAnswer {
    /// Let it in.
    Allow {
        /// For this organization, by id or short name; the person's own where there is none.
        organization: Option<String>,
    },
    /// Turn it away.
    Deny,
}

/// An organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationView {
    /// Its id.
    pub id: String,
    /// Its short name, which is part of the names of its callers and never changes.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
    /// Whether it is the server's own.
    pub home: bool,
    /// The role of whoever asks, where they have one there.
    pub role: Option<Role>,
    /// What was set for all of it together.
    pub limits: Limits,
}

/// One member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberView {
    /// The account's id.
    pub user: String,
    /// Its address.
    pub email: String,
    /// Its name.
    pub username: String,
    /// The role.
    pub role: Role,
    /// Since when.
    pub since: Timestamp,
    /// Whether the account can be used no more.
    pub disabled: bool,
}

/// A team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamView {
    /// Its id.
    pub id: String,
    /// The organization's id.
    pub organization: String,
    /// Its short name.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// How many are in it.
    pub members: u64,
    /// Whether who asks is one of them.
    pub is_member: bool,
    /// Whether who asks may change its profile and its members.
    pub may_edit: bool,
    /// When it was made.
    pub created: Timestamp,
}

/// One member of a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamMemberView {
    /// The account's id.
    pub user: String,
    /// Its address.
    pub email: String,
    /// Whether they may change its profile and its members.
    pub leads: bool,
}

/// An invitation that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitationView {
    /// Its id.
    pub id: String,
    /// Whom it is for.
    pub email: String,
    /// What they will be.
    pub role: Role,
    /// Who invited.
    pub by: String,
    /// When.
    pub created: Timestamp,
    /// Until when it is good.
    pub expires: Timestamp,
}

/// An invitation that was just made: the only time that its code is known.
#[derive(Debug, Clone)]
pub struct MadeInvitation {
    /// The code to give to the person.
    pub code: Secret,
    /// What lists will say of it.
    pub invitation: InvitationView,
    /// Whether it was handed over to be mailed.
    pub mailed: bool,
}

/// An agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentView {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The organization's short name.
    pub organization: String,
    /// The address of the person it acts for.
    pub acts_for: String,
    /// When it was made.
    pub created: Timestamp,
    /// What was set for it.
    pub limits: Limits,
}

/// A public SSH key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshKeyView {
    /// Its id.
    pub id: String,
    /// `SHA256:…`.
    pub fingerprint: String,
    /// What its owner calls it.
    pub name: String,
    /// The key as in `authorized_keys`, without a comment.
    pub public_key: String,
    /// When it was uploaded.
    pub created: Timestamp,
}

/// Whom limits are set for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LimitsOf {
    /// A person, in whatever organization, by id.
    User(String),
    /// An organization, all of it together, by id or short name.
    Organization(String),
    /// An agent, by id.
    Agent(String),
}

/// A public key that verifies access tokens, as RFC 7517 writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// `kid`.
    pub id: String,
    /// `n`, base64url.
    pub modulus: String,
    /// `e`, base64url.
    pub exponent: String,
}
