//! The browser behind a client that does not name it.
//!
//! LiveKit's web SDK leaves its browser to the `User-Agent` header, and SDP negotiation has to
//! know Firefox and Safari.

use http::HeaderMap;
use http::header::USER_AGENT;
use livekit_protocol::ClientInfo;

/// Fills in the browser where the client did not say.
pub(super) fn complete(client: &mut ClientInfo, headers: &HeaderMap) {
    if !client.browser.is_empty() {
        return;
    }
    let agent = headers
        .get(USER_AGENT)
        .and_then(|value| value.to_str().ok());
    if let Some((browser, version)) = agent.and_then(browser) {
        browser.clone_into(&mut client.browser);
        version.clone_into(&mut client.browser_version);
    }
}

/// Order matters: each of these also names the ones after it. On iOS every browser is Safari
/// inside and says so.
fn browser(agent: &str) -> Option<(&'static str, &str)> {
    let version = |product: &str| {
        let rest = agent.split_once(product)?.1;
        Some(rest.split([' ', ';', ')']).next().unwrap_or_default())
    };
    [
        ("Firefox/", "firefox"),
        ("Edg/", "edge"),
        ("OPR/", "opera"),
        ("Chrome/", "chrome"),
    ]
    .into_iter()
    .find_map(|(product, name)| version(product).map(|version| (name, version)))
    .or_else(|| {
        agent
            .contains("Safari/")
            .then(|| ("safari", version("Version/").unwrap_or_default()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_told_apart() {
        let check = |agent: &str, expected: Option<(&str, &str)>| {
            assert_eq!(browser(agent), expected, "{agent}");
        };
        let webkit = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)";
        check(
            "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0",
            Some(("firefox", "153.0")),
        );
        check(
            &format!("{webkit} Chrome/156.0.0.0 Safari/537.36"),
            Some(("chrome", "156.0.0.0")),
        );
        check(
            &format!("{webkit} Chrome/156.0.0.0 Safari/537.36 Edg/156.1"),
            Some(("edge", "156.1")),
        );
        check(
            "Mozilla/5.0 (Macintosh) AppleWebKit/605 (KHTML) Version/26.1 Safari/605",
            Some(("safari", "26.1")),
        );
        check("python/3.13", None);
    }

    #[test]
    fn what_the_client_says_stays() {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, "Firefox/1.0".parse().expect("a header value"));
        let mut client = ClientInfo {
            browser: "Chrome".to_owned(),
            ..ClientInfo::default()
        };
        complete(&mut client, &headers);
        assert_eq!(client.browser, "Chrome");
    }
}
