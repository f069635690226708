//! What this process has used, as the system tells.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::Error;

/// What a process has of the machine's memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// Now.
    pub(crate) resident: u64,
    /// The most that it ever had.
    pub(crate) peak: u64,
}

/// The time that all threads of this process have spent on the cores, to the nanosecond.
pub(crate) fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// The memory of this process.
pub(crate) fn memory() -> Result<Memory, Error> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    memory_of(&status).ok_or_else(|| "/proc/self/status has no VmRSS or VmHWM in kB".into())
}

/// Reads the text of `/proc/self/status`.
fn memory_of(status: &str) -> Option<Memory> {
    Some(Memory { resident: kibibytes(status, "VmRSS")?, peak: kibibytes(status, "VmHWM")? })
}

/// The bytes on the line `name:   123 kB`, by which the kernel means KiB.
pub(crate) fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let number: u64 = value.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(number * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_goes_on_while_there_is_work() {
        let before = cpu_time();
        while cpu_time() < before + Duration::from_millis(1) {}
    }

    #[test]
    fn memory_is_read_by_the_whole_name() {
        let status =
            "Name:\tbench\nVmPeak:\t  999 kB\nVmHWM:\t   3000 kB\nVmRSS:\t    2048 kB\nThreads:\t1\n";
        assert_eq!(memory_of(status), Some(Memory { resident: 2048 * 1024, peak: 3000 * 1024 }));
        assert_eq!(kibibytes(status, "Vm"), None);
        assert_eq!(kibibytes(status, "Threads"), None);
    }

    #[test]
    fn this_process_has_memory() {
        let Memory { resident, peak } = memory().unwrap();
        assert!(resident > 0 && peak >= resident / 2);
    }
}
