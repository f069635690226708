//! The nodes: processes of `coins serve`, which come and go.

use std::thread;

use tokio::sync::watch;

use crate::common::Place;
use crate::program::Program;

/// How many nodes there are.
pub(crate) const NODES: usize = 3;

/// Nodes on one database; who is down has no program.
pub(crate) struct Nodes {
    url: String,
    place: Place,
    programs: [Option<Program>; NODES],
    origins: watch::Sender<Vec<String>>,
}

impl Nodes {
    /// Starts all of them at once, on a database without anything in it.
    pub(crate) fn start(url: String) -> Self {
        let origins = watch::Sender::default();
        let mut nodes = Self { url, place: Place::new(), programs: Default::default(), origins };
        nodes.start_all();
        nodes
    }

    /// Where those are that are up, whenever that changes.
    pub(crate) fn origins(&self) -> watch::Receiver<Vec<String>> {
        self.origins.subscribe()
    }

    /// Kills some, all at once.
    pub(crate) fn kill(&mut self, which: &[usize]) {
        for number in which {
            self.programs[*number].take().into_iter().for_each(Program::kill);
        }
        self.tell();
    }

    /// Starts all that are down.
    pub(crate) fn start_all(&mut self) {
        let (place, url) = (&self.place, self.url.as_str());
        thread::scope(|scope| {
            let down = self.programs.iter_mut().filter(|program| program.is_none());
            let starts: Vec<_> = down
                .map(|program| scope.spawn(|| *program = Some(Program::with(place, &["--db", url]))))
                .collect();
            starts.into_iter().for_each(|start| start.join().unwrap());
        });
        self.tell();
    }

    fn tell(&self) {
        self.origins.send_replace(self.programs.iter().flatten().map(|it| it.origin.clone()).collect());
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        self.kill(&std::array::from_fn::<_, NODES, _>(|number| number));
    }
}
