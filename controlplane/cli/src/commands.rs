//! One file a subcommand.

pub(crate) mod apikey;
pub(crate) mod audit;
pub(crate) mod baa;
pub(crate) mod breakglass;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod configuration;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod evidence;
pub(crate) mod inventory;
pub(crate) mod link;
pub(crate) mod man;
pub(crate) mod participant;
pub(crate) mod retention;
pub(crate) mod room;
pub(crate) mod rules;
pub(crate) mod serve;
pub(crate) mod status;
pub(crate) mod token;
pub(crate) mod user;

/// Seconds from `90`, `90s`, `30m`, `24h` or `7d`.
fn duration(text: &str) -> Result<u64, String> {
    let split = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit_s = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err("use a number and s, m, h or d, as in 24h".to_owned()),
    };
    let number: u64 = number
        .parse()
        .map_err(|_| "use a number and s, m, h or d".to_owned())?;
    number
        .checked_mul(unit_s)
        .filter(|&seconds| (1..=DURATION_S_MAX).contains(&seconds))
        .ok_or_else(|| "use between 1 second and 365 days".to_owned())
}

/// Longest lifetime of a link or token, seconds.
const DURATION_S_MAX: u64 = 365 * 86_400;

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_have_units_and_bounds() {
        assert_eq!(duration("24h"), Ok(86_400));
        assert_eq!(duration("90"), Ok(90));
        for wrong in ["", "h", "0m", "-1h", "1y", "400d", "99999999999999999999s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
