//! The session's changes for a store, and the session that is restored from them.

mod application_records;
pub(in crate::engine) mod changes;
pub(in crate::engine) mod record;
