//! The speed that Dunlin's codec is to reach, compared with the fastest peer of the same run.

use serde::Serialize;

use super::cases;
use super::contestant::Contestant as _;
use super::dunlin::{Borrowed, Owned, ToSlice};
use super::report::{Column, Group};

/// A goal of issue 19, and the ratio that was measured.
#[derive(Serialize)]
pub struct Goal {
    pub case: &'static str,
    /// Row of the table, for example `Dunlin, borrowed`.
    pub row: &'static str,
    pub column: Column,
    /// Least ratio: the fastest peer's median divided by this row's.
    pub at_least: f64,
    /// Measured ratio; `None` if the row or all peers have no figure.
    pub found: Option<f64>,
}

impl Goal {
    /// True if the goal was reached; `None` if nothing was measured.
    pub fn is_reached(&self) -> Option<bool> {
        self.found.map(|found| found >= self.at_least)
    }
}

/// Compares the measured ratios with the goals.
pub fn of(groups: &[Group]) -> Vec<Goal> {
    let judge = |&(case, row, column, at_least)| Goal {
        case,
        row,
        column,
        at_least,
        found: groups
            .iter()
            .find(|group| group.name == case)
            .and_then(|group| group.ratio(row, column)),
    };
    GOALS.iter().map(judge).collect()
}

const BORROWED: &str = Borrowed::NAME;
const OWNED: &str = Owned::NAME;
const TO_SLICE: &str = ToSlice::NAME;

const GOALS: [(&str, &str, Column, f64); 24] = [
    (cases::SMALL, BORROWED, Column::Decode, 5.0),
    (cases::PROPERTIES, BORROWED, Column::Decode, 5.0),
    (cases::PUBACK, BORROWED, Column::Decode, 4.0),
    (cases::SMALL, BORROWED, Column::Read, 6.0),
    (cases::PROPERTIES, BORROWED, Column::Read, 4.0),
    (cases::PUBACK, BORROWED, Column::Read, 5.0),
    (cases::CONNECT, BORROWED, Column::Read, 3.0),
    (cases::SUBSCRIBE, BORROWED, Column::Read, 3.0),
    (cases::CONNACK, BORROWED, Column::Read, 2.5),
    (cases::MIXED, BORROWED, Column::Read, 4.5),
    (cases::SMALL, OWNED, Column::Read, 3.0),
    (cases::PROPERTIES, OWNED, Column::Read, 3.0),
    (cases::PUBACK, OWNED, Column::Read, 1.5),
    (cases::CONNECT, OWNED, Column::Read, 1.5),
    (cases::SUBSCRIBE, OWNED, Column::Read, 1.5),
    (cases::CONNACK, OWNED, Column::Read, 1.5),
    (cases::MIXED, OWNED, Column::Read, 1.5),
    (cases::SMALL, BORROWED, Column::Encode, 1.3),
    (cases::SMALL, TO_SLICE, Column::Encode, 1.6),
    (cases::PUBACK, BORROWED, Column::Encode, 2.0),
    (cases::CONNECT, BORROWED, Column::Encode, 1.2),
    (cases::SUBSCRIBE, BORROWED, Column::Encode, 1.2),
    (cases::CONNACK, BORROWED, Column::Encode, 1.2),
    (cases::MIXED, BORROWED, Column::Encode, 1.6),
];
