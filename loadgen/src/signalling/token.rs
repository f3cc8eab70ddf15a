//! Access tokens in LiveKit's form: JWT, HS256.

use super::{Error, limits};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

/// What signs tokens: an API key of the server and its secret.
#[derive(Clone)]
pub struct Credentials {
    key: String,
    secret: EncodingKey,
}

/// What a participant may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access {
    /// Publish tracks.
    pub publish: bool,
    /// Receive others' tracks.
    pub subscribe: bool,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    name: &'a str,
    nbf: u64,
    exp: u64,
    video: Grant<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Grant<'a> {
    room_join: bool,
    room: &'a str,
    can_publish: bool,
    can_subscribe: bool,
    can_publish_data: bool,
}

impl Credentials {
    /// A key and its secret.
    #[must_use]
    pub fn new(key: &str, secret: &str) -> Self {
        Self {
            key: key.to_owned(),
            secret: EncodingKey::from_secret(secret.as_bytes()),
        }
    }

    /// A token for one participant, valid from `now` (seconds since 1970) for
    /// [`limits::TOKEN_LIFETIME`].
    ///
    /// # Errors
    /// [`Error::Token`].
    pub fn token(
        &self,
        room: &str,
        identity: &str,
        access: Access,
        now_s: u64,
    ) -> Result<String, Error> {
        let claims = Claims {
            iss: &self.key,
            sub: identity,
            name: identity,
            // Clocks differ by seconds between hosts.
            nbf: now_s.saturating_sub(10),
            exp: now_s + limits::TOKEN_LIFETIME.as_secs(),
            video: Grant {
                room_join: true,
                room,
                can_publish: access.publish,
                can_subscribe: access.subscribe,
                can_publish_data: access.publish,
            },
        };
        let header = Header::new(Algorithm::HS256);
        Ok(jsonwebtoken::encode(&header, &claims, &self.secret)?)
    }
}
