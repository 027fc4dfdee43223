//! The report as a table for people.

use std::fmt;

use super::report::{Figures, Group, Report, Row, Table};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for table in &self.tables {
            write!(f, "{table}")?;
        }
        if !self.goals.is_empty() {
            writeln!(f, "goals")?;
        }
        for goal in &self.goals {
            let reached = match goal.reached {
                Some(true) => "reached",
                Some(false) => "NOT reached",
                None => "-",
            };
            writeln!(
                f,
                "  {:<56}{:<56}{:<46}{reached}",
                goal.name, goal.goal, goal.found
            )?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = if self.tls { "TLS" } else { "plain TCP" };
        writeln!(f, "{}, {transport}\n", self.server)?;
        self.groups
            .iter()
            .try_for_each(|group| write!(f, "{group}"))
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<58}{:>10}{:>10}{:>9}{:>9}{:>8}{:>9}{:>10}{:>10}",
            self.scenario.name(),
            "a second",
            "CPU us",
            "user",
            "system",
            "ratio",
            "calls",
            "switches",
            "peak MiB"
        )?;
        self.rows.iter().try_for_each(|row| write!(f, "{row}"))?;
        writeln!(f)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(figures) = &self.figures else {
            return writeln!(f, "  {:<56}{:>10}", self.name, "-");
        };
        writeln!(f, "  {:<22}{:>34}{figures}", self.name, extra(figures))
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>10.0}{:>10.3}{:>9.3}{:>9.3}",
            self.per_second, self.cpu_us, self.user_us, self.system_us
        )?;
        match self.ratio {
            Some(ratio) => write!(f, "{ratio:>8.2}")?,
            None => write!(f, "{:>8}", "-")?,
        }
        match self.system_calls {
            Some(calls) => write!(f, "{calls:>9.3}")?,
            None => write!(f, "{:>9}", "-")?,
        }
        write!(f, "{:>10.4}{:>10.1}", self.context_switches, self.peak_mib)
    }
}

/// Formats the figures that only some scenarios have.
fn extra(figures: &Figures) -> String {
    let latency = figures
        .p50_us
        .zip(figures.p99_us)
        .map(|(p50, p99)| format!("p50 {p50:.0} us, p99 {p99:.0} us"));
    let memory = figures
        .memory_each_kib
        .map(|each| format!("{each:.1} KiB each"));
    latency.or(memory).unwrap_or_default()
}
