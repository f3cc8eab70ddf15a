//! Where a request's page comes from (RFC 6454 §7).

use http::HeaderMap;
use http::header::{HOST, ORIGIN};

/// Whether a request says that it comes from this server's own page. One that names no origin does
/// not.
pub(crate) fn is_same_origin(headers: &HeaderMap) -> bool {
    let (Some(origin), Some(host)) = (headers.get(ORIGIN), headers.get(HOST)) else {
        return false;
    };
    origin
        .to_str()
        .ok()
        .and_then(|origin| origin.strip_prefix("https://"))
        .is_some_and(|origin| origin.as_bytes() == host.as_bytes())
}
