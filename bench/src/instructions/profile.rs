//! Reads callgrind's profiles (valgrind manual, "Callgrind Format Specification").

use std::collections::HashMap;

/// Instructions in a profile, without those in calls to functions that are `outside`. Such
/// functions must not call each other. `None` if the text is no profile.
pub(super) fn counted(profile: &str, outside: impl Fn(&str) -> bool) -> Option<u64> {
    let mut names = HashMap::new();
    let mut caller_is_outside = false;
    // Whether the next line is the cost of a call, and to what.
    let mut called_outside = false;
    let mut call = false;
    let (mut own, mut away) = (0, 0);
    for line in profile.lines() {
        if let Some(function) = line.strip_prefix("fn=") {
            caller_is_outside = outside(name_of(function, &mut names)?);
        } else if let Some(function) = line.strip_prefix("cfn=") {
            called_outside = outside(name_of(function, &mut names)?);
        } else if line.starts_with("calls=") {
            call = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            // A position and a cost.
            let cost: u64 = line.split(' ').nth(1)?.parse().ok()?;
            match (call, called_outside && !caller_is_outside) {
                (true, true) => away += cost,
                (true, false) => {}
                (false, _) => own += cost,
            }
            call = false;
        }
    }
    u64::checked_sub(own, away)
}

/// A function's name, which is in full only where it comes first: `(12) name`, then `(12)`.
fn name_of<'a>(written: &'a str, names: &mut HashMap<&'a str, &'a str>) -> Option<&'a str> {
    let (number, name) = written.split_once(')')?;
    match name.trim_start() {
        "" => names.get(number).copied(),
        name => {
            names.insert(number, name);
            Some(name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILE: &str = "\
version: 1
events: Ir

fl=(1) a.rs
fn=(1) measured
10 100
cfn=(2) cipher
calls=2 5
+1 3350
cfn=(3) ours
calls=1 9
* 700

fn=(2)
5 3000
cfn=(4) block
calls=2 1
5 1000

fn=(4)
1 1000

fn=(3)
9 50
cfn=(2)
calls=1 5
9 650

totals: 4150
";

    #[test]
    fn calls_outside_are_left_out_with_all_that_they_do() {
        // The cipher took 3,350 and 650: 3,000 itself and 1,000 in what it calls.
        let (ours, cipher) = (100 + 50, 3_000 + 1_000);
        assert_eq!(counted(PROFILE, |name| name == "cipher"), Some(ours));
        assert_eq!(counted(PROFILE, |_| false), Some(ours + cipher));
    }

    #[test]
    fn what_is_no_profile_is_told() {
        assert_eq!(counted("fn=(1)\n", |_| false), None);
        assert_eq!(counted("fn=(1) a\n1 many\n", |_| false), None);
    }
}
