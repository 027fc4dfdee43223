//! Serialization of packets as readable text, such as JSON. The crate's documentation describes the
//! form of each type.

mod field;
mod fields;
mod packet;
mod read;
mod value;

pub(crate) use field::WriteField;
pub(crate) use fields::fields;
pub(crate) use read::ReadField;
