//! How much memory a run may take, where `--memory` does not say.

/// Half of what the machine, or the container that limits it, has; no limit where neither can be asked.
pub(crate) fn default_bytes() -> u64 {
    let machine = read("/proc/meminfo").and_then(|text| total_bytes(&text));
    // `max` where there is no limit.
    let container = read("/sys/fs/cgroup/memory.max").and_then(|text| text.trim().parse().ok());
    machine.into_iter().chain(container).min().map_or(u64::MAX, |bytes| bytes / 2)
}

fn read(path: &str) -> Option<String> {
    fs_err::read_to_string(path).ok()
}

/// The line `MemTotal:  24635520 kB` of Linux's `/proc/meminfo` (proc_meminfo(5)); its kB are KiB.
fn total_bytes(meminfo: &str) -> Option<u64> {
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    total.trim().strip_suffix("kB")?.trim_end().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_in_bytes() {
        assert_eq!(total_bytes("MemFree: 7 kB\nMemTotal:       2048 kB\n"), Some(2 << 20));
        assert_eq!(total_bytes("MemFree: 7 kB\n"), None);
    }
}
