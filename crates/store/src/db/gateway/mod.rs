//! Sandbox sessions, what they are made of, and what opens and pays for them; a file for each topic.
//!
//! What has to happen together does so in one transaction, here and not above: a session is counted
//! and made at once, and whoever changes one says which version of it they have seen.

mod accounts;
mod claims;
mod configurations;
mod repos;
mod selections;
mod sessions;
mod sweep;
mod tickets;

pub use accounts::AccountRow;
pub use claims::{GatewayClaim, GatewayClaimRow};
pub use configurations::{ConfigurationMade, ConfigurationRow};
pub use repos::RepoRow;
pub use sessions::{Begun, GatewayEventRow, GatewayRoom, GatewaySessionRow, SessionsAsk};
pub use tickets::TicketRow;

use super::accounts::statement;
