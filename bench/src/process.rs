//! What this process has used.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The time that all threads of this process have spent on the cores, to the nanosecond.
pub(crate) fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_goes_on_while_there_is_work() {
        let before = cpu_time();
        while cpu_time() < before + Duration::from_millis(1) {}
    }
}
