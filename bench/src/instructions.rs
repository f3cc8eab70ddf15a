//! The gate: instructions of the forwarding path for each operation, under valgrind, against the
//! counts in `bench/instructions.toml`: `bedside-bench instructions`.
//!
//! Times on shared machines differ by more than a regression does; instructions repeat exactly. Only
//! what runs inside `micro::measured` is counted, so set-up and what clients do cancel out; and
//! nothing that runs inside aws-lc's ciphers and hashes is, because which instructions those use
//! depends on the processor, and they are not ours to regress.

mod baseline;
mod profile;

use crate::micro::CASES;
use anyhow::{Context, Result, bail};
use baseline::{Baseline, Verdict};
use clap::Args;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

/// Counts, compares, and fails where a case needs more instructions than it did.
#[derive(Args)]
pub struct Instructions {
    /// The counts to compare with
    #[arg(long, default_value = "bench/instructions.toml")]
    baseline: PathBuf,
    /// Write what was counted there instead
    #[arg(long)]
    accept: bool,
    /// Count only the case of this name; may be given several times
    #[arg(long)]
    case: Vec<String>,
    /// Count another case, and compare it with this one's count
    #[arg(long, hide = true, requires = "case")]
    as_case: Option<String>,
}

impl Instructions {
    /// Runs it. The exit code is 3 where a case is above its tolerance.
    ///
    /// # Errors
    /// If valgrind cannot be run, or the file of counts cannot be read or written.
    #[expect(clippy::print_stdout, reason = "a command's output")]
    pub fn run(&self) -> Result<ExitCode> {
        let mut baseline = Baseline::read(&self.baseline)?;
        let mut regressed = false;
        println!(
            "{:20} {:>10} {:>10} {:>8}",
            "case", "before", "now", "change"
        );
        for name in self.names() {
            let count = count(name)?;
            let compared = self.as_case.as_deref().unwrap_or(name);
            let (before, verdict) = baseline.judge(compared, count);
            regressed |= verdict == Verdict::Regressed;
            let change = 100.0 * (count / before.unwrap_or(count) - 1.0);
            println!(
                "{name:20} {:>10.1} {count:>10.1} {change:>+7.1}% {verdict}",
                before.unwrap_or(f64::NAN),
            );
            if self.accept {
                baseline.accept(name, count);
            }
        }
        if self.accept {
            baseline.write(&self.baseline)?;
            return Ok(ExitCode::SUCCESS);
        }
        if regressed {
            println!(
                "A case needs more instructions than before. Where that is meant, accept it and say \
                 why in the commit:\n  cargo run --release -p bedside-bench -- instructions --accept"
            );
            return Ok(ExitCode::from(REGRESSED));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn names(&self) -> Vec<&str> {
        if self.case.is_empty() {
            let counted = CASES.iter().filter(|case| case.counted);
            counted.map(|case| case.name).collect()
        } else {
            self.case.iter().map(String::as_str).collect()
        }
    }
}

/// Instructions of one operation of a case, aws-lc's aside.
fn count(name: &str) -> Result<f64> {
    let program = std::env::current_exe().context("this program has no path")?;
    let profile = std::env::temp_dir().join(format!("bedside-{}-{name}.out", std::process::id()));
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg("--toggle-collect=bedside_bench::micro::measured*")
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(program)
        .args(["micro", "--count", "--rounds", ROUNDS, "--case", name])
        .stdin(Stdio::null())
        .output()
        .context("valgrind does not run: apt-get install valgrind")?;
    if !output.status.success() {
        let report = String::from_utf8_lossy(&output.stderr);
        bail!("{name} failed under valgrind:\n{report}");
    }
    let text = fs::read_to_string(&profile).context("valgrind writes a profile")?;
    fs::remove_file(&profile).context("the profile cannot be removed")?;
    let counted = profile::counted(&text, is_outside).context("valgrind's profile is readable")?;
    let operations: u64 = String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .context("the case prints its operations")?;
    if counted == 0 || operations == 0 {
        bail!("{name}: {counted} instructions in {operations} operations: nothing was counted");
    }
    Ok(counted as f64 / operations as f64)
}

/// Whether a function is an entry to aws-lc's ciphers and hashes.
fn is_outside(function: &str) -> bool {
    function.starts_with("aws_lc_")
        && [
            "_EVP_AEAD_CTX_seal",
            "_EVP_AEAD_CTX_open",
            "_HMAC_",
            "_EVP_Digest",
        ]
        .iter()
        .any(|entry| function.contains(entry))
}

const ROUNDS: &str = "2";

/// The exit code of a regression, apart from everything else that can go wrong.
const REGRESSED: u8 = 3;
