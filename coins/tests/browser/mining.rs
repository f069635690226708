//! Mining in the browser.

use coins::{AccountId, Proof};
use serde_json::json;

use crate::browser::Browser;
use crate::service::Service;

#[tokio::test]
#[ignore = "needs Chromium; .ci/browser runs it"]
async fn the_search_finds_the_nonces_that_everybody_finds() {
    let service = Service::start();
    let browser = Browser::open(&service).await;
    for (account, nonces) in
        [("me", &["190", "443", "486", "908"][..]), ("you", &["488", "1,442", "1,597"])]
    {
        browser.fill("miner", account).await;
        browser.js("document.querySelector('[name=pace][value=\"0\"]').click()").await;
        for nonce in nonces {
            browser.click("mine-one").await;
            let newest = "finds.firstElementChild";
            browser.sees(&format!("{newest}.querySelector('.nonce').textContent"), *nonce).await;
            browser.sees(&format!("{newest}.dataset.state"), "mined").await;
            browser.sees("document.getElementById('mine-one').textContent", "Mine one coin").await;
        }
    }
    assert_eq!(
        browser.value("document.getElementById('mine-said').textContent").await,
        "A coin for you, with nonce 1,597."
    );
    // The hash begins with the byte that makes it a coin, and its face of the die is lit.
    assert_eq!(browser.value("document.querySelector('#trial-hash .zero').textContent").await, "00");
    browser.sees("board.textContent", "1me42you3").await;
    browser.end(&["404"]).await;
}

#[tokio::test]
#[ignore = "needs Chromium; .ci/browser runs it"]
async fn its_hash_is_the_hash_of_the_service() {
    let service = Service::start();
    let browser = Browser::open(&service).await;
    for account in ["me", "🦀 né", "账户", "<b>", &"x".repeat(55), &"y".repeat(56), &"z".repeat(64)] {
        let proof = Proof::of(&account.parse::<AccountId>().unwrap());
        let nonces = [0, 9, 10, 190, 4_294_967_296, 9_007_199_254_740_993, u64::MAX];
        let bytes: Vec<u8> = nonces.iter().map(|nonce| proof.first_byte(*nonce)).collect();
        let nonces: Vec<String> = nonces.iter().map(u64::to_string).collect();
        let script = "
            const { Proof } = await import('/assets/sha256.js');
            const proof = new Proof(args[0]);
            return args[1].map((nonce) => proof.hash(BigInt(nonce))[0] >>> 24);";
        assert_eq!(
            browser.promised(script, vec![json!(account), json!(nonces)]).await,
            json!(bytes),
            "{account}"
        );
    }
    // A test vector of the standard, of two blocks.
    let script = "
        const { sha256, hex } = await import('/assets/sha256.js');
        return hex(sha256(new TextEncoder().encode('abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq')));";
    assert_eq!(
        browser.promised(script, Vec::new()).await,
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    );
    browser.end(&[]).await;
}

#[tokio::test]
#[ignore = "needs Chromium; .ci/browser runs it"]
async fn mining_goes_on_behind_what_somebody_else_has_used() {
    let service = Service::start();
    let browser = Browser::open(&service).await;
    // What the page finds it offers when it is let, so that somebody else is faster.
    browser
        .js("
            const fetch = window.fetch;
            const allowed = new Promise((resolve) => (window.allow = resolve));
            window.fetch = async (...request) => {
                if (request[0] === '/api/coins') await allowed;
                return fetch(...request);
            };")
        .await;
    browser.click("mine-on").await;
    browser.sees("finds.lastElementChild.textContent.startsWith('190')", true).await;
    service.mine("me", 486).await;
    // At this pace it takes seconds to the next nonce, 908.
    browser.js("document.querySelector('[name=pace][value=\"30\"]').click()").await;
    browser.js("allow()").await;
    browser.sees("finds.lastElementChild.dataset.state", "refused").await;
    let said = "document.getElementById('mine-said').textContent";
    assert_eq!(browser.value(said).await, "Somebody else mined for me. Going on behind nonce 486.");
    browser.js("document.querySelector('[name=pace][value=\"500\"]').click()").await;
    browser.sees("finds.firstElementChild.dataset.state", "mined").await;
    browser.click("mine-on").await;
    browser.sees(&format!("{said}.startsWith('Stopped after')"), true).await;
    let first = "document.querySelector('#log li:nth-last-child(2) .nonce').textContent";
    browser.sees(first, "908").await;
    browser.end(&["404", "409"]).await;
}

/// The worker's file was fetched at the click, and nobody heard that it could not be had: the search went on for ever.
#[tokio::test]
#[ignore = "needs Chromium; .ci/browser runs it"]
async fn mining_that_begins_while_the_service_is_away_goes_on_when_it_is_back() {
    let mut service = Service::start();
    let browser = Browser::open(&service).await;
    service.kill();
    browser.click("mine-one").await;
    let said = "document.getElementById('mine-said').textContent";
    browser.sees(said, "The service does not answer. It is asked again.").await;
    service.start_again();
    browser.sees(said, "A coin for me, with nonce 190.").await;

    // A worker that dies has a successor.
    browser
        .js("
            window.workers = 0;
            window.Worker = class extends Worker {
                constructor(url, options) { super(++workers === 1 ? '/assets/none.js' : url, options) }
            };")
        .await;
    browser.click("mine-one").await;
    browser.sees(said, "A coin for me, with nonce 443.").await;
    assert_eq!(browser.value("workers").await, 2);
    browser.end(&["404", "net::ERR"]).await;
}
