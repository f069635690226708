//! Each mail is sent once, whatever crashes.

use cqrs_core::{App, AppBuilder, Consistency, EventPart, HandlerOptions, ParkedSet, ParkedState};
use cqrs_memory::MemoryStore;
use cqrs_testing::{Fault, Faults, FaultyStore, Operation, for_seeds};
use mail_once::{Confirmations, MailServer, PlaceOrder, SentMail};

fn order(order: u64, customer: &str) -> PlaceOrder {
    PlaceOrder { order, customer: customer.to_owned(), item: format!("thing {order}") }
}

/// Who was sent what, in order.
fn mails(server: &MailServer) -> Vec<(String, String)> {
    server.delivered().into_iter().map(|mail| (mail.to, mail.text)).collect()
}

fn thanks(customer: &str, order: u64) -> (String, String) {
    (customer.to_owned(), format!("Thank you for ordering: thing {order}"))
}

fn confirming(store: FaultyStore<MemoryStore>, server: &MailServer, sent: &SentMail) -> AppBuilder {
    let mut options = HandlerOptions::default();
    options.max_attempts = 1;
    let handler = Confirmations { server: server.clone(), sent: sent.clone() };
    App::builder(store).event_handler_with(handler, options)
}

#[tokio::test(start_paused = true)]
async fn a_crash_between_the_mail_and_the_checkpoint_sends_no_mail_twice() {
    let store = FaultyStore::new(MemoryStore::new(), Faults::default());
    let (server, sent) = (MailServer::default(), SentMail::default());
    let app = confirming(store.clone(), &server, &sent).start().await.unwrap();
    store.inject(Operation::CommitHandler, [Fault::CrashBefore]);
    let placed = store.until_crash(async {
        app.dispatch(order(1, "ada")).wait_for(["confirmations"]).await.unwrap();
    });
    assert_eq!(placed.await, None, "it dies before the delivery is recorded");
    assert_eq!(mails(&server), [thanks("ada", 1)]);
    let app = confirming(store.restart(), &server, &sent).start().await.unwrap();
    assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
    assert_eq!(server.calls(), 1, "the table knows the event, and nothing is sent again");
}

#[test]
fn in_a_storm_every_order_is_confirmed_once_and_in_order() {
    for_seeds(20, async |seed| {
        let mut store = FaultyStore::new(MemoryStore::new(), Faults::storm(seed));
        let writer = App::builder(store.inner().clone()).start().await.unwrap();
        for n in 0..40 {
            writer.dispatch(order(n, ["ada", "bob"][n as usize % 2])).await.unwrap();
        }
        let (server, sent) = (MailServer::default(), SentMail::default());
        loop {
            let lived = store.until_crash(async {
                let Ok(app) = confirming(store.clone(), &server, &sent).start().await else { return false };
                while app.settle().await.ok() != Some(Consistency::Reached) {
                    tokio::task::yield_now().await;
                }
                true
            });
            match lived.await {
                Some(true) => break,
                Some(false) => {}
                None => store = store.restart(),
            }
        }
        for (customer, n) in [("ada", 0), ("bob", 1)] {
            let found: Vec<_> = mails(&server).into_iter().filter(|(to, _)| to == customer).collect();
            let wanted: Vec<_> = (0..20).map(|index| thanks(customer, 2 * index + n)).collect();
            assert_eq!(found, wanted, "{}", store.report());
        }
    });
}

#[tokio::test(start_paused = true)]
async fn a_customer_who_cannot_be_reached_keeps_nobody_waiting_and_hears_of_all_in_the_end() {
    let store = FaultyStore::new(MemoryStore::new(), Faults::default());
    let (server, sent) = (MailServer::default(), SentMail::default());
    let app = confirming(store, &server, &sent).start().await.unwrap();
    server.refuse(Some("ada"));
    for (n, customer) in [(1, "ada"), (2, "bob"), (3, "ada")] {
        app.dispatch(order(n, customer)).wait_for(["confirmations"]).await.unwrap();
    }
    assert_eq!(mails(&server), [thanks("bob", 2)]);
    let parked = app.parked_events("confirmations", EventPart::ZERO, 10).await.unwrap();
    let states: Vec<_> = parked.iter().map(|event| event.state).collect();
    assert_eq!(states, [ParkedState::Parked, ParkedState::Waiting]);
    assert_eq!(parked[0].last_error.as_deref(), Some("there is no mailbox ada"));
    server.refuse(None);
    app.retry_parked("confirmations", &ParkedSet::Key("ada".to_owned())).await.unwrap();
    // The next one of this key is worked on when those before it are.
    app.dispatch(order(4, "ada")).wait_for(["confirmations"]).await.unwrap();
    let all = [thanks("bob", 2), thanks("ada", 1), thanks("ada", 3), thanks("ada", 4)];
    assert_eq!(mails(&server), all);
}
