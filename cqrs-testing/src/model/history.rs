//! What clients asked and were answered, and whether one store could have answered so.

use std::collections::HashSet;
use std::fmt::{self, Write};

use super::call::{Answer, Call};
use super::reference::{Change, Reference};

/// A call that was answered, and when. Times are numbers that one counter gives out, all different: the call took
/// effect between them.
#[derive(Clone, Debug)]
pub(super) struct Answered {
    pub(super) client: u32,
    pub(super) began: u64,
    pub(super) ended: u64,
    pub(super) call: Call,
    pub(super) answer: Answer,
}

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, began, ended, call, answer } = self;
        write!(f, "{began}-{ended} client {client}: {call} -> {answer}")
    }
}

/// Looks for an order of all calls in which each takes effect within its time and has the answer that it must have
/// there. The error says where there is none.
pub(super) fn order(history: &[Answered]) -> Result<(), String> {
    let mut search = Search {
        history,
        state: Reference::default(),
        placed: vec![false; history.len()],
        count: 0,
        seen: HashSet::new(),
        furthest: None,
    };
    if search.run() { Ok(()) } else { Err(search.furthest.map_or_else(String::new, |(_, text)| text)) }
}

struct Search<'a> {
    history: &'a [Answered],
    state: Reference,
    placed: Vec<bool>,
    count: usize,
    /// What was placed where no order went on: the state follows from it.
    seen: HashSet<Vec<bool>>,
    /// The most calls that could be placed, and why no other one could come next.
    furthest: Option<(usize, String)>,
}

impl Search<'_> {
    /// Whether what is not placed yet can be.
    fn run(&mut self) -> bool {
        let mut placed = Vec::new();
        while let Some(index) = self.next_that_changes_nothing() {
            self.place(index);
            placed.push(index);
        }
        if self.count == self.history.len() {
            return true;
        }
        if self.seen.insert(self.placed.clone()) {
            let mut refusals = Vec::new();
            for index in self.candidates() {
                match self.explain(index) {
                    Ok(change) => {
                        self.place(index);
                        self.state.change(&change);
                        if self.run() {
                            return true;
                        }
                        self.state.undo(&change);
                        self.take_back(index);
                    }
                    Err(wanted) => refusals.push((index, wanted)),
                }
            }
            self.note(&refusals);
        }
        for index in placed {
            self.take_back(index);
        }
        false
    }

    /// The calls that may come next: those that began before any other one that is not placed had ended.
    fn candidates(&self) -> Vec<usize> {
        let open = || (0..self.history.len()).filter(|index| !self.placed[*index]);
        let horizon = open().map(|index| self.history[index].ended).min().unwrap_or_default();
        open().filter(|index| self.history[*index].began < horizon).collect()
    }

    fn next_that_changes_nothing(&self) -> Option<usize> {
        let nothing = |index: &usize| self.explain(*index).is_ok_and(|change| change.is_empty());
        self.candidates().into_iter().find(nothing)
    }

    fn explain(&self, index: usize) -> Result<Change, String> {
        let Answered { call, answer, .. } = &self.history[index];
        self.state.explain(call, answer)
    }

    fn place(&mut self, index: usize) {
        self.placed[index] = true;
        self.count += 1;
    }

    fn take_back(&mut self, index: usize) {
        self.placed[index] = false;
        self.count -= 1;
    }

    /// Notes where it does not go on, if that is further than before.
    fn note(&mut self, refusals: &[(usize, String)]) {
        if self.furthest.as_ref().is_some_and(|(count, _)| *count >= self.count) {
            return;
        }
        let (count, head) = (self.count, self.state.head());
        let mut text = format!("after {count} calls, at head {head}, no other answer can come next:");
        for (index, wanted) in refusals {
            // Writing to a string does not fail.
            let _ = write!(text, "\n  {}\n    wanted {wanted}", self.history[*index]);
        }
        self.furthest = Some((count, text));
    }
}

#[cfg(test)]
mod tests;
