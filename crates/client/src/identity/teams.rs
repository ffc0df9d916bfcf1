//! Teams of an organization.

use reqwest::Method;
use wharf_api::profile::{CreateTeam, PutTeamMember, Team, TeamList, TeamMember, TeamMemberList};

use crate::client::Client;
use crate::error::Error;

impl Client {
    /// The teams of the organization of who asks.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn teams(&self) -> Result<TeamList, Error> {
        self.json(self.v1(Method::GET, &["teams"])).await
    }

    /// One team, by id or short name.
    ///
    /// # Errors
    /// When there is none of that name, or no server.
    pub async fn team(&self, team: &str) -> Result<Team, Error> {
        self.json(self.v1(Method::GET, &["teams", team])).await
    }

    /// Makes a team.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn create_team(&self, new: &CreateTeam) -> Result<Team, Error> {
        self.json(self.v1(Method::POST, &["teams"]).json(new)).await
    }

    /// Ends a team.
    ///
    /// # Errors
    /// When there is none of that name, or no server.
    pub async fn remove_team(&self, team: &str) -> Result<(), Error> {
        let request = self.v1(Method::DELETE, &["teams", team]);
        self.send(request).await.map(drop)
    }

    /// Who is in a team.
    ///
    /// # Errors
    /// When there is none of that name, or no server.
    pub async fn team_members(&self, team: &str) -> Result<TeamMemberList, Error> {
        self.json(self.v1(Method::GET, &["teams", team, "members"]))
            .await
    }

    /// Adds somebody to a team, or says whether they lead it.
    ///
    /// # Errors
    /// When there is none of that name, or no server.
    pub async fn put_team_member(
        &self,
        team: &str,
        user: &str,
        member: &PutTeamMember,
    ) -> Result<TeamMember, Error> {
        let request = self.v1(Method::PUT, &["teams", team, "members", user]);
        self.json(request.json(member)).await
    }

    /// Takes somebody out of a team.
    ///
    /// # Errors
    /// When there is none of that name, or no server.
    pub async fn remove_team_member(&self, team: &str, user: &str) -> Result<(), Error> {
        let request = self.v1(Method::DELETE, &["teams", team, "members", user]);
        self.send(request).await.map(drop)
    }
}
