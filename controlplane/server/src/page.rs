//! The consult page: files of `controlplane/web`, built into this binary.

use crate::authorize::Routes;
use crate::config::Profile;
use crate::http::cors;
use axum::Extension;
use axum::response::{IntoResponse as _, Response};
use bedside_policy::Action;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use http::{HeaderMap, Method, StatusCode};

/// A file as the build found it.
struct Asset {
    /// Path in URLs, with the leading slash.
    path: &'static str,
    content_type: &'static str,
    /// Strong entity tag of the content (RFC 9110 §8.8.3).
    etag: &'static str,
    bytes: &'static [u8],
    gzip: &'static [u8],
}

// ASSETS: [Asset; N], empty when the page was not built.
include!(concat!(env!("OUT_DIR"), "/assets.rs"));

pub(crate) fn routes() -> Routes {
    let open = Routes::new()
        .on(Method::GET, "/", Action::OpenPage, index_page)
        // LiveKit's web SDK asks `HEAD /` of any origin whether the network is back.
        .on(Method::HEAD, "/", Action::OpenPage, alive)
        .layer(axum::middleware::from_fn(cors));
    let pages = open
        .on(Method::GET, "/consult", Action::OpenPage, index_page)
        .on(Method::GET, "/clinic", Action::OpenPage, index_page);
    ASSETS
        .iter()
        .filter(|asset| asset.path != INDEX)
        .fold(pages, |routes, asset| {
            let file = move |headers| page(asset.path, headers);
            routes.on(Method::GET, asset.path, Action::OpenPage, file)
        })
}

/// Whether a path is a file of the page's.
#[cfg(test)]
pub(crate) fn is_file(path: &str) -> bool {
    ASSETS.iter().any(|asset| asset.path == path)
}

async fn alive() -> StatusCode {
    StatusCode::OK
}

/// The page; that of a trial says that it is one.
async fn index_page(Extension(profile): Extension<Profile>, headers: HeaderMap) -> Response {
    match profile {
        Profile::Hipaa => page(INDEX, headers).await,
        Profile::Trial => trial_page(),
    }
}

/// The page with a mark that no view of it hides; made anew each time, for a trial has no load.
fn trial_page() -> Response {
    let html = ASSETS
        .iter()
        .find(|asset| asset.path == INDEX)
        .and_then(|asset| std::str::from_utf8(asset.bytes).ok())
        .and_then(marked);
    match html {
        Some(html) => ([(CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response(),
        None => not_built(),
    }
}

/// `html` with the mark of a trial; none where it has no body.
fn marked(html: &str) -> Option<String> {
    let (head, body) = html.split_once("<body>")?;
    Some(format!("{head}<body>{TRIAL_MARK}{body}"))
}

const INDEX: &str = "/index.html";

const TRIAL_MARK: &str = "<p class=\"trial\" role=\"note\">Trial: not for patients</p>";

fn not_built() -> Response {
    (
        StatusCode::SERVICE_UNAVAILABLE,
        "the consult page was not built into this server: run `cargo xtask build`",
    )
        .into_response()
}

/// Names are the same in every release, so browsers ask each time and mostly hear 304.
async fn page(path: &'static str, headers: HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.path == path) else {
        return not_built();
    };
    let cached = [
        (ETAG, asset.etag),
        (CACHE_CONTROL, "no-cache"),
        (VARY, "Accept-Encoding"),
    ];
    if mentions(&headers, &IF_NONE_MATCH, asset.etag) {
        return (StatusCode::NOT_MODIFIED, cached).into_response();
    }
    let content_type = [(CONTENT_TYPE, asset.content_type)];
    if mentions(&headers, &ACCEPT_ENCODING, "gzip") {
        let encoding = [(CONTENT_ENCODING, "gzip")];
        return (cached, content_type, encoding, asset.gzip).into_response();
    }
    (cached, content_type, asset.bytes).into_response()
}

/// Whether a comma-separated list names `item`, weakly compared.
fn mentions(headers: &HeaderMap, name: &http::HeaderName, item: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|part| part.split(';').next().unwrap_or_default().trim())
        .any(|part| part.strip_prefix("W/").unwrap_or(part) == item)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_marks_its_page() {
        let html = marked("<html><head></head><body><div id=\"app\"></div></body></html>");
        let html = html.expect("it has a body");
        assert!(
            html.contains("<body><p class=\"trial\" role=\"note\">Trial: not for patients</p><div")
        );
        assert_eq!(marked("<html></html>"), None);
        if let Some(index) = ASSETS.iter().find(|asset| asset.path == "/index.html") {
            let text = std::str::from_utf8(index.bytes).expect("text");
            assert!(marked(text).is_some() && !text.contains(TRIAL_MARK));
        }
    }
}
