//! The report as text, for people.

use std::fmt::{Display, Formatter, Result};

use super::goals::Goal;
use super::report::{Cell, Column, Figures, Group, Report, Row};

const NAME: usize = 29;
const HEADINGS: &str = "  ns min  median  ratio alloc  instr";
const WIDTH: usize = HEADINGS.len();

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{:NAME$}", "per packet")?;
        for column in Column::ALL {
            write!(f, " |{:^WIDTH$}", column.title())?;
        }
        writeln!(f, "\n{:NAME$} |{HEADINGS} |{HEADINGS} |{HEADINGS}", "")?;
        for group in &self.groups {
            group.fmt(f)?;
        }
        if self.goals.iter().any(|goal| goal.found.is_some()) {
            writeln!(f, "\ngoals, against the fastest peer")?;
            self.goals.iter().try_for_each(|goal| goal.fmt(f))?;
        }
        writeln!(f, "\nmalformed packets: accepted by")?;
        for validation in &self.validation {
            let accepted_by = match validation.accepted_by[..] {
                [] => "none".to_owned(),
                _ => validation.accepted_by.join(", "),
            };
            writeln!(f, "  {:<61} {accepted_by}", validation.rule)?;
        }
        writeln!(f, "\n256 MiB announced, 10 bytes sent: bytes allocated")?;
        for held in &self.held {
            match held.bytes {
                Some(bytes) => writeln!(f, "{:NAME$}  {bytes}", held.name)?,
                None => writeln!(f, "{:NAME$}  - ({})", held.name, held.reason)?,
            }
        }
        writeln!(f)?;
        for (index, note) in self.notes.iter().enumerate() {
            writeln!(f, "[{}] {note}", index + 1)?;
        }
        Ok(())
    }
}

impl Display for Goal {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let reached = match self.is_reached() {
            Some(true) => "reached",
            Some(false) => "NOT reached",
            None => "not measured",
        };
        writeln!(
            f,
            "  {:<37}{:<27}{:<26}>={:>5.2}x{}  {reached}",
            self.case,
            self.row,
            self.column.title(),
            self.at_least,
            Ratio(self.found)
        )
    }
}

impl Display for Group {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(f, "\n{} ({:.0} B)", self.name, self.bytes)?;
        self.rows
            .iter()
            .filter(|row| !row.is_empty())
            .try_for_each(|row| row.fmt(f))
    }
}

impl Row {
    fn is_empty(&self) -> bool {
        self.columns.iter().all(|cell| matches!(cell, Cell::Empty))
    }
}

impl Display for Row {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{:NAME$}", self.name)?;
        for cell in &self.columns {
            match cell {
                Cell::Figures(figures) => write!(f, " |{figures}")?,
                Cell::Note(note) => write!(f, " |{:>WIDTH$}", format!("- [{note}]"))?,
                Cell::Empty => write!(f, " |{:WIDTH$}", "")?,
            }
        }
        writeln!(f)
    }
}

impl Display for Figures {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(
            f,
            "{:>8.1}{:>8.1}{}{:>6}",
            self.min_ns,
            self.median_ns,
            Ratio(self.ratio),
            Count(self.allocations)
        )?;
        match self.instructions {
            Some(instructions) => write!(f, "{instructions:>7.0}"),
            None => write!(f, "{:>7}", "-"),
        }
    }
}

struct Ratio(Option<f64>);

impl Display for Ratio {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.0 {
            Some(ratio) if ratio < 99.95 => write!(f, "{ratio:>6.2}x"),
            Some(ratio) => write!(f, "{ratio:>6.0}x"),
            None => write!(f, "{:>7}", "-"),
        }
    }
}

/// Number of allocations: an integer in most cases, a mean in the mixed stream.
struct Count(f64);

impl Display for Count {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let digits = if self.0.fract() < 0.005 { 0 } else { 2 };
        f.pad(&format!("{:.digits$}", self.0))
    }
}
