//! Rounds: every case once, forward and backward in turn.

use std::path::Path;

use crate::Error;
use crate::case::Case;
use crate::sample::Sample;
use crate::stage::Stage;

/// Runs all cases so many times. Returns the samples of each case, one a round.
pub(crate) fn run(stage: &Stage, cases: &[Case], rounds: u32) -> Result<Vec<Vec<Sample>>, Error> {
    let mut samples = vec![Vec::new(); cases.len()];
    let rounds = if cases.is_empty() { 0 } else { rounds };
    for round in 0..rounds {
        eprintln!("round {} of {rounds}: {} cases of {:?}", round + 1, cases.len(), stage.time);
        for index in order(cases.len(), round) {
            // A file of its own for each: nobody profits from room that another left behind.
            let file = stage.directory.join(format!("case-{index}-{round}.db"));
            samples[index].push(cases[index].work.run(stage, &file)?);
            discard(&file)?;
        }
    }
    Ok(samples)
}

/// The order of a round: a disk that grows slower is not always slower for the same case.
pub(crate) fn order(cases: usize, round: u32) -> Vec<usize> {
    match round % 2 {
        0 => (0..cases).collect(),
        _ => (0..cases).rev().collect(),
    }
}

/// Frees the disk for the next case.
pub(crate) fn discard(path: &Path) -> Result<(), Error> {
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_other_round_goes_backward() {
        assert_eq!(order(3, 0), [0, 1, 2]);
        assert_eq!(order(3, 1), [2, 1, 0]);
        assert_eq!(order(3, 2), [0, 1, 2]);
    }
}
