//! What changes without anybody touching the page.

use crate::browser::Browser;
use crate::service::Service;

#[tokio::test]
#[ignore = "needs Chromium; .ci/browser runs it"]
async fn the_page_changes_when_somebody_else_mines() {
    let service = Service::start();
    let browser = Browser::open(&service).await;
    browser.sees("document.getElementById('board-empty').hidden", false).await;
    service.mine("me", 190).await;
    browser.sees("board.textContent", "1me1").await;
    browser
        .sees(
            "document.getElementById('log').firstElementChild.querySelector('p').textContent",
            "me mined a coin with nonce 190",
        )
        .await;
    for nonce in [488, 1442] {
        service.mine("you", nonce).await;
    }
    browser.sees("board.textContent", "1you22me1").await;
    browser.sees("head.textContent", "3").await;

    // So does an account's story that is open.
    browser.js("document.querySelector('#board [data-account=me] button').click()").await;
    browser.sees("story.open", true).await;
    let lines = "Array.from(document.querySelectorAll('#story-lines tr'), (row) => Array.from(row.cells).slice(-2).map((cell) => cell.textContent).join()).join(' ')";
    browser.sees(lines, "+1,1").await;
    service.send("me", "you", 1).await;
    browser.sees(lines, "−1,0 +1,1").await;
    browser.end(&[]).await;
}

#[tokio::test]
#[ignore = "needs Chromium; .ci/browser runs it"]
async fn the_page_survives_a_service_that_is_killed_and_started_again() {
    let mut service = Service::start().with_history().await;
    let browser = Browser::open(&service).await;
    service.kill();
    browser.sees("connection.textContent", "Reconnecting").await;

    // What is sent meanwhile waits, and is sent once.
    browser.js("from.value = 'you'; to.value = 'me'; document.querySelector('#send button').click()").await;
    browser
        .sees(
            "document.getElementById('send-said').textContent",
            "The service does not answer. Trying again; nothing is sent twice.",
        )
        .await;

    service.start_again();
    browser.sees("connection.textContent", "Live").await;
    browser.sees("document.getElementById('send-said').textContent", "1 coin on the way to me.").await;
    browser.sees("head.textContent", "9").await;
    service.mine("me", 486).await;
    browser.sees("head.textContent", "10").await;
    browser.end(&["net::ERR"]).await;
}

#[tokio::test]
#[ignore = "needs Chromium; .ci/browser runs it"]
async fn an_account_tells_all_of_a_long_story_in_pages() {
    let service = Service::start();
    let proof = coins::Proof::of(&"me".parse().unwrap());
    let nonces: Vec<u64> = (0..).filter(|nonce| proof.accepts(*nonce)).take(95).collect();
    for nonce in &nonces {
        service.mine("me", *nonce).await;
    }
    let browser = Browser::open(&service).await;
    browser.js("document.querySelector('#board button.account').click()").await;
    let lines = "document.querySelectorAll('#story-lines tr').length";
    for count in [20, 70] {
        browser.sees(lines, count).await;
        browser.js("document.getElementById('story-older').click()").await;
    }
    browser.sees(lines, 95).await;
    assert_eq!(browser.value("document.getElementById('story-older').hidden").await, true);
    // A new event joins what was opened.
    let next = (nonces[94] + 1..).find(|nonce| proof.accepts(*nonce)).unwrap();
    service.mine("me", next).await;
    browser.sees(lines, 96).await;
    browser.end(&[]).await;
}

/// Browsers have six connections to a service: six open pages blocked a seventh.
#[tokio::test]
#[ignore = "needs Chromium; .ci/browser runs it"]
async fn a_page_that_nobody_sees_has_no_stream_and_goes_on_where_it_was() {
    let service = Service::start().with_history().await;
    let browser = Browser::open(&service).await;
    browser.sees("head.textContent", "7").await;
    let hide = |yes: bool| {
        format!(
            "Object.defineProperty(document, 'hidden', {{ configurable: true, value: {yes} }});
            document.dispatchEvent(new Event('visibilitychange'));"
        )
    };
    browser.js(&hide(true)).await;
    assert_eq!(browser.value("connection.textContent").await, "Reconnecting");
    let streams = "
        for (;;) {
            const metrics = await (await fetch('/metrics')).text();
            if (/^http_event_streams 0$/m.test(metrics)) return true;
        }";
    assert_eq!(browser.promised(streams, Vec::new()).await, true);
    service.mine("me", 486).await;
    browser.js(&hide(false)).await;
    browser.sees("connection.textContent", "Live").await;
    browser.sees("head.textContent", "8").await;
    browser.sees("document.getElementById('log').children.length", 8).await;
    browser.end(&[]).await;
}

/// Of a connection whose other end has vanished nobody tells the browser.
#[tokio::test]
#[ignore = "needs Chromium; .ci/browser runs it"]
async fn a_stream_that_is_silent_for_long_is_opened_anew() {
    let service = Service::start().with_history().await;
    let browser = Browser::open(&service).await;
    browser.sees("head.textContent", "7").await;
    // Its time passes a hundred times as fast, and the service's does not.
    browser
        .js("
            const { setTimeout, EventSource } = window;
            window.setTimeout = (work, pause) => setTimeout(work, pause / 100);
            window.opened = 0;
            window.EventSource = class extends EventSource {
                constructor(url) { super(url); opened += 1; window.newest = this }
            };")
        .await;
    service.mine("me", 486).await;
    browser.sees("opened > 0", true).await;
    // As long as it hears that the service is there, it stays.
    browser
        .js("window.pings = setInterval(() => newest.dispatchEvent(new MessageEvent('ping')), 50)")
        .await;
    browser.sees("connection.textContent", "Live").await;
    browser
        .js("window.before = opened; window.later = false; setTimeout(() => (later = true), 200_000)")
        .await;
    browser.sees("later", true).await;
    assert_eq!(browser.value("opened - before").await, 0);
    browser.end(&[]).await;
}
