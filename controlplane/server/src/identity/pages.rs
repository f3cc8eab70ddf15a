//! What a person reads when they are not logged in.

use axum::response::{Html, IntoResponse as _, Response};
use http::StatusCode;

/// Why. Each has a heading, a sentence that says what to do, and a code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Trouble {
    NoProvider,
    TooOften,
    LoginUnknown,
    OtherBrowser,
    ProviderRefused,
    ProviderAway,
    Provider,
    NoRole,
    NoSecondFactor,
    Revoked,
    OtherUser,
    Unwritable,
    Unavailable,
}

impl Trouble {
    /// The page's `data-code`, and the record's reason.
    pub(super) const fn code(self) -> &'static str {
        self.parts().1
    }

    const fn parts(self) -> (StatusCode, &'static str, &'static str, &'static str) {
        match self {
            Self::NoProvider => (
                StatusCode::NOT_FOUND,
                "no_provider",
                "Nobody can log in here",
                "This server has no identity provider. Whoever runs it can set one in its configuration.",
            ),
            Self::TooOften => (
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limited",
                "Too many tries",
                "Wait a minute, then try again.",
            ),
            Self::LoginUnknown => (
                StatusCode::BAD_REQUEST,
                "login_unknown",
                "This log-in is over",
                "It took too long, or it was used already. Start again.",
            ),
            Self::OtherBrowser => (
                StatusCode::BAD_REQUEST,
                "login_other_browser",
                "This log-in began in another browser",
                "Start again here. If you did not begin a log-in yourself, close this page.",
            ),
            Self::ProviderRefused => (
                StatusCode::FORBIDDEN,
                "provider_refused",
                "You were not logged in",
                "Your organisation's log-in page was left, or did not accept you.",
            ),
            Self::ProviderAway => (
                StatusCode::BAD_GATEWAY,
                "provider_unreachable",
                "Your organisation's log-in page does not answer",
                "Try again in a moment. If it stays so, tell the people who run it. Running consults go on.",
            ),
            Self::Provider => (
                StatusCode::BAD_GATEWAY,
                "provider_wrong",
                "Your organisation's log-in page gave a wrong answer",
                "You are not logged in, for safety. Tell the people who run it.",
            ),
            Self::NoRole => (
                StatusCode::FORBIDDEN,
                "no_role",
                "You have no role here",
                "Your account is known, but nobody has given it a role for consults. Ask your administrator.",
            ),
            Self::NoSecondFactor => (
                StatusCode::FORBIDDEN,
                "no_second_factor",
                "A second factor is needed",
                "You logged in with one factor only. Set up a second one with your organisation, then log in again.",
            ),
            Self::Revoked => (
                StatusCode::FORBIDDEN,
                "user_revoked",
                "Your access was taken away",
                "Ask your security officer if you think that this is a mistake.",
            ),
            Self::OtherUser => (
                StatusCode::FORBIDDEN,
                "other_user",
                "This screen was locked by somebody else",
                "Only they can unlock it. To log in yourself, close the consult first.",
            ),
            Self::Unwritable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "audit_unavailable",
                "Nobody can log in right now",
                "This server cannot keep its records. Tell the people who run it. Running consults go on.",
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "server_unavailable",
                "Nobody can log in right now",
                "Try again in a moment.",
            ),
        }
    }
}

/// A page that works without a script. Every word on it is ours.
pub(super) fn trouble(trouble: Trouble) -> Response {
    let (status, code, heading, words) = trouble.parts();
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{heading} – Bedside</title><link rel=\"stylesheet\" href=\"/app.css\"></head>\
         <body><div class=\"root\"><main class=\"screen narrow\"><section class=\"card\" \
         data-testid=\"login-trouble\" data-code=\"{code}\"><h1>{heading}</h1><p>{words}</p>\
         <p><a class=\"button primary\" href=\"/login\">Log in</a></p></section></main></div></body></html>"
    );
    (status, Html(page)).into_response()
}
