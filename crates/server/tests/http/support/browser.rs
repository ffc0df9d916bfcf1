//! A browser, as far as our pages need one.

use super::accounts::{ADA, PASSWORD, Team, encoded, set_cookie};
use super::{Answer, Ask};

/// A browser: it keeps its cookie, and knows what its last page has given it.
pub(crate) struct Browser<'t> {
    team: &'t Team,
    pub(crate) cookie: Option<String>,
    pub(crate) csrf: String,
}

impl<'t> Browser<'t> {
    pub(crate) fn new(team: &'t Team) -> Self {
        Self {
            team,
            cookie: None,
            csrf: String::new(),
        }
    }

    pub(crate) fn ask(&self, method: &str, path: &str) -> Ask {
        let ask = self
            .team
            .open(method, path)
            .header("sec-fetch-site", "same-origin");
        match &self.cookie {
            Some(cookie) => ask.header("cookie", format!("wharf_page={cookie}")),
            None => ask,
        }
    }

    async fn look(&mut self, ask: Ask) -> Answer {
        let answer = ask.send().await;
        if let Some(cookie) = set_cookie(&answer, "wharf_page") {
            self.cookie = Some(cookie);
        }
        if let Some(csrf) = member(&answer.text(), "csrf") {
            self.csrf = csrf;
        }
        answer
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        let ask = self.ask("GET", path);
        self.look(ask).await
    }

    /// Sends the form of `/device`.
    pub(crate) async fn post(&mut self, pairs: &[(&str, &str)]) -> Answer {
        self.post_to("/device", pairs).await
    }

    /// Sends a page's form, with what the page gave.
    pub(crate) async fn post_to(&mut self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let csrf = self.csrf.clone();
        let mut all = vec![("csrf", csrf.as_str())];
        all.extend_from_slice(pairs);
        let ask = self
            .ask("POST", path)
            .header("origin", "http://localhost:7304")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(encoded(&all));
        self.look(ask).await
    }

    /// Signs in, and follows to the page that comes then.
    pub(crate) async fn sign_in(&mut self, code: &str) -> Answer {
        self.get("/device").await;
        let form = [
            ("step", "sign-in"),
            ("email", ADA),
            ("password", PASSWORD),
            ("code", code),
        ];
        let answer = self.post(&form).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        let to = answer.header("location").to_owned();
        self.get(&to).await
    }
}

/// The value of a hidden member of a page's first form.
pub(crate) fn member(page: &str, name: &str) -> Option<String> {
    let after = page.split(&format!("name=\"{name}\" value=\"")).nth(1)?;
    Some(after.split('"').next()?.to_owned())
}
