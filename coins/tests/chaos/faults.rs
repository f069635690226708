//! What goes wrong, one thing after the other.

use std::collections::BTreeMap;
use std::fmt;

use sqlx::{Connection, PgConnection};

use crate::client::Work;
use crate::cluster::{Cluster, End};
use crate::nodes::{NODES, Nodes};
use crate::random::Random;

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    /// Some nodes are killed.
    Kill,
    /// Some connections to the server, or all of them, are cut.
    Cut,
    /// The server ends and comes back.
    Restart,
    /// The server crashes and comes back.
    Crash,
}

/// Faults by a seed: of each four one is of each kind.
pub(crate) struct Faults {
    cluster: Cluster,
    nodes: Nodes,
    random: Random,
    ahead: Vec<Fault>,
    done: BTreeMap<Fault, u64>,
}

impl Faults {
    pub(crate) fn new(cluster: Cluster, nodes: Nodes, random: Random) -> Self {
        Self { cluster, nodes, random, ahead: Vec::new(), done: BTreeMap::new() }
    }

    /// Lets the clients get somewhere, by a random number of answers, and then something go wrong.
    pub(crate) async fn next(&mut self, work: &Work) {
        work.hasty.more(1 + self.random.below(40)).await;
        if self.ahead.is_empty() {
            self.ahead = vec![Fault::Kill, Fault::Cut, Fault::Restart, Fault::Crash];
        }
        let fault = self.ahead.swap_remove(self.random.below(self.ahead.len() as u64) as usize);
        println!("{fault:?}");
        match fault {
            Fault::Kill => {
                let one = self.random.below(NODES as u64) as usize;
                let others = (0..NODES).filter(|number| *number == one || self.random.below(3) == 0);
                let which: Vec<_> = others.collect();
                self.nodes.kill(&which);
                // The others go on for a while without them, if there are any.
                if which.len() < NODES && self.random.below(2) == 0 {
                    work.hasty.more(1 + self.random.below(40)).await;
                }
                self.nodes.start_all();
            }
            Fault::Cut => self.cut().await,
            Fault::Restart => self.cluster.restart(End::Fast),
            Fault::Crash => self.cluster.restart(End::Immediate),
        }
        *self.done.entry(fault).or_default() += 1;
    }

    async fn cut(&mut self) {
        let (of, which) = (1 + self.random.below(3), self.random.below(3));
        let mut outsider = PgConnection::connect(&self.cluster.url()).await.unwrap();
        let cutting = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                       WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND pid % $1 = $2 % $1";
        sqlx::query(cutting).bind(of as i32).bind(which as i32).execute(&mut outsider).await.unwrap();
        outsider.close().await.unwrap();
    }

    /// What has come through all of it.
    pub(crate) fn over(self) -> (Cluster, Nodes) {
        (self.cluster, self.nodes)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.done)
    }
}
