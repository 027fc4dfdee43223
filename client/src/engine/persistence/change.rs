//! Change of a store that the engine asks for.

/// Change of one entry of a store. Keys and values are bytes that only the engine understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The entry has this value from now on, whether or not it existed.
    Put {
        /// Key of at most 65,536 bytes.
        key: Vec<u8>,
        /// Value of at most the size of the largest packet.
        value: Vec<u8>,
    },
    /// The entry does not exist from now on; perhaps it never did.
    Remove {
        /// Key as in `Put`.
        key: Vec<u8>,
    },
}
