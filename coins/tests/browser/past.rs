//! The slider over the log.

use crate::browser::Browser;
use crate::service::Service;

#[tokio::test]
#[ignore = "needs Chromium; .ci/browser runs it"]
async fn the_slider_shows_the_leaderboard_at_any_position() {
    let service = Service::start().with_history().await;
    let browser = Browser::open(&service).await;
    browser.sees("slider.max", "7").await;
    let told = "document.querySelector('#told').textContent";
    for (position, board, words) in [
        (0, "", "The log is empty here. Nobody has anything."),
        (1, "1me1", "me mined a coin with nonce 190"),
        (5, "1you32me2", "you mined a coin with nonce 1,597"),
        (6, "1you32me1", "me sent 1 coin to she"),
        (7, "1you32me13she1", "she received 1 coin from me"),
    ] {
        browser.js(&format!("slider.value = {position}; slider.dispatchEvent(new Event('input'))")).await;
        browser.sees("board.textContent", board).await;
        browser.sees(&format!("{told}.endsWith('{words}')"), true).await;
    }

    // The past stays what it was, and now is one click away.
    browser.js("slider.value = 5; slider.dispatchEvent(new Event('input'))").await;
    browser.sees("moment.textContent", "after event 5").await;
    service.mine("me", 486).await;
    browser.sees("slider.max", "8").await;
    browser.sees("board.textContent", "1you32me2").await;
    browser.click("now").await;
    browser.sees("board.textContent", "1you32me23she1").await;
    assert_eq!(browser.value("moment.textContent").await, "now");

    // Played, it comes to its end by itself.
    browser
        .js("
            window.seen = [];
            new MutationObserver(() => seen.push(moment.textContent)).observe(moment, { childList: true });")
        .await;
    browser.click("play").await;
    browser.sees("seen.some((it) => it !== 'now') && seen.at(-1)", "now").await;
    browser.sees("board.textContent", "1you32me23she1").await;
    browser.end(&[]).await;
}

/// The slider was elsewhere whenever an answer came, so that none was shown until the end.
#[tokio::test]
#[ignore = "needs Chromium; .ci/browser runs it"]
async fn a_log_that_is_played_is_seen_when_answers_take_longer_than_its_steps() {
    let service = Service::start().with_history().await;
    let browser = Browser::open(&service).await;
    browser.sees("board.textContent", "1you32me13she1").await;
    // A step of so short a log takes 600 ms.
    browser
        .js("
            const fetch = window.fetch;
            window.shown = [];
            window.fetch = async (...request) => {
                const answer = await fetch(...request);
                if (String(request[0]).startsWith('/api/leaderboard')) await new Promise((resolve) => setTimeout(resolve, 1000));
                return answer;
            };
            new MutationObserver(() => shown.push(`${moment.textContent}: ${board.textContent}`))
                .observe(moment, { childList: true });")
        .await;
    browser.click("play").await;
    // What was asked for before may be shown now.
    browser
        .sees("shown.some((it) => !it.startsWith('now: ')) && shown.at(-1).startsWith('now: ')", true)
        .await;
    let boards = [
        "before anything happened: ",
        "after event 1: 1me1",
        "after event 2: 1me2",
        "after event 3: 1me22you1",
        "after event 4: 1me22you2",
        "after event 5: 1you32me2",
        "after event 6: 1you32me1",
        "after event 7: 1you32me13she1",
        "now: 1you32me13she1",
    ];
    let shown = browser.value("shown").await;
    let shown = shown.as_array().unwrap();
    assert!(shown.len() > 2, "{shown:?}");
    assert!(shown.iter().all(|it| boards.contains(&it.as_str().unwrap())), "{shown:?}");

    // Who goes to a position in the log stays there.
    browser.click("play").await;
    browser.sees("play.dataset.playing", "true").await;
    browser.js("document.querySelector('#log li:nth-last-child(2) button.position').click()").await;
    assert_eq!(browser.value("play.dataset.playing").await, "false");
    browser.sees("moment.textContent", "after event 2").await;
    assert_eq!(browser.value("slider.value").await, "2");
    browser.end(&[]).await;
}
