//! `dunlin completions`, `man`, `help` and `version`: texts made of the same definitions as the
//! parser.

mod completions;
mod help;
mod man;
mod topic;
mod version;

pub(crate) use completions::print as completions;
pub(crate) use help::print as help;
pub(crate) use man::print as man;
pub(crate) use version::print as version;
