//! An allocator that counts calls and held bytes, while counting is on.
#![expect(
    unsafe_code,
    reason = "`GlobalAlloc` is an unsafe trait; each method passes its call on to the system's"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};

/// Number and total size of the allocations of one piece of work.
pub struct Allocations {
    /// Calls for new, zeroed and moved memory.
    pub calls: u64,
    /// Peak of the bytes held, beyond those held before.
    pub peak: u64,
}

/// Runs `work` and counts its allocations.
pub fn count(work: impl FnOnce()) -> Allocations {
    for counter in [&HELD, &PEAK] {
        counter.store(0, Relaxed);
    }
    CALLS.store(0, Relaxed);
    COUNTING.store(true, Relaxed);
    work();
    COUNTING.store(false, Relaxed);
    Allocations {
        calls: CALLS.load(Relaxed),
        peak: u64::try_from(PEAK.load(Relaxed)).unwrap_or(0),
    }
}

/// The system's allocator. While nothing is counted it costs one more load and branch, for every
/// codec alike.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;
static COUNTING: AtomicBool = AtomicBool::new(false);
static CALLS: AtomicU64 = AtomicU64::new(0);
static HELD: AtomicI64 = AtomicI64::new(0);
static PEAK: AtomicI64 = AtomicI64::new(0);

#[inline]
fn record(more: usize, less: usize) {
    if COUNTING.load(Relaxed) {
        CALLS.fetch_add(u64::from(more > 0), Relaxed);
        let change = more as i64 - less as i64;
        PEAK.fetch_max(HELD.fetch_add(change, Relaxed) + change, Relaxed);
    }
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        record(layout.size(), 0);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        record(layout.size(), 0);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        record(size, layout.size());
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        record(0, layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }
}
