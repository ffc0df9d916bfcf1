//! Calls about approvals and the policy.

use std::time::Duration;

use reqwest::Method;
use wharf_api::{
    APPROVAL_WAIT_MAX, Approval, ApprovalList, ApproveRequest, DenyRequest, GrantList, PolicyFile,
    PolicyReloaded, PolicyReplay, PolicyReplayRequest, PolicyShown, PolicyTestRequest,
    PolicyTested, Preview, PreviewRequest, Success,
};

use crate::client::Client;
use crate::error::Error;

impl Client {
    /// Approvals, open ones first; of one state (`pending`, …) when given.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn approvals(&self, state: Option<&str>, limit: u32) -> Result<ApprovalList, Error> {
        let request = self.quick(Method::GET, &["api", "approvals"]);
        let request = request.query(&[("limit", limit.to_string())]);
        self.json(match state {
            Some(state) => request.query(&[("state", state)]),
            None => request,
        })
        .await
    }

    /// One approval; the answer comes when it is no longer pending, or after `wait`, of which the
    /// server takes at most a minute.
    ///
    /// # Errors
    /// When there is none of that id, or no server.
    pub async fn approval(&self, id: &str, wait: Duration) -> Result<Approval, Error> {
        let seconds = wait.as_secs().min(APPROVAL_WAIT_MAX).to_string();
        let request = self.quick(Method::GET, &["api", "approvals", id]);
        self.json(request.query(&[("wait", seconds)])).await
    }

    /// Says yes.
    ///
    /// # Errors
    /// When it is over, this caller may not, or no server answers.
    pub async fn approve(&self, id: &str, yes: &ApproveRequest) -> Result<Approval, Error> {
        let path = ["api", "approvals", id, "approve"];
        self.json(self.quick(Method::POST, &path).json(yes)).await
    }

    /// Says no.
    ///
    /// # Errors
    /// When it is over, or no server answers.
    pub async fn deny(&self, id: &str, no: &DenyRequest) -> Result<Approval, Error> {
        let path = ["api", "approvals", id, "deny"];
        self.json(self.quick(Method::POST, &path).json(no)).await
    }

    /// What a pattern would have matched in a project.
    ///
    /// # Errors
    /// When it is no pattern, or no server answers.
    pub async fn preview_pattern(&self, ask: &PreviewRequest) -> Result<Preview, Error> {
        let path = ["api", "approvals", "preview"];
        self.json(self.quick(Method::POST, &path).json(ask)).await
    }

    /// Yeses that hold for longer than one run.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn grants(&self) -> Result<GrantList, Error> {
        self.json(self.quick(Method::GET, &["api", "grants"])).await
    }

    /// Takes a standing yes back.
    ///
    /// # Errors
    /// When there is none of that id, or no server.
    pub async fn revoke_grant(&self, id: &str) -> Result<Success, Error> {
        self.json(self.quick(Method::DELETE, &["api", "grants", id]))
            .await
    }

    /// The policy that holds.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn policy(&self) -> Result<PolicyShown, Error> {
        self.json(self.quick(Method::GET, &["api", "policy"])).await
    }

    /// Whether these files are a policy that decides its examples as they say.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn test_policy(&self, files: Vec<PolicyFile>) -> Result<PolicyTested, Error> {
        let ask = PolicyTestRequest { files };
        let path = ["api", "policy", "test"];
        self.json(self.quick(Method::POST, &path).json(&ask)).await
    }

    /// What other files would have decided differently.
    ///
    /// # Errors
    /// When they do not load, or no server answers.
    pub async fn replay_policy(&self, ask: &PolicyReplayRequest) -> Result<PolicyReplay, Error> {
        let path = ["api", "policy", "replay"];
        self.json(self.quick(Method::POST, &path).json(ask)).await
    }

    /// Has the server read its policy's files again.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn reload_policy(&self) -> Result<PolicyReloaded, Error> {
        self.json(self.quick(Method::POST, &["api", "policy", "reload"]))
            .await
    }
}
