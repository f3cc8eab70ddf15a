//! Numbers as people read them.

/// A number with thousands separated, and so many digits that at least three count.
#[must_use]
pub fn plain(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        return "-".to_owned();
    }
    let decimals = match size {
        0.0 => 0,
        _ if value.fract() == 0.0 && size < 1e15 => 0,
        _ if size >= 99.95 => 0,
        _ if size >= 9.995 => 1,
        _ if size >= 0.9995 => 2,
        _ if size >= 0.0995 => 3,
        _ => 5,
    };
    separated(&format!("{value:.decimals$}"))
}

/// A count.
#[must_use]
pub fn count(value: u64) -> String {
    separated(&value.to_string())
}

/// A time in the unit that suits it.
#[must_use]
pub fn time(nanoseconds: f64) -> String {
    match nanoseconds.abs() {
        size if size < 1e3 => format!("{} ns", plain(nanoseconds)),
        size if size < 1e6 => format!("{} us", plain(nanoseconds / 1e3)),
        size if size < 1e9 => format!("{} ms", plain(nanoseconds / 1e6)),
        _ => format!("{} s", plain(nanoseconds / 1e9)),
    }
}

/// Cores kept busy.
#[must_use]
pub fn cores(value: f64) -> String {
    format!("{value:.2} cores")
}

/// So many of something, whose plural ends in s.
#[must_use]
pub fn counted(value: u64, what: &str) -> String {
    let plural = if value == 1 { "" } else { "s" };
    format!("{} {what}{plural}", count(value))
}

/// A share, 1.0 being all, as a percentage.
#[must_use]
pub fn percent(share: f64) -> String {
    format!("{} %", plain(share * 100.0))
}

/// Bytes in the binary unit that suits them.
#[must_use]
pub fn bytes(value: f64) -> String {
    match value {
        _ if value < 1024.0 => format!("{} B", plain(value)),
        _ if value < 1024.0 * 1024.0 => format!("{} KiB", plain(value / 1024.0)),
        _ if value < 1024.0 * 1024.0 * 1024.0 => {
            format!("{} MiB", plain(value / (1024.0 * 1024.0)))
        }
        _ => format!("{} GiB", plain(value / (1024.0 * 1024.0 * 1024.0))),
    }
}

/// A number for an axis: short.
#[must_use]
pub(crate) fn short(value: f64) -> String {
    let trimmed = |value: f64, unit: &str| {
        let text = format!("{value:.3}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        format!("{text}{unit}")
    };
    match value.abs() {
        size if size >= 1e9 => trimmed(value / 1e9, "G"),
        size if size >= 1e6 => trimmed(value / 1e6, "M"),
        size if size >= 1e4 => trimmed(value / 1e3, "k"),
        size if size >= 1e-3 || size == 0.0 => trimmed(value, ""),
        _ => format!("{value:.0e}"),
    }
}

fn separated(text: &str) -> String {
    let (sign, digits) = text
        .strip_prefix('-')
        .map_or(("", text), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut out = sign.to_owned();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out
}
