//! Record of the fields that a reader reads, which costs nothing where nobody wants it.

/// Receiver of the fields that a reader reads.
pub(crate) trait Record: Copy {
    /// True if the reader goes on after a value that is not allowed, to find the fields after it.
    const READS_ON: bool;

    /// Records a field in the bytes `from..to` of the packet.
    fn field(self, name: &'static str, from: u32, to: u32);

    /// Records all fields in the bytes `from..to` as a single one.
    fn join(self, name: &'static str, from: u32, to: u32);
}

/// Records nothing, at no cost: the usual case.
impl Record for () {
    const READS_ON: bool = false;

    #[inline(always)]
    fn field(self, _: &'static str, _: u32, _: u32) {}

    #[inline(always)]
    fn join(self, _: &'static str, _: u32, _: u32) {}
}
