//! Packets as readable text, JSON above all. How each type looks there is said at the root of the
//! crate.

mod field;
mod fields;
mod packet;
mod read;
mod value;

pub(crate) use field::WriteField;
pub(crate) use fields::fields;
pub(crate) use read::ReadField;
