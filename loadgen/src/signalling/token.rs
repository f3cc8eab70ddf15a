//! Access tokens in LiveKit's form: JWT, HS256.

use super::{Error, limits};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;
use std::collections::BTreeMap;

/// What signs tokens: an API key of the server and its secret.
#[derive(Clone)]
pub struct Credentials {
    key: String,
    secret: EncodingKey,
}

/// What a participant may do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Access<'a> {
    /// Where.
    pub room: &'a str,
    /// Who; unique in the room.
    pub identity: &'a str,
    /// Publish tracks.
    pub publish: bool,
    /// Receive others' tracks.
    pub subscribe: bool,
    /// Whose tracks a WHEP session receives, where the server lets it choose.
    pub publisher: Option<&'a str>,
}

/// The attribute by which a token for WHEP names a publisher.
const PUBLISHER: &str = "bedside.whep.publisher";

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    name: &'a str,
    nbf: u64,
    exp: u64,
    video: Grant<'a>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<&'static str, &'a str>,
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
    pub fn token(&self, access: &Access<'_>, now_s: u64) -> Result<String, Error> {
        let claims = Claims {
            iss: &self.key,
            sub: access.identity,
            name: access.identity,
            // Clocks differ by seconds between hosts.
            nbf: now_s.saturating_sub(10),
            exp: now_s + limits::TOKEN_LIFETIME.as_secs(),
            video: Grant {
                room_join: true,
                room: access.room,
                can_publish: access.publish,
                can_subscribe: access.subscribe,
                can_publish_data: access.publish,
            },
            attributes: access
                .publisher
                .map(|publisher| (PUBLISHER, publisher))
                .into_iter()
                .collect(),
        };
        let header = Header::new(Algorithm::HS256);
        Ok(jsonwebtoken::encode(&header, &claims, &self.secret)?)
    }
}
