//! Ways of reading a packet: judging it, judging it without a result, or recording its fields.

/// Way of reading, and receiver of the fields that a reader reads.
pub(crate) trait Record: Copy {
    /// True if the reader goes on after a value that is not allowed.
    const READS_ON: bool;
    /// True if nobody looks at what was read, so that text may be left empty.
    const ONLY_CHECKS: bool = false;

    /// Way of reading a packet whose bytes are kept, so that only its faults matter now.
    type Check: Record;

    fn check(self) -> Self::Check;

    /// Records a field in the bytes `from..to` of the packet.
    #[inline(always)]
    fn field(self, _name: &'static str, _from: u32, _to: u32) {}

    /// Records all fields in the bytes `from..to` as a single one.
    #[inline(always)]
    fn join(self, _name: &'static str, _from: u32, _to: u32) {}
}

/// Judges what is read and records nothing: the usual case.
impl Record for () {
    const READS_ON: bool = false;

    type Check = OnlyCheck;

    #[inline(always)]
    fn check(self) -> OnlyCheck {
        OnlyCheck
    }
}

/// Judges what is read, of which nothing is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OnlyCheck;

impl Record for OnlyCheck {
    const READS_ON: bool = false;
    const ONLY_CHECKS: bool = true;

    type Check = Self;

    #[inline(always)]
    fn check(self) -> Self {
        self
    }
}
