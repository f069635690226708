//! Running what clients are to do.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cqrs_core::{EventStore, Position};
use futures::future::try_join_all;
use tokio::sync::Barrier;
use tokio::task::yield_now;

use super::call::{Answer, Call};
use super::client::Client;
use super::history::{Answered, order};
use super::reference::Reference;
use super::step::Step;
use crate::{StoreFactory, Verdict, Violation};

/// How long a history may take; far longer than any store needs.
const PATIENCE: Duration = Duration::from_secs(300);

/// The number of whoever reads everything at the end.
const READER: u32 = 99;

async fn soon<T>(run: impl Future<Output = Result<T, Violation>>) -> Result<T, Violation> {
    let late = |_| Violation::new(format_args!("a history did not come to its end within {PATIENCE:?}"));
    tokio::time::timeout(PATIENCE, run).await.map_err(late)?
}

/// One client, one step after the other: each answer must be the reference's.
pub(super) async fn alone(factory: &impl StoreFactory, steps: &[Step]) -> Verdict {
    soon(async {
        let mut store = factory.make().await;
        let mut client = Client::new(0);
        let mut alone = Alone::default();
        for step in steps {
            if let Step::Reopen = step {
                store = factory.reopen(store).await;
                alone.story.push("reopen".to_owned());
            } else if let Some(call) = client.call(step) {
                let answer = alone.ask(&store, &call).await?;
                client.learn(&call, &answer);
            }
        }
        everything(async |call| alone.ask(&store, &call).await).await
    })
    .await
}

/// What the only client was answered so far.
#[derive(Default)]
struct Alone {
    state: Reference,
    story: Vec<String>,
}

impl Alone {
    async fn ask(&mut self, store: &impl EventStore, call: &Call) -> Result<Answer, Violation> {
        let answer = ask(store, call).await?;
        self.story.push(format!("{call} -> {answer}"));
        match self.state.explain(call, &answer) {
            Ok(change) => self.state.change(&change),
            Err(wanted) => {
                let story = self.story.join("\n  ");
                return Err(Violation::new(format_args!("the last answer\n  {story}\nwanted {wanted}")));
            }
        }
        Ok(answer)
    }
}

async fn ask(store: &impl EventStore, call: &Call) -> Result<Answer, Violation> {
    let failed = |error| Violation::new(format_args!("{call} failed: {error:?}"));
    call.run(store).await.map_err(failed)
}

/// Reads all there is: the log page by page, until one does not move, or until there are more than any sound store
/// has.
async fn everything(mut ask: impl AsyncFnMut(Call) -> Result<Answer, Violation>) -> Verdict {
    let mut after = Position::ZERO;
    for _ in 0..1_000 {
        match ask(Client::log(after)).await? {
            Answer::Page(page) if page.scanned_to > after => after = page.scanned_to,
            _ => break,
        }
    }
    for call in Client::all() {
        ask(call).await?;
    }
    Ok(())
}

/// Several clients at once, by two handles; then a third handle reads everything. All answers together must have an
/// order.
pub(super) async fn together(factory: &impl StoreFactory, clients: &[Vec<Step>]) -> Verdict {
    let history = soon(async {
        let store = Arc::new(factory.make().await);
        let other = Arc::new(factory.again(&store).await);
        let (clock, start) = (Arc::new(AtomicU64::new(0)), Arc::new(Barrier::new(clients.len())));
        let running = (0..).zip(clients).map(|(number, steps)| {
            let store = Arc::clone(if number % 2 == 0 { &store } else { &other });
            let (clock, start) = (Arc::clone(&clock), Arc::clone(&start));
            let steps = steps.clone();
            tokio::spawn(async move {
                start.wait().await;
                run(&*store, number, &steps, &clock).await
            })
        });
        let mut history = Vec::new();
        for answered in try_join_all(running.collect::<Vec<_>>()).await.map_err(Violation::new)? {
            history.extend(answered?);
        }
        let reader = factory.again(&store).await;
        everything(async |call| {
            let answered = timed(&reader, READER, call, &clock).await?;
            let answer = answered.answer.clone();
            history.push(answered);
            Ok(answer)
        })
        .await?;
        Ok(history)
    })
    .await?;
    order(&history).map_err(|why| {
        let mut story: Vec<_> = history.iter().collect();
        story.sort_unstable_by_key(|answered| answered.began);
        let story: Vec<_> = story.into_iter().map(Answered::to_string).collect();
        Violation::new(format_args!("no order explains the answers\n  {}\n{why}", story.join("\n  ")))
    })
}

/// What one client does.
async fn run(
    store: &impl EventStore,
    number: u32,
    steps: &[Step],
    clock: &AtomicU64,
) -> Result<Vec<Answered>, Violation> {
    let mut client = Client::new(number);
    let mut history = Vec::new();
    for step in steps {
        let Some(call) = client.call(step) else { continue };
        // Lets the others go on, also where calls do not wait for anything.
        yield_now().await;
        let answered = timed(store, number, call, clock).await?;
        client.learn(&answered.call, &answered.answer);
        history.push(answered);
    }
    Ok(history)
}

async fn timed(
    store: &impl EventStore,
    client: u32,
    call: Call,
    clock: &AtomicU64,
) -> Result<Answered, Violation> {
    let began = clock.fetch_add(1, Ordering::SeqCst);
    let answer = ask(store, &call).await?;
    let ended = clock.fetch_add(1, Ordering::SeqCst);
    Ok(Answered { client, began, ended, call, answer })
}
