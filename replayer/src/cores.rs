//! Which core an event loop runs on.

/// Keeps this thread on one of the cores that it may run on, the next one for each `shard`: a thread that is moved
/// finds its caches cold, and another's turn before its own. Says whether it is kept there.
///
/// A single shard is better off with the core that happens to be free, and more shards than cores cannot have one
/// each: there the system knows better.
#[cfg(target_os = "linux")]
pub(crate) fn pin(shard: usize, shards: usize) -> bool {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let Ok(allowed) = sched_getaffinity(None) else { return false };
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect();
    if shards < 2 || shards > cores.len() {
        return false;
    }
    let mut only = CpuSet::new();
    only.set(cores[shard]);
    sched_setaffinity(None, &only).is_ok()
}

/// There is no way to ask for it.
#[cfg(not(target_os = "linux"))]
pub(crate) fn pin(_shard: usize, _shards: usize) -> bool {
    false
}

/// Cores that this process may run on; 1 where that cannot be found out.
pub(crate) fn available() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_thread_has_one_core_left() {
        let before = available();
        let (pinned, left) = std::thread::spawn(|| (pin(1, 2), available())).join().unwrap();
        assert_eq!((pinned, left), if before > 1 { (true, 1) } else { (false, 1) });
        assert!(!pin(0, 1) && !pin(0, 100_000));
    }
}
