//! The instruction budget: a file with a line for each hot path.

use std::fmt;
use std::path::PathBuf;
use std::{fs, io};

/// Instructions per operation, by the name of the hot path.
pub struct Budget(Vec<(&'static str, f64)>);

/// Result of comparing a count with its budget; each variant contains the budget.
pub enum Verdict {
    Kept {
        budget: f64,
        change: f64,
    },
    Exceeded(Exceeded),
    /// The budget has no line for the path.
    Unknown,
}

pub struct Exceeded {
    budget: f64,
    change: f64,
}

const FILE: &str = "instructions.tsv";
const TEXT: &str = include_str!("../../instructions.tsv");
/// Share by which a count may exceed its budget; without a socket counts repeat exactly.
const TOLERANCE: f64 = 0.03;
/// Counts that vary with the distribution of messages over reads and wake-ups.
const BY_CHANCE: [&str; 3] = ["client: receive", "client: route", "limit"];
const TOLERANCE_OF_CHANCE: f64 = 0.15;

impl Budget {
    pub fn checked_in() -> Self {
        let line = |line: &'static str| {
            let (name, budget) = line.split_once('\t')?;
            Some((name, budget.trim().parse().ok()?))
        };
        Self(TEXT.lines().filter_map(line).collect())
    }

    pub fn judge(&self, name: &str, count: f64) -> Verdict {
        let Some(&(_, budget)) = self.0.iter().find(|(known, _)| *known == name) else {
            return Verdict::Unknown;
        };
        let change = count / budget - 1.0;
        let by_chance = BY_CHANCE.iter().any(|prefix| name.starts_with(prefix));
        let tolerance = if by_chance {
            TOLERANCE_OF_CHANCE
        } else {
            TOLERANCE
        };
        if change > tolerance {
            Verdict::Exceeded(Exceeded { budget, change })
        } else {
            Verdict::Kept { budget, change }
        }
    }
}

/// Writes the counts as the new budget.
///
/// # Errors
/// The error of writing the file.
pub fn write(counts: &[(&str, f64)]) -> io::Result<()> {
    let lines = counts
        .iter()
        .map(|(name, count)| format!("{name}\t{count:.1}\n"));
    fs::write(
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(FILE),
        lines.collect::<String>(),
    )
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept { budget, change } => write!(f, "{budget:>14.1}{:>8.1}%", change * 100.0),
            Self::Exceeded(Exceeded { budget, change }) => {
                write!(f, "{budget:>14.1}{:>8.1}%  EXCEEDED", change * 100.0)
            }
            Self::Unknown => write!(f, "{:>14}{:>9}  NO BUDGET", "-", "-"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_percent_more_are_kept_and_more_than_that_are_not() {
        let budget = Budget(vec![("decode", 100.0)]);
        assert!(matches!(
            budget.judge("decode", 102.0),
            Verdict::Kept { .. }
        ));
        assert!(matches!(
            budget.judge("decode", 104.0),
            Verdict::Exceeded(_)
        ));
        assert!(matches!(budget.judge("encode", 1.0), Verdict::Unknown));
    }
}
