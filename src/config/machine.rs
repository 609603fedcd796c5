//! What the machine has.

use std::fs;

/// Where nothing says how much there is.
const UNKNOWN: u64 = 2 << 30;

/// Bytes of memory that this process may take: the container's limit where there is one, else the machine's.
///
/// Read where Linux tells it: `/proc/meminfo`, and the control group's `memory.max` (version 2) or `memory.limit_in_bytes` (1).
pub fn memory() -> u64 {
    let limit = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let groups = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    groups.into_iter().filter_map(limit).chain(machine).min().unwrap_or(UNKNOWN)
}

/// `MemTotal` of `/proc/meminfo`, in bytes.
fn total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_in_bytes() {
        assert_eq!(total("MemTotal:       16316412 kB\nMemFree: 1 kB\n"), Some(16_316_412 << 10));
        assert_eq!(total("MemFree: 1 kB\n"), None);
        assert!(memory() >= 64 << 20);
    }
}
