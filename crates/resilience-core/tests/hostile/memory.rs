//! How much memory a call takes: every allocation of a thread is counted.

#![expect(
    unsafe_code,
    reason = "an allocator is unsafe by nature; this one hands on to the system's"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// What `call` gives, and the most bytes that it held at once beyond those held before. C libraries, SQLite
/// among them, allocate past this.
pub fn peak_of<T>(call: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let result = call();
    (result, PEAK.get().saturating_sub(before) as usize)
}

thread_local! {
    /// Bytes that this thread has taken, less those that it gave back, perhaps of another thread.
    static HELD: Cell<i64> = const { Cell::new(0) };
    static PEAK: Cell<i64> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

fn count(bytes: i64) {
    let held = HELD.get() + bytes;
    HELD.set(held);
    PEAK.set(PEAK.get().max(held));
}

// Both counters are plain numbers in place, so that counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Old and new may be there together while one is copied into the other.
        count(size as i64);
        count(-(layout.size() as i64));
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Would catch an allocator that counts nothing, or forgets what is given back.
#[test]
fn memory_is_counted() {
    let (kept, peak) = peak_of(|| {
        drop(vec![0_u8; 1 << 20]);
        vec![1_u8; 1 << 10]
    });
    assert!((1 << 20..1 << 21).contains(&peak), "{peak}");
    let ((), peak) = peak_of(|| drop(kept));
    assert_eq!(peak, 0);
}
