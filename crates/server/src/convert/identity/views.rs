//! What accounts show, as the wire has it.

use wharf_api::identity as api;
use wharf_api::profile::{Team, TeamMember};
use wharf_identity::HOME_SLUG;
use wharf_identity::views::{
    AgentView, DeviceDone, InvitationView, KeyView, LoggedIn, LoginView, MeView, MemberView,
    MembershipView, OrganizationView, PublicKey, SshKeyView, TeamMemberView, TeamView, UserView,
};
use wharf_model::{Caller, Limits, Timestamp};

use super::{hidden, role_shown, scopes_shown};

/// The id of the local token's holder, who has no account.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

pub(crate) fn granted(login: &LoggedIn) -> api::AccessGranted {
    api::AccessGranted {
        access_token: hidden(&login.access),
        token_type: "bearer".to_owned(),
        expires_in: login.access_lifetime.as_secs(),
    }
}

pub(crate) fn me(view: &MeView, caller: &Caller) -> api::Me {
    let grants = caller.grants();
    api::Me {
        id: view.user.id.clone(),
        email: view.user.email.clone(),
        username: view.user.username.clone(),
        role: role_shown(grants.role),
        created_at: view.user.created.to_string(),
        organization: Some(reference(&view.organization)),
        agent: grants.agent.as_deref().map(str::to_owned),
        credential: grants.credential.as_deref().map(str::to_owned),
        credential_id: Some(view.credential.clone()).filter(|id| !id.is_empty()),
        expires_at: view.expires.map(|at| at.to_string()),
        scopes: scopes_shown(&grants.scopes),
        administrator: caller.administers(),
    }
}

/// The holder of the server's own token.
pub(crate) fn local(caller: &Caller) -> api::Me {
    let grants = caller.grants();
    api::Me {
        id: NOBODY.to_owned(),
        email: format!("{}@localhost", caller.name()),
        username: caller.name().to_owned(),
        role: role_shown(grants.role),
        created_at: Timestamp::from_millis(0).to_string(),
        scopes: scopes_shown(&grants.scopes),
        administrator: caller.administers(),
        ..api::Me::default()
    }
}

pub(crate) fn reference(view: &MembershipView) -> api::OrganizationRef {
    api::OrganizationRef {
        id: view.organization.clone(),
        slug: view.slug.clone(),
        name: view.name.clone(),
    }
}

/// Where only the short name is known.
fn short(slug: &str) -> api::OrganizationRef {
    api::OrganizationRef {
        slug: slug.to_owned(),
        ..api::OrganizationRef::default()
    }
}

pub(crate) fn login(view: LoginView) -> api::LoginSession {
    api::LoginSession {
        id: view.id,
        device: view.device,
        address: view.address,
        created_at: view.created.to_string(),
        last_used_at: view.used.to_string(),
        expires_at: view.expires.to_string(),
        current: view.current,
    }
}

pub(crate) fn key(view: KeyView) -> api::ApiKey {
    api::ApiKey {
        id: view.id,
        name: view.name,
        scopes: scopes_shown(&view.scopes),
        organization: short(&view.organization),
        owner: view.email,
        agent: view.agent,
        created_at: view.created.to_string(),
        expires_at: view.expires.to_string(),
        last_used_at: view.used.map(|at| at.to_string()),
        last_used_from: view.used_from,
        current: view.current,
    }
}

pub(crate) fn user(view: UserView) -> api::User {
    let administers = |it: &MembershipView| it.slug == HOME_SLUG && it.role.may_administer();
    api::User {
        administrator: !view.disabled && view.organizations.iter().any(administers),
        id: view.id,
        email: view.email,
        username: view.username,
        disabled: view.disabled,
        has_password: view.has_password,
        role: role_shown(view.role),
        created_at: view.created.to_string(),
        organizations: view.organizations.iter().map(membership).collect(),
        limits: limits(view.limits),
    }
}

fn membership(view: &MembershipView) -> api::MembershipRef {
    api::MembershipRef {
        id: view.organization.clone(),
        slug: view.slug.clone(),
        name: view.name.clone(),
        role: role_shown(view.role),
    }
}

pub(crate) fn organization(view: OrganizationView) -> api::Organization {
    api::Organization {
        id: view.id,
        slug: view.slug,
        name: view.name,
        role: view.role.map(role_shown),
        home: view.home,
        created_at: view.created.to_string(),
        limits: limits(view.limits),
    }
}

pub(crate) fn team(view: TeamView) -> Team {
    Team {
        id: view.id,
        organization_id: view.organization,
        slug: view.slug,
        name: view.name,
        members: view.members,
        is_member: view.is_member,
        may_edit: view.may_edit,
        created_at: view.created.to_string(),
    }
}

pub(crate) fn team_member(view: TeamMemberView) -> TeamMember {
    TeamMember {
        user_id: view.user,
        email: view.email,
        leads: view.leads,
    }
}

pub(crate) fn member(view: MemberView) -> api::Member {
    api::Member {
        user_id: view.user,
        email: view.email,
        username: view.username,
        role: role_shown(view.role),
        joined_at: view.since.to_string(),
        disabled: view.disabled,
    }
}

pub(crate) fn invitation(view: InvitationView) -> api::Invitation {
    api::Invitation {
        id: view.id,
        email: view.email,
        role: role_shown(view.role),
        invited_by: view.by,
        created_at: view.created.to_string(),
        expires_at: view.expires.to_string(),
    }
}

pub(crate) fn agent(view: AgentView) -> api::Agent {
    api::Agent {
        id: view.id,
        name: view.name,
        organization: short(&view.organization),
        acts_for: view.acts_for,
        created_at: view.created.to_string(),
        limits: limits(view.limits),
    }
}

pub(crate) fn ssh_key(view: SshKeyView) -> api::SshKey {
    api::SshKey {
        id: view.id,
        fingerprint: view.fingerprint,
        name: view.name,
        created_at: view.created.to_string(),
    }
}

pub(crate) fn device_token(done: DeviceDone) -> api::DeviceToken {
    api::DeviceToken {
        token: hidden(&done.token),
        user: api::DeviceUser {
            id: done.user.id,
            email: done.user.email,
            name: done.user.username,
        },
        org: api::DeviceOrganization {
            id: done.organization.organization,
            name: done.organization.name,
            slug: done.organization.slug,
        },
        has_github_connection: false,
        key_id: Some(done.key.id),
        expires_at: Some(done.key.expires.to_string()),
        scopes: scopes_shown(&done.key.scopes),
    }
}

pub(crate) fn public_key(key: PublicKey) -> api::JsonWebKey {
    api::JsonWebKey {
        kty: "RSA".to_owned(),
        usage: "sig".to_owned(),
        alg: "RS256".to_owned(),
        kid: key.id,
        n: key.modulus,
        e: key.exponent,
    }
}

/// None where nothing was set.
fn limits(limits: Limits) -> Option<api::AccountLimits> {
    (limits != Limits::NONE).then_some(api::AccountLimits {
        runs_per_minute: limits.runs_per_minute,
        concurrent_runs: limits.concurrent_runs,
        sessions: limits.sessions,
        output_bytes_per_day: limits.output_bytes_per_day,
        wall_seconds_per_day: limits.wall_seconds_per_day,
    })
}

pub(crate) fn limits_given(limits: &api::AccountLimits) -> Limits {
    Limits {
        runs_per_minute: limits.runs_per_minute,
        concurrent_runs: limits.concurrent_runs,
        sessions: limits.sessions,
        output_bytes_per_day: limits.output_bytes_per_day,
        wall_seconds_per_day: limits.wall_seconds_per_day,
    }
}
