//! Sending coins from the page.

use crate::browser::Browser;
use crate::service::Service;

#[tokio::test]
#[ignore = "needs Chromium; .ci/browser runs it"]
async fn coins_are_sent_and_seen_to_arrive() {
    let service = Service::start().with_history().await;
    let browser = Browser::open(&service).await;
    browser.fill("from", "you").await;
    browser.fill("to", "somebody new").await;
    browser.fill("amount", "3").await;
    browser.js("document.querySelector('#send button').click()").await;
    let said = "document.getElementById('send-said').textContent";
    browser.sees(said, "3 coins on the way to somebody new.").await;
    let newest = "transfers.firstElementChild";
    browser.sees(&format!("{newest}.querySelector('.account').dataset.account"), "you").await;
    browser.sees(&format!("{newest}.dataset.state"), "arrived").await;
    browser
        .sees(&format!("{newest}.querySelector('.state').textContent.startsWith('arrived in ')"), true)
        .await;
    browser.sees("board.textContent", "1somebody new32me13she14you0").await;
    browser.end(&[]).await;
}

#[tokio::test]
#[ignore = "needs Chromium; .ci/browser runs it"]
async fn a_refusal_is_told_by_its_rule_in_plain_words() {
    let service = Service::start().with_history().await;
    let browser = Browser::open(&service).await;
    let said = "document.getElementById('send-said').textContent";
    for (from, to, amount, words) in [
        ("me", "you", "5", "me has 1 coin, less than the 5 to send."),
        (
            "me",
            "you",
            "0",
            "An amount is a whole number of coins, at least 1 and at most 9,223,372,036,854,775,807.",
        ),
        (
            "me",
            "you",
            "9223372036854775807",
            "me has 1 coin, less than the 9,223,372,036,854,775,807 to send.",
        ),
        ("me", "you", "ten", "An amount is a whole number of coins, such as 3."),
        ("me", "", "1", "Say to which account."),
        (
            "me",
            &"x".repeat(65),
            "1",
            "An account has a name of 1 to 64 characters, without spaces at its ends.",
        ),
    ] {
        browser.fill("from", from).await;
        browser.fill("to", to).await;
        browser.fill("amount", amount).await;
        browser.js("document.querySelector('#send button').click()").await;
        browser.sees(said, words).await;
    }
    assert_eq!(browser.value("head.textContent").await, "7");
    browser.end(&["409", "422"]).await;
}
