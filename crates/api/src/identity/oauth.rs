//! `/oauth` and `/.well-known`: the device login as RFC 8628 has it, tokens as RFC 6749 has them,
//! the discovery document of RFC 8414, public keys as in RFC 7517.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Hidden;

/// `grant_type` of a device that polls.
pub const DEVICE_CODE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// `POST /oauth/device_authorization`, form-urlencoded.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct DeviceAuthorizationForm {
    /// Any name; the key is called that where `device_name` is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// What the token shall be for, with spaces between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The device's name for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_name: Option<String>,
}

/// The answer to [`DeviceAuthorizationForm`].
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct DeviceAuthorization {
    /// What the device polls with.
    #[schema(value_type = String)]
    pub device_code: Hidden,
    /// What the person compares or types.
    pub user_code: String,
    /// The page.
    pub verification_uri: String,
    /// The page, with the code filled in.
    pub verification_uri_complete: String,
    /// Seconds until both codes end.
    pub expires_in: u64,
    /// Seconds between two polls.
    pub interval: u64,
}

/// `POST /oauth/token`, form-urlencoded.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct TokenForm {
    /// `urn:ietf:params:oauth:grant-type:device_code` or `refresh_token`.
    pub grant_type: String,
    /// For the first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub device_code: Option<Hidden>,
    /// For the second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub refresh_token: Option<Hidden>,
    /// Any name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
}

/// A token.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct TokenGranted {
    /// To be sent as `Authorization: Bearer`.
    #[schema(value_type = String)]
    pub access_token: Hidden,
    /// `Bearer`
    pub token_type: String,
    /// Seconds until it ends.
    pub expires_in: u64,
    /// For the grant `refresh_token`: the next one; the one that was sent is used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub refresh_token: Option<Hidden>,
    /// What it is for, with spaces between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

/// The errors of `/oauth`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OAuthError {
    /// A code of the RFCs, such as `authorization_pending`.
    pub error: String,
    /// In words, for developers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_description: Option<String>,
}

/// `GET /.well-known/oauth-authorization-server`
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct AuthorizationServer {
    /// The server's public address.
    pub issuer: String,
    /// Where tokens are asked for.
    pub token_endpoint: String,
    /// Where a device login begins.
    pub device_authorization_endpoint: String,
    /// Where the public keys are.
    pub jwks_uri: String,
    /// The grants that the token endpoint has.
    pub grant_types_supported: Vec<String>,
    /// None: there is no authorization endpoint.
    pub response_types_supported: Vec<String>,
    /// How clients say who they are: `none`, all are public.
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// What tokens may be for. `session:ID` is one more for each session.
    pub scopes_supported: Vec<String>,
}

/// `GET /.well-known/jwks.json`
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct JsonWebKeySet {
    /// The public keys whose tokens are accepted.
    pub keys: Vec<JsonWebKey>,
}

/// One RSA public key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JsonWebKey {
    /// `RSA`
    pub kty: String,
    /// `sig`
    #[serde(rename = "use")]
    pub usage: String,
    /// `RS256`
    pub alg: String,
    /// Its name in tokens.
    pub kid: String,
    /// The modulus, base 64 for URLs.
    pub n: String,
    /// The exponent, base 64 for URLs.
    pub e: String,
}
