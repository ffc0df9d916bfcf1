//! Logging in by password, and going on with that.

use std::time::Duration;

use reqwest::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};
use reqwest::{Method, Response, StatusCode};
use wharf_api::identity::{
    AcceptInvitation, AccessGranted, Hidden, LoginForm, LoginSessionList, Me, Message,
    PasswordChange, PasswordReset,
};
use wharf_model::Secret;

use crate::client::Client;
use crate::error::Error;

/// The cookie that gets the next access token.
const REFRESH_COOKIE: &str = "refresh_token";
/// The longest that one try of a refresh may take: others wait for it, and the second try must be
/// sent while the server still takes the same token again, 10 s from the first.
const REFRESH_TRY: Duration = Duration::from_secs(4);

/// What a login or a refresh gives.
#[derive(Debug, Clone)]
pub struct Session {
    /// What is sent.
    pub access: Secret,
    /// How long it is good for.
    pub expires_in: Duration,
    /// What gets the next one.
    pub refresh: Option<Secret>,
}

impl Client {
    /// Logs in by password. `device` is what the login is called in lists.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn login(
        &self,
        email: &str,
        password: &Secret,
        device: &str,
    ) -> Result<Session, Error> {
        let form = LoginForm {
            username: email.to_owned(),
            password: Hidden::from(password.expose()),
            device: Some(device.to_owned()),
            ..LoginForm::default()
        };
        let request = self.quick(Method::POST, &["api", "v1", "auth", "login"]);
        let response = self.send(request.form(&form)).await?;
        self.granted(response).await
    }

    /// The next access token for a refresh token, which is used up by this. Where the answer is
    /// lost it is sent once more, at once: a server that sees it again later takes it for stolen.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn refresh(&self, refresh: &Secret) -> Result<Session, Error> {
        match self.refresh_once(refresh).await {
            Err(Error::Broken { .. }) => self.refresh_once(refresh).await,
            other => other,
        }
    }

    async fn refresh_once(&self, refresh: &Secret) -> Result<Session, Error> {
        let cookie = format!("{REFRESH_COOKIE}={}", refresh.expose());
        let mut cookie = HeaderValue::try_from(cookie).map_err(|_| Error::Token)?;
        cookie.set_sensitive(true);
        let request = self
            .quick(Method::POST, &["api", "v1", "auth", "refresh"])
            .header(COOKIE, cookie)
            .timeout(REFRESH_TRY);
        let response = self.send(request).await?;
        self.granted(response).await
    }

    async fn granted(&self, response: Response) -> Result<Session, Error> {
        let refresh = refresh_cookie(response.headers());
        let granted: AccessGranted = self.read_json(response).await?;
        if granted.access_token.expose().is_empty() {
            let reason = "it holds no token".to_owned();
            return Err(self.odd(StatusCode::OK, reason));
        }
        Ok(Session {
            expires_in: Duration::from_secs(granted.expires_in),
            access: Secret::new(granted.access_token.into_inner()),
            refresh,
        })
    }

    /// Ends the login or key that asks, or all logins of its account.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn logout(&self, all: bool) -> Result<Message, Error> {
        let mut request = self.quick(Method::POST, &["api", "v1", "auth", "logout"]);
        if all {
            request = request.query(&[("all", "true")]);
        }
        self.json(request).await
    }

    /// Who the token belongs to.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn me(&self) -> Result<Me, Error> {
        self.json(self.quick(Method::GET, &["api", "v1", "auth", "me"]))
            .await
    }

    /// Changes the password; all other logins of the account end.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn change_password(&self, change: &PasswordChange) -> Result<Message, Error> {
        let request = self.quick(Method::POST, &["api", "v1", "auth", "password"]);
        self.json(request.json(change)).await
    }

    /// A new password for a code; all logins of the account end, and this is a new one.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn reset_password(&self, reset: &PasswordReset) -> Result<Session, Error> {
        let request = self.quick(Method::POST, &["api", "v1", "auth", "reset"]);
        let response = self.send(request.json(reset)).await?;
        self.granted(response).await
    }

    /// Accepts an invitation, which is a login.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn accept_invitation(&self, accept: &AcceptInvitation) -> Result<Session, Error> {
        let request = self.quick(Method::POST, &["api", "v1", "auth", "invitation"]);
        let response = self.send(request.json(accept)).await?;
        self.granted(response).await
    }

    /// The account's logins.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn logins(&self) -> Result<LoginSessionList, Error> {
        self.json(self.quick(Method::GET, &["api", "v1", "auth", "sessions"]))
            .await
    }

    /// Ends one of the account's logins.
    ///
    /// # Errors
    /// When there is none of that id, or no server.
    pub async fn end_login(&self, id: &str) -> Result<(), Error> {
        let request = self.quick(Method::DELETE, &["api", "v1", "auth", "sessions", id]);
        self.send(request).await.map(drop)
    }
}

/// The refresh token that an answer sets, if it is not one that takes it away.
fn refresh_cookie(headers: &HeaderMap) -> Option<Secret> {
    let cookies = headers.get_all(SET_COOKIE).iter();
    let mut cookies = cookies.filter_map(|cookie| {
        let pair = cookie.to_str().ok()?.split(';').next()?;
        let (name, value) = pair.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (name.trim() == REFRESH_COOKIE && !value.is_empty()).then(|| value.to_owned())
    });
    cookies.next().map(Secret::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refresh_token_is_found_among_cookies() {
        let mut headers = HeaderMap::new();
        assert!(refresh_cookie(&headers).is_none());
        headers.append(SET_COOKIE, HeaderValue::from_static("other=1; Path=/"));
        headers.append(
            SET_COOKIE,
            HeaderValue::from_static("refresh_token=; Max-Age=0"),
        );
        assert!(refresh_cookie(&headers).is_none());
        let cookie = HeaderValue::from_static("refresh_token=whr_x; HttpOnly; SameSite=Lax");
        headers.append(SET_COOKIE, cookie);
        assert_eq!(refresh_cookie(&headers).unwrap().expose(), "whr_x");
    }
}
