//! Results of the measurements; `to_json` writes them for programs.

use serde::Serialize;

use super::contestant::{Outcome, Side};
use super::goals::Goal;
use super::validation::Validation;

/// All results of a run.
#[derive(Default, Serialize)]
pub struct Report {
    pub groups: Vec<Group>,
    pub goals: Vec<Goal>,
    /// Codecs that accept malformed packets.
    pub validation: Vec<Validation>,
    /// Bytes held by a reader after the first ten bytes of a packet of 256 MiB.
    pub held: Vec<Held>,
    /// Why a figure is missing; rows refer to these by position, from 1.
    pub notes: Vec<String>,
}

/// All rows of a case.
#[derive(Serialize)]
pub struct Group {
    pub name: &'static str,
    /// Mean length of a packet in bytes.
    pub bytes: f64,
    pub rows: Vec<Row>,
}

/// A codec, or a limit.
#[derive(Serialize)]
pub struct Row {
    pub name: &'static str,
    pub side: Side,
    /// One cell for each [`Column`].
    pub columns: [Cell; 3],
}

/// Column of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Column {
    Decode,
    Read,
    Encode,
}

impl Column {
    pub const ALL: [Self; 3] = [Self::Decode, Self::Read, Self::Encode];

    pub const fn title(self) -> &'static str {
        match self {
            Self::Decode => "decode, move the packet",
            Self::Read => "decode, read every field",
            Self::Encode => "encode",
        }
    }
}

#[derive(Default, Serialize)]
#[serde(untagged)]
pub enum Cell {
    Figures(Figures),
    Note(usize),
    #[default]
    Empty,
}

/// Figures of one packet.
#[derive(Clone, Serialize)]
pub struct Figures {
    pub min_ns: f64,
    pub median_ns: f64,
    pub allocations: f64,
    pub instructions: Option<f64>,
    /// Speed relative to the fastest peer of the case, by the medians; 1 for that peer
    /// itself.
    pub ratio: Option<f64>,
}

#[derive(Serialize)]
pub struct Held {
    pub name: &'static str,
    pub bytes: Option<u64>,
    /// Why there is no figure.
    pub reason: String,
}

impl Report {
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("names and numbers")
    }
}

impl Group {
    pub fn new(name: &'static str, bytes: f64, rows: impl Iterator<Item = Row>) -> Self {
        Self {
            name,
            bytes,
            rows: rows.collect(),
        }
    }

    /// Fills in a column; a new reason goes to `notes`, an empty one leaves the cell empty.
    pub fn set_column(
        &mut self,
        column: Column,
        figures: Vec<Outcome<Figures>>,
        notes: &mut Vec<String>,
    ) {
        for (row, figures) in self.rows.iter_mut().zip(figures) {
            row.columns[column as usize] = match figures {
                Ok(figures) => Cell::Figures(figures),
                Err(reason) if reason.is_empty() => Cell::Empty,
                Err(reason) => Cell::Note(note(notes, reason)),
            };
        }
    }

    /// Returns the fastest codec of a column as a row of its own.
    pub fn best(&self, column: Column, name: &'static str) -> Option<Row> {
        let codecs = self.rows.iter().filter(|row| row.side != Side::Limit);
        let figures = codecs.filter_map(|row| Some((row.side, row.figures(column)?)));
        let (side, best) =
            figures.min_by(|(_, one), (_, other)| one.median_ns.total_cmp(&other.median_ns))?;
        let mut row = Row::new(name, side);
        row.columns[column as usize] = Cell::Figures(best.clone());
        Some(row)
    }

    /// Fills in the ratios.
    pub fn compare(&mut self) {
        for column in Column::ALL {
            let medians = self
                .rows
                .iter()
                .filter(|row| row.side == Side::Peer)
                .filter_map(|row| row.figures(column));
            let Some(fastest) = medians
                .map(|figures| figures.median_ns)
                .min_by(f64::total_cmp)
            else {
                continue;
            };
            for row in self.rows.iter_mut().filter(|row| row.side != Side::Limit) {
                if let Cell::Figures(figures) = &mut row.columns[column as usize] {
                    figures.ratio = Some(fastest / figures.median_ns);
                }
            }
        }
    }
}

impl Group {
    /// Ratio of the row `name` in `column`, if both were measured.
    pub fn ratio(&self, name: &str, column: Column) -> Option<f64> {
        let row = self.rows.iter().find(|row| row.name == name)?;
        row.figures(column)?.ratio
    }
}

impl Row {
    pub fn new(name: &'static str, side: Side) -> Self {
        Self {
            name,
            side,
            columns: Default::default(),
        }
    }

    fn figures(&self, column: Column) -> Option<&Figures> {
        match &self.columns[column as usize] {
            Cell::Figures(figures) => Some(figures),
            Cell::Note(_) | Cell::Empty => None,
        }
    }
}

/// The position of `reason` among the notes, from 1.
fn note(notes: &mut Vec<String>, reason: String) -> usize {
    let known = notes.iter().position(|note| *note == reason);
    known.unwrap_or_else(|| {
        notes.push(reason);
        notes.len() - 1
    }) + 1
}
