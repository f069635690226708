//! What a test does at random, by a seed that reruns it.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::time::{SystemTime, UNIX_EPOCH};

/// A small generator of numbers (xorshift), so that a seed is all that a rerun needs.
#[derive(Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// Zero would lead nowhere.
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed.max(1))
    }

    /// One that the environment variable names, or a new one each time. Says which.
    pub(crate) fn seeded_by(variable: &str) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let seed = setting(variable, now.as_nanos() as u64);
        println!("rerun with {variable}={seed}");
        Self::of(seed)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    pub(crate) fn of_these<'a, T>(&mut self, some: &'a [T]) -> &'a T {
        &some[self.below(some.len() as u64) as usize]
    }
}

/// The number in an environment variable, if there is one.
pub(crate) fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}
