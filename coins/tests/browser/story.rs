//! An account's story.

use coins::Proof;
use fantoccini::actions::{InputSource, MOUSE_BUTTON_LEFT, MouseActions, PointerAction};
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::service::Service;

/// How many events are shown.
const LINES: &str = "document.querySelectorAll('#story-lines tr').length";

const OPEN: &str = "document.querySelector('#board [data-account=me] button').click()";

/// Mines so many coins, those before not counted.
async fn mine(service: &Service, before: usize, count: usize) {
    let proof = Proof::of(&"me".parse().unwrap());
    for nonce in (0..).filter(|nonce| proof.accepts(*nonce)).skip(before).take(count) {
        service.mine("me", nonce).await;
    }
}

/// A read model that was behind the event which set off a question was asked no more.
#[tokio::test]
#[ignore = "needs Chromium; .ci/browser runs it"]
async fn a_story_is_asked_for_until_it_has_what_the_log_has_told() {
    let mut service = Service::start();
    mine(&service, 0, 1).await;
    let browser = Browser::open(&service).await;
    browser.sees("board.textContent", "1me1").await;
    browser
        .js("
            const fetch = window.fetch;
            window.asked = 0;
            let old;
            window.fetch = async (...request) => {
                const answer = await fetch(...request);
                if (!String(request[0]).startsWith('/api/account?')) return answer;
                old ??= await answer.clone().text();
                asked += 1;
                return asked <= 4 ? new Response(old) : answer;
            };")
        .await;
    browser.js(OPEN).await;
    browser.sees(LINES, 1).await;
    mine(&service, 1, 1).await;
    browser.sees(LINES, 2).await;
    browser.js("story.close()").await;

    // And so is one that is not answered at all.
    service.kill();
    browser.sees("connection.textContent", "Reconnecting").await;
    browser.js(OPEN).await;
    browser.sees("document.getElementById('story-said').textContent", "The service does not answer.").await;
    service.start_again();
    browser.sees(LINES, 2).await;
    assert_eq!(browser.value("document.getElementById('story-said').textContent").await, "");
    browser.end(&["net::ERR"]).await;
}

#[tokio::test]
#[ignore = "needs Chromium; .ci/browser runs it"]
async fn older_events_that_come_too_late_are_not_joined_to_newer_ones() {
    let service = Service::start();
    mine(&service, 0, 25).await;
    let browser = Browser::open(&service).await;
    browser.js(OPEN).await;
    browser.sees(LINES, 20).await;
    // Answers about this account wait, each until its gate is opened.
    browser
        .js("
            const fetch = window.fetch;
            const gate = () => { let open; return { opened: new Promise((resolve) => (open = resolve)), open } };
            window.gates = { '/api/account': gate(), '/api/statement': gate() };
            window.asked = [];
            window.fetch = async (...request) => {
                const path = String(request[0]).split('?')[0];
                if (!gates[path]) return fetch(...request);
                asked.push(path);
                await gates[path].opened;
                return fetch(...request);
            };")
        .await;
    browser.js("document.getElementById('story-older').click()").await;
    mine(&service, 25, 21).await;
    browser.sees("head.textContent", "46").await;
    browser.sees("asked.sort().join()", "/api/account,/api/statement").await;
    browser.js("gates['/api/account'].open()").await;
    let newest = "document.querySelector('#story-lines td').textContent";
    browser.sees(newest, "46").await;
    browser.js("gates['/api/statement'].open()").await;
    browser.sees("document.getElementById('story-older').disabled", false).await;
    assert_eq!(browser.value(LINES).await, 20);
    browser.js("document.getElementById('story-older').click()").await;
    browser.sees(LINES, 46).await;
    let versions = "Array.from(document.querySelectorAll('#story-lines tr'), (row) => Number(row.cells[0].textContent))";
    assert_eq!(browser.value(versions).await, json!((1..=46).rev().collect::<Vec<_>>()));
    browser.end(&[]).await;
}

/// Presses at one place and lets go at another.
async fn drag(browser: &Browser, places: Value) {
    let places: Vec<(f64, f64)> = serde_json::from_value(places).unwrap();
    let [(x, y), (to_x, to_y)] = places[..] else { panic!("{places:?} are two places") };
    let mouse = MouseActions::new("mouse".to_owned())
        .then(PointerAction::MoveTo { duration: None, x, y })
        .then(PointerAction::Down { button: MOUSE_BUTTON_LEFT })
        .then(PointerAction::MoveTo { duration: None, x: to_x, y: to_y })
        .then(PointerAction::Up { button: MOUSE_BUTTON_LEFT });
    browser.client.perform_actions(mouse).await.unwrap();
}

#[tokio::test]
#[ignore = "needs Chromium; .ci/browser runs it"]
async fn a_story_is_closed_by_a_click_beside_it_and_by_nothing_less() {
    let service = Service::start().with_history().await;
    let browser = Browser::open(&service).await;
    browser.sees("board.children.length", 3).await;
    browser.js(OPEN).await;
    browser.sees(LINES, 3).await;
    browser
        .js("
            const { left, right, top, bottom } = story.getBoundingClientRect();
            const rim = [Math.round(left) + 4, Math.round(bottom) - 4];
            const text = document.querySelector('#story-title').getBoundingClientRect();
            const inside = [Math.round(text.left) + 4, Math.round(text.top + text.height / 2)];
            const beside = [Math.round(left) - 30, Math.round(top) + 30];
            window.places = { rim, inside, beside };
            window.clicks = 0;
            story.addEventListener('click', ({ target }) => (clicks += target === story));")
        .await;
    let stays = ["[places.rim, places.rim]", "[places.inside, places.beside]"];
    for (index, places) in stays.iter().enumerate() {
        drag(&browser, browser.value(places).await).await;
        // It is a click on the dialog, as one beside it is.
        browser.sees("clicks", index + 1).await;
        assert_eq!(browser.value("story.open").await, true, "{places}");
    }
    drag(&browser, browser.value("[places.beside, places.beside]").await).await;
    browser.sees("story.open", false).await;
    browser.end(&[]).await;
}
