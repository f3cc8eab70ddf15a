/// The clauses of 45 CFR Part 164 that `text` cites, such as `164.312(a)(2)(i)`. What follows with
/// a comma and begins with a parenthesis is of the same section: `164.312(b), (c)` cites two.
fn clauses(text: &str) -> Vec<String> {
    const PART: &str = "164.";
    let mut found = Vec::new();
    for (at, _) in text.match_indices(PART) {
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '.') {
            continue;
        }
        let rest = &text[at + PART.len()..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits != 3 {
            continue;
        }
        let section = &rest[..digits];
        let mut rest = &rest[digits..];
        loop {
            let paragraphs = paragraphs(rest);
            found.push(format!("{PART}{section}{paragraphs}"));
            rest = &rest[paragraphs.len()..];
            match rest.strip_prefix(", ") {
                Some(next) if !self::paragraphs(next).is_empty() => rest = next,
                _ => break,
            }
        }
    }
    found
}

/// The `(a)(2)(i)` that `text` begins with.
fn paragraphs(text: &str) -> &str {
    let mut end = 0;
    while let Some(inside) = text[end..].strip_prefix('(') {
        let Some(length) = inside.find(')').filter(|length| (1..=4).contains(length)) else {
            break;
        };
        if !inside[..length].bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            break;
        }
        end += length + 2;
    }
    &text[..end]
}
