//! The workforce's session cookie.

use http::HeaderValue;

/// `__Host-`: browsers take it only over TLS, for `/`, and from this very host
/// (draft-ietf-httpbis-rfc6265bis §4.1.3.2).
pub(crate) const NAME: &str = "__Host-bedside";

/// What makes a browser keep `token`; the cookie ends with the browser's session, or when the
/// server says so. `SameSite=Strict`: no other site's page can use it.
pub(crate) fn set(token: &str) -> HeaderValue {
    header(&format!("{NAME}={token}"))
}

/// What makes a browser forget it.
pub(crate) fn clear() -> HeaderValue {
    header(&format!("{NAME}=; Max-Age=0"))
}

fn header(pair: &str) -> HeaderValue {
    let text = format!("{pair}; Path=/; HttpOnly; Secure; SameSite=Strict");
    HeaderValue::try_from(text).expect("base64url and our own words")
}
