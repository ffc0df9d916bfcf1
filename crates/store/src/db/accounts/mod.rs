//! People, organizations, teams, agents, and what opens doors for them; a file for each topic.
//!
//! What has to happen together does so in one transaction, here and not above. Where two servers
//! could do it at once on PostgreSQL, the transaction begins by changing the row that both need:
//! the second one waits there, and then sees what the first one did.

mod agents;
mod attempts;
mod codes;
mod devices;
mod invitations;
mod keys;
mod logins;
mod organizations;
mod people;
mod principals;
mod signing_keys;
mod ssh_keys;
mod sweep;
mod teams;
mod users;

pub use agents::AgentRow;
pub use attempts::AttemptRow;
pub use devices::{DeviceMade, DeviceRow, Polled};
pub use invitations::InvitationRow;
pub use keys::{KeyMade, KeyPlace, KeyRow};
pub use logins::{LoginRow, Rotation, RotationAsk};
pub use organizations::{Membership, OrganizationRow};
pub use people::{Ending, Joined, MemberRow};
pub use principals::PrincipalRow;
pub use signing_keys::SigningKeyRow;
pub use ssh_keys::SshKeyRow;
pub use teams::{TeamJoined, TeamMade, TeamMemberRow, TeamPlace, TeamRow};
pub use users::{UserMade, UserRow};

/// A statement with its values.
macro_rules! statement {
    ($sql:expr $(, $value:expr)* $(,)?) => {
        sqlx::query($sql)$(.bind($value))*
    };
}
pub(super) use statement;
