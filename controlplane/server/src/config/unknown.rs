//! What to say about a key that does not exist.

use super::rules::Rule;

/// The parser's words, with what was probably meant, or why there is no such setting.
pub(super) fn explain(error: &toml::de::Error) -> String {
    let words = error.to_string();
    let Some((key, known)) = unknown_key(error.message()) else {
        return words;
    };
    if let Some(why) = absent(&key) {
        return format!("{words}\n{why}");
    }
    match nearest(&key, &known) {
        Some(meant) => format!("{words}\ndid you mean `{meant}`?"),
        None => words,
    }
}

/// The key and those that exist, from "unknown field `a`, expected one of `b`, `c`".
fn unknown_key(message: &str) -> Option<(String, Vec<String>)> {
    let rest = message.strip_prefix("unknown field")?;
    let mut quoted = rest.split('`').skip(1).step_by(2).map(str::to_owned);
    Some((quoted.next()?, quoted.collect()))
}

/// Why there is no setting of such a name, for those that other servers have.
fn absent(key: &str) -> Option<String> {
    let key = key.to_ascii_lowercase();
    ABSENT
        .iter()
        .find(|(words, ..)| words.iter().any(|word| key.contains(word)))
        .map(|(_, rule, why)| format!("{why} [{}, {}]", rule.name, rule.citation))
}

const ABSENT: [(&[&str], Rule, &str); 4] = [
    (
        &["stun", "turn", "ice_server"],
        Rule::RELAY,
        "there is no setting for STUN or TURN servers: no client is ever sent to somebody else's; \
         remove it",
    ),
    (
        &["version", "cipher", "ticket", "resumption", "early_data"],
        Rule::TLS,
        "there is no setting for versions, ciphers or resumption: TLS 1.3 only, without tickets; \
         remove it",
    ),
    (
        &["debug", "verbose", "keylog"],
        Rule::DEBUG,
        "there is no setting for it: nothing turns protection down; remove it",
    ),
    (
        &["sdes", "plain_rtp", "insecure"],
        Rule::TRANSPORT,
        "there is no setting for it: media is DTLS-SRTP or refused; remove it",
    ),
];

/// The known key that differs in the fewest letters, if those are few.
fn nearest<'a>(key: &str, known: &'a [String]) -> Option<&'a str> {
    known
        .iter()
        .map(|candidate| (distance(key, candidate), candidate))
        .min()
        .filter(|(distance, candidate)| *distance <= candidate.len().max(3) / 3)
        .map(|(_, candidate)| candidate.as_str())
}

/// Letters to insert, remove or exchange (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (other, above) in b.iter().zip(row.iter_mut().skip(1)) {
            let exchanged = diagonal + usize::from(letter != *other);
            diagonal = *above;
            left = exchanged.min(diagonal + 1).min(left + 1);
            *above = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_letters() {
        for (a, b, letters) in [
            ("", "", 0),
            ("listen", "listen", 0),
            ("lisen", "listen", 1),
            ("listen", "lisen", 1),
            ("kitten", "sitting", 3),
            ("", "abc", 3),
        ] {
            assert_eq!(distance(a, b), letters, "{a} {b}");
        }
    }
}
