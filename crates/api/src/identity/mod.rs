//! Accounts: people, organizations, agents, and the credentials of each.
//!
//! Three families of names meet here and each keeps its own: `/api/v1` writes `snake_case`, the
//! device login and keys of `/api/cli` and `/api/rpc/cli` write `camelCase`, `/oauth` writes what
//! its RFCs say. Times are RFC 3339, spans are seconds.
//!
//! Start reading at [`account`], then [`login`]; a text that opens something is a [`Hidden`].

pub mod account;
pub mod agent;
pub mod device;
pub mod hidden;
pub mod key;
pub mod login;
pub mod oauth;
pub mod organization;
pub mod rpc;
pub mod ssh_key;
pub mod user;

pub use account::{
    AcceptInvitation, AccountRole, FirstUser, Me, Message, OrganizationRef, PasswordChange,
    PasswordReset, Register, Registered, ResetRequest,
};
pub use agent::{Agent, AgentList, CreateAgent, UpdateAgent};
pub use device::{
    AuthorizeDevice, DeviceCode, DeviceCodeRequest, DeviceOrganization, DevicePoll,
    DevicePollRequest, DeviceToken, DeviceUser, PlainError,
};
pub use hidden::Hidden;
pub use key::{ApiKey, ApiKeyCreated, ApiKeyList, CreateApiKey};
pub use login::{AccessGranted, LoginForm, LoginSession, LoginSessionList, SwitchOrganization};
pub use oauth::{
    AuthorizationServer, DeviceAuthorization, DeviceAuthorizationForm, JsonWebKey, JsonWebKeySet,
    OAuthError, TokenForm, TokenGranted,
};
pub use organization::{
    AccountLimits, CreateInvitation, CreateOrganization, Invitation, InvitationCreated,
    InvitationList, Member, MemberList, Organization, OrganizationList, PutMember,
    UpdateOrganization,
};
pub use rpc::{RpcAnswer, RpcError, RpcFailure, RpcRequest};
pub use ssh_key::{SshKey, SshKeyCreated, SshKeyDelete, SshKeyDeleted, SshKeyList, SshKeyRequest};
pub use user::{CreateUser, MembershipRef, ResetCode, UpdateUser, User, UserCreated, UserList};
