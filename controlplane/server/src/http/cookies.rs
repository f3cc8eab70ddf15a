//! Cookies of requests (RFC 6265).

use http::HeaderMap;
use http::header::COOKIE;

/// The first cookie of that name.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == wanted).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn cookie_of(fields: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(COOKIE, HeaderValue::from_str(field).expect("printable"));
        }
        cookie(&headers, "session").map(str::to_owned)
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let check = |fields: &[&str], expected: Option<&str>| {
            assert_eq!(cookie_of(fields).as_deref(), expected, "{fields:?}");
        };
        check(&["session=abc"], Some("abc"));
        check(&["a=b; session=abc; session=later"], Some("abc"));
        check(&["a=b", "c;session=a=b"], Some("a=b"));
        check(&["xsession=abc; sessionx=abc; session"], None);
        check(&[], None);
    }

    #[test]
    fn no_cookie_breaks_the_reader() {
        bolero::check!().for_each(|field: &[u8]| {
            if let Ok(value) = HeaderValue::from_bytes(field) {
                let headers = HeaderMap::from_iter([(COOKIE, value)]);
                if let Some(session) = cookie(&headers, "session") {
                    assert!(!session.contains(';'));
                }
            }
        });
    }
}
