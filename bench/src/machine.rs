//! Where a run was made, as the system tells it, and how long its disk takes.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::process::kibibytes;
use crate::statistics::quantile;

/// How often the disk is waited for.
const SYNCS: usize = 200;

/// One page of SQLite's.
const PAGE: [u8; 4096] = [0xA5; 4096];

/// What the figures of a run depend on.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_bytes: u64,
    pub(crate) kernel: String,
    pub(crate) before: Moment,
    pub(crate) after: Moment,
}

/// How busy the machine is, and how slow its disk.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Moment {
    /// The mean number of threads that ran or wanted to in the last minute.
    pub(crate) load: f64,
    /// Half of the waits for a page that was appended to a file took no longer, in microseconds.
    pub(crate) sync_p50: f64,
    pub(crate) sync_p99: f64,
}

impl Machine {
    /// Looks at the machine before a run.
    pub(crate) fn look(directory: &Path) -> Result<Self, Error> {
        let read = |path| std::fs::read_to_string(path);
        let memory = read("/proc/meminfo")?;
        let before = Moment::now(directory)?;
        Ok(Self {
            processor: processor(&read("/proc/cpuinfo")?).unwrap_or("unknown").to_owned(),
            cores: std::thread::available_parallelism()?.get(),
            memory_bytes: kibibytes(&memory, "MemTotal").ok_or("/proc/meminfo has no MemTotal in kB")?,
            kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            before,
            after: before,
        })
    }

    /// Looks again after the run.
    pub(crate) fn look_again(&mut self, directory: &Path) -> Result<(), Error> {
        self.after = Moment::now(directory)?;
        Ok(())
    }
}

impl Moment {
    fn now(directory: &Path) -> Result<Self, Error> {
        let load = load(&std::fs::read_to_string("/proc/loadavg")?).ok_or("/proc/loadavg has no number")?;
        let mut file = File::create(directory.join("sync"))?;
        let mut waits = Vec::with_capacity(SYNCS);
        for _ in 0..SYNCS {
            file.write_all(&PAGE)?;
            let begun = Instant::now();
            file.sync_data()?;
            waits.push(begun.elapsed().as_secs_f64() * 1_000_000.0);
        }
        std::fs::remove_file(directory.join("sync"))?;
        let at = |part| quantile(waits.iter().copied(), part).unwrap_or(f64::NAN);
        Ok(Self { load, sync_p50: at(0.5), sync_p99: at(0.99) })
    }
}

/// The first processor in the text of `/proc/cpuinfo`.
fn processor(cpuinfo: &str) -> Option<&str> {
    let value = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"))?;
    Some(value.trim_start().strip_prefix(':')?.trim())
}

/// The first of the three averages in the text of `/proc/loadavg`.
fn load(loadavg: &str) -> Option<f64> {
    loadavg.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_named_after_the_colon() {
        let cpuinfo =
            "processor\t: 0\nmodel\t\t: 143\nmodel name\t: A Processor @ 2.00GHz\nprocessor\t: 1\n";
        assert_eq!(processor(cpuinfo), Some("A Processor @ 2.00GHz"));
        assert_eq!(processor("processor\t: 0\n"), None);
    }

    #[test]
    fn the_load_is_the_one_of_the_last_minute() {
        assert_eq!(load("0.52 1.04 2.07 3/180 14716\n"), Some(0.52));
        assert_eq!(load(""), None);
    }

    #[test]
    fn a_machine_has_a_disk_that_one_waits_for() {
        let directory = tempfile::tempdir().unwrap();
        let machine = Machine::look(directory.path()).unwrap();
        assert!(machine.cores > 0 && machine.memory_bytes > 0 && machine.before.sync_p50 > 0.0);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
