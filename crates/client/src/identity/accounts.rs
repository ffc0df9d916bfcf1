//! Looking after users, organizations and API keys.

use reqwest::Method;
use wharf_api::identity::{
    Agent, AgentList, ApiKeyCreated, ApiKeyList, CreateAgent, CreateApiKey, CreateInvitation,
    CreateOrganization, CreateUser, InvitationCreated, InvitationList, Member, MemberList,
    Organization, OrganizationList, PutMember, ResetCode, UpdateUser, User, UserCreated, UserList,
};

use crate::client::Client;
use crate::error::Error;

const V1: [&str; 2] = ["api", "v1"];

impl Client {
    pub(super) fn v1(&self, method: Method, path: &[&str]) -> reqwest::RequestBuilder {
        self.quick(method, &[&V1, path].concat())
    }

    /// The API keys of who asks.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn api_keys(&self) -> Result<ApiKeyList, Error> {
        self.json(self.v1(Method::GET, &["keys"])).await
    }

    /// Makes an API key.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn create_api_key(&self, key: &CreateApiKey) -> Result<ApiKeyCreated, Error> {
        self.json(self.v1(Method::POST, &["keys"]).json(key)).await
    }

    /// Revokes an API key.
    ///
    /// # Errors
    /// When there is none of that id, or no server.
    pub async fn revoke_api_key(&self, id: &str) -> Result<(), Error> {
        let request = self.v1(Method::DELETE, &["keys", id]);
        self.send(request).await.map(drop)
    }

    /// All accounts.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn users(&self) -> Result<UserList, Error> {
        self.json(self.v1(Method::GET, &["users"])).await
    }

    /// Makes an account.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn create_user(&self, user: &CreateUser) -> Result<UserCreated, Error> {
        self.json(self.v1(Method::POST, &["users"]).json(user))
            .await
    }

    /// Changes an account.
    ///
    /// # Errors
    /// When there is none of that id, or no server.
    pub async fn update_user(&self, id: &str, change: &UpdateUser) -> Result<User, Error> {
        let request = self.v1(Method::PATCH, &["users", id]);
        self.json(request.json(change)).await
    }

    /// A code that sets a new password for an account.
    ///
    /// # Errors
    /// When there is none of that id, or no server.
    pub async fn reset_code(&self, id: &str) -> Result<ResetCode, Error> {
        self.json(self.v1(Method::POST, &["users", id, "reset-code"]))
            .await
    }

    /// The organizations of who asks.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn organizations(&self) -> Result<OrganizationList, Error> {
        self.json(self.v1(Method::GET, &["orgs"])).await
    }

    /// Makes an organization.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn create_organization(
        &self,
        new: &CreateOrganization,
    ) -> Result<Organization, Error> {
        self.json(self.v1(Method::POST, &["orgs"]).json(new)).await
    }

    /// Who belongs to an organization.
    ///
    /// # Errors
    /// When there is none of that id, or no server.
    pub async fn members(&self, org: &str) -> Result<MemberList, Error> {
        self.json(self.v1(Method::GET, &["orgs", org, "members"]))
            .await
    }

    /// Adds somebody to an organization, or gives them another role.
    ///
    /// # Errors
    /// When there is none of that id, or no server.
    pub async fn put_member(
        &self,
        org: &str,
        user: &str,
        member: &PutMember,
    ) -> Result<Member, Error> {
        let request = self.v1(Method::PUT, &["orgs", org, "members", user]);
        self.json(request.json(member)).await
    }

    /// Takes somebody out of an organization.
    ///
    /// # Errors
    /// When there is none of that id, or no server.
    pub async fn remove_member(&self, org: &str, user: &str) -> Result<(), Error> {
        let request = self.v1(Method::DELETE, &["orgs", org, "members", user]);
        self.send(request).await.map(drop)
    }

    /// Invitations to an organization that nobody accepted yet.
    ///
    /// # Errors
    /// When there is none of that id, or no server.
    pub async fn invitations(&self, org: &str) -> Result<InvitationList, Error> {
        self.json(self.v1(Method::GET, &["orgs", org, "invitations"]))
            .await
    }

    /// Invites somebody to an organization.
    ///
    /// # Errors
    /// When there is none of that id, or no server.
    pub async fn invite(
        &self,
        org: &str,
        invitation: &CreateInvitation,
    ) -> Result<InvitationCreated, Error> {
        let request = self.v1(Method::POST, &["orgs", org, "invitations"]);
        self.json(request.json(invitation)).await
    }

    /// Takes an invitation back.
    ///
    /// # Errors
    /// When there is none of that id, or no server.
    pub async fn uninvite(&self, org: &str, id: &str) -> Result<(), Error> {
        let request = self.v1(Method::DELETE, &["orgs", org, "invitations", id]);
        self.send(request).await.map(drop)
    }

    /// The agents of who asks.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn agents(&self) -> Result<AgentList, Error> {
        self.json(self.v1(Method::GET, &["agents"])).await
    }

    /// Makes an agent that acts for who asks.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn create_agent(&self, agent: &CreateAgent) -> Result<Agent, Error> {
        self.json(self.v1(Method::POST, &["agents"]).json(agent))
            .await
    }

    /// Removes an agent with all its keys.
    ///
    /// # Errors
    /// When there is none of that id, or no server.
    pub async fn remove_agent(&self, id: &str) -> Result<(), Error> {
        let request = self.v1(Method::DELETE, &["agents", id]);
        self.send(request).await.map(drop)
    }
}
