//! What the `hipaa` profile refuses. `docs/reference/configuration.md` has the same table.

use serde::Serialize;

/// One rule of the `hipaa` profile.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Rule {
    /// Its name; never changes its meaning.
    #[serde(rename = "rule")]
    pub name: &'static str,
    /// What it implements.
    pub citation: &'static str,
    /// What is refused, in a sentence.
    #[serde(skip)]
    pub refuses: &'static str,
}

/// Declares the rules once: as constants and as a list.
macro_rules! rules {
    ($($constant:ident = $name:literal, $citation:literal, $refuses:literal;)+) => {
        impl Rule {
            $(
                #[doc = $refuses]
                pub(crate) const $constant: Self = Self {
                    name: $name,
                    citation: $citation,
                    refuses: $refuses,
                };
            )+

            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$constant),+];
        }
    };
}

rules! {
    AGREEMENT = "agreement", "45 CFR 164.308(b)(1)",
        "An outside host without a business-associate agreement in force, or with one that has expired.";
    RELAY = "relay", "45 CFR 164.308(b)(1)",
        "A STUN or TURN server of somebody else's: it learns who talks to whom.";
    TRANSPORT = "transport", "45 CFR 164.312(e)(1)",
        "News of people sent over anything but verified TLS.";
    TLS = "tls", "45 CFR 164.312(e)(2)(ii)",
        "A TLS version, cipher or resumption other than TLS 1.3 without tickets; a certificate that browsers do not know.";
    CONSENT = "consent", "45 CFR 164.506(b)",
        "Recording without a rule for consent.";
    DEBUG = "debug", "45 CFR 164.308(a)(1)(ii)(B)",
        "Debugging: logs more verbose than `info`.";
    ORIGINS = "origins", "45 CFR 164.312(a)(1)",
        "Interfaces that pages of every origin may call.";
    KEY_FILES = "key-files", "45 CFR 164.312(a)(1)",
        "A file with a key or secret that others can read or change.";
    METRICS = "metrics", "45 CFR 164.312(a)(1)",
        "Metrics listened for on an address that others can reach.";
    WORKFORCE = "workforce", "45 CFR 164.312(d)",
        "Log-ins of the workforce without a second factor.";
    LOGOFF = "logoff", "45 CFR 164.312(a)(2)(iii)",
        "Sessions that stay open longer than 15 minutes unused, or 12 hours in all.";
    RETENTION = "retention", "45 CFR 164.316(b)(2)(i)",
        "Records kept for less than six years.";
}
