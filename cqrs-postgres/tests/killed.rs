//! Nodes that are killed in the middle of writing: what they had acknowledged is there.

mod common;

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use common::{Scratch, everything, one, some};
use cqrs_postgres::PostgresStore;

const URL: &str = "CQRS_POSTGRES_TEST_KILLED_URL";

/// How many nodes are killed.
const KILLS: usize = 20;

/// What is killed; nothing when the tests are run as a whole.
#[tokio::test]
async fn child() {
    let Ok(url) = std::env::var(URL) else { return };
    let store = PostgresStore::connect(&url).await.unwrap();
    for number in 0.. {
        // A batch of several, over new streams and old ones.
        let key = format!("{}-{}", std::process::id(), number % 7);
        let appended = one(&store, some(&key, 1 + number % 3)).await.unwrap().unwrap();
        println!("acknowledged {key} {} {}", appended.position, appended.versions[0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn what_a_killed_node_had_acknowledged_is_there() {
    let scratch = Scratch::new().await;
    let mut acknowledged = HashMap::new();
    for kill in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--nocapture"])
            .env(URL, scratch.url())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut note = |line: String| {
            let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
            if let [_, key, position, version] = &words[..]
                && line.starts_with("acknowledged ")
            {
                let place: (String, u64) = (key.clone(), version.parse().unwrap());
                acknowledged.insert(position.parse::<u64>().unwrap(), place);
                return 1;
            }
            0
        };
        let mut seen = 0;
        while seen <= kill {
            seen += note(lines.next().unwrap());
        }
        child.kill().unwrap();
        // What it said before it died counts too.
        for line in lines {
            note(line);
        }
        child.wait().unwrap();
    }
    // Whoever comes next is not held up by the dead.
    let store = scratch.store().await;
    one(&store, some("after all", 1)).await.unwrap().unwrap();
    let log = everything(&store).await;
    assert!(
        (1..).zip(&log).all(|(number, event)| event.position.as_u64() == number),
        "positions are dense"
    );
    assert!(acknowledged.len() > KILLS);
    for (position, (key, version)) in acknowledged {
        let event = &log[position as usize - 1];
        assert_eq!((event.stream.key(), event.version.as_u64()), (&*key, version));
    }
}
