//! Results of the measurements; `to_json` writes them for programs.

use serde::Serialize;

use super::contestant::{Outcome, Side};

/// All of it.
#[derive(Default, Serialize)]
pub struct Report {
    pub groups: Vec<Group>,
    /// Held by a reader to whom 256 MiB were announced and ten bytes sent.
    pub held: Vec<Held>,
    /// Why a figure is missing; rows refer to these by position, from 1.
    pub notes: Vec<String>,
}

/// A case.
#[derive(Serialize)]
pub struct Group {
    pub name: &'static str,
    /// The mean length of a packet.
    pub bytes: f64,
    pub rows: Vec<Row>,
}

/// A codec, or a limit.
#[derive(Serialize)]
pub struct Row {
    pub name: &'static str,
    pub side: Side,
    /// Decode; decode and read every field; encode.
    pub columns: [Cell; 3],
}

#[derive(Default, Serialize)]
#[serde(untagged)]
pub enum Cell {
    Figures(Figures),
    Note(usize),
    #[default]
    Empty,
}

/// All of it a packet.
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
        column: usize,
        figures: Vec<Outcome<Figures>>,
        notes: &mut Vec<String>,
    ) {
        for (row, figures) in self.rows.iter_mut().zip(figures) {
            row.columns[column] = match figures {
                Ok(figures) => Cell::Figures(figures),
                Err(reason) if reason.is_empty() => Cell::Empty,
                Err(reason) => Cell::Note(note(notes, reason)),
            };
        }
    }

    /// The fastest of a column, as a row of its own.
    pub fn best(&self, column: usize, name: &'static str) -> Option<Row> {
        let in_the_race = self.rows.iter().filter(|row| row.side != Side::Limit);
        let figures = in_the_race.filter_map(|row| Some((row.side, row.figures(column)?)));
        let (side, best) =
            figures.min_by(|(_, one), (_, other)| one.median_ns.total_cmp(&other.median_ns))?;
        let mut row = Row::new(name, side);
        row.columns[column] = Cell::Figures(best.clone());
        Some(row)
    }

    /// Fills in the ratios.
    pub fn compare(&mut self) {
        for column in 0..3 {
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
                if let Cell::Figures(figures) = &mut row.columns[column] {
                    figures.ratio = Some(fastest / figures.median_ns);
                }
            }
        }
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

    fn figures(&self, column: usize) -> Option<&Figures> {
        match &self.columns[column] {
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
