//! Names that try to be more than names, and numbers that JavaScript cannot count to.

use coins::{AccountId, Proof};
use serde_json::json;

use crate::browser::Browser;
use crate::service::Service;

#[tokio::test]
#[ignore = "needs Chromium; .ci/browser runs it"]
async fn every_name_is_a_text_and_nothing_else() {
    let service = Service::start();
    let names = [
        "<img src=x onerror=window.isOwned=1>",
        "</bdi><script>window.isOwned=1</script>",
        "שלום עולם",
        "\u{202e}desrever",
        "__proto__",
        "a/b?c#d%2e",
        "..",
        "\"};&lt;b&gt;${alert(1)}//9007199254740993000",
        "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 👩‍👩‍👧 账户",
        &"x".repeat(64),
    ];
    for name in names {
        let proof = Proof::of(&name.parse::<AccountId>().unwrap());
        service.mine(name, (0..).find(|nonce| proof.accepts(*nonce)).unwrap()).await;
    }
    let browser = Browser::open(&service).await;
    browser.sees("board.children.length", names.len() as u64).await;
    let mut shown = browser
        .value("Array.from(board.querySelectorAll('button.account'), (it) => it.dataset.account).sort()")
        .await;
    let mut wanted: Vec<String> = names.map(str::to_owned).to_vec();
    wanted.sort();
    let shown_names = shown.as_array_mut().unwrap();
    shown_names.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    assert_eq!(*shown_names, wanted.iter().map(|name| json!(name)).collect::<Vec<_>>());
    // Shown letter by letter, with what would turn a text around made visible.
    let texts = browser.value("Array.from(board.querySelectorAll('bdi'), (it) => it.textContent)").await;
    for name in names {
        let text = name.replace('\u{202e}', "⟨U+202E⟩");
        assert!(texts.as_array().unwrap().contains(&json!(text)), "{name} in {texts}");
    }
    assert_eq!(browser.value("document.querySelectorAll('main img, main script, main b').length").await, 0);
    assert_eq!(browser.value("window.isOwned === undefined").await, true);
    // Nothing is wider than the page.
    assert_eq!(browser.value("document.documentElement.scrollWidth <= innerWidth").await, true);

    // Each has a story, whatever its name does in an address.
    for name in names {
        browser.js(&format!("Array.from(board.querySelectorAll('button.account')).find((it) => it.dataset.account === {}).click()", json!(name))).await;
        browser.sees("document.querySelectorAll('#story-lines tr').length", 1).await;
        browser.js("story.close()").await;
        browser.sees("story.open", false).await;
    }
    // And with such a name the first coin can be mined as well.
    browser.fill("miner", ".").await;
    browser.js("document.querySelector('[name=pace][value=\"0\"]').click()").await;
    browser.click("mine-one").await;
    browser
        .sees(
            "Array.from(board.querySelectorAll('.account'), (it) => it.dataset.account).includes('.')",
            true,
        )
        .await;
    browser.end(&["404"]).await;
}

/// A name with something that nobody sees looks like another one, and is sent its coins.
#[tokio::test]
#[ignore = "needs Chromium; .ci/browser runs it"]
async fn what_nobody_sees_in_a_name_is_shown() {
    let service = Service::start();
    let browser = Browser::open(&service).await;
    for (name, shown) in [
        ("me", "me"),
        ("m\u{ad}e", "m⟨U+00AD⟩e"),
        ("m\u{34f}e", "m⟨U+034F⟩e"),
        ("m\u{61c}e", "m⟨U+061C⟩e"),
        ("m\u{180e}e", "m⟨U+180E⟩e"),
        ("m\u{200b}e", "m⟨U+200B⟩e"),
        ("m\u{200c}e", "m⟨U+200C⟩e"),
        ("m\u{200d}e", "m⟨U+200D⟩e"),
        ("m\u{2064}e", "m⟨U+2064⟩e"),
        ("m\u{fe0f}e", "m⟨U+FE0F⟩e"),
        ("me\u{e0062}", "me⟨U+E0062⟩"),
        ("me\u{3164}", "me⟨U+3164⟩"),
        ("me\u{2800}", "me⟨U+2800⟩"),
        ("m\u{2800}e", "m⟨U+2800⟩e"),
        ("me and you", "me and you"),
        ("me  and you", "me ⟨U+0020⟩and you"),
        ("me\u{a0}and you", "me⟨U+00A0⟩and you"),
        ("\u{3164}", "⟨U+3164⟩"),
        ("\u{200b}\u{200c}", "⟨U+200B U+200C⟩"),
        // What joins pictures is seen in the picture; at another place it is not.
        ("👩‍👩‍👧", "👩‍👩‍👧"),
        ("👩🏽‍🚀", "👩🏽‍🚀"),
        ("👩‍❤️‍👩", "👩‍❤️‍👩"),
        ("👩\u{200d}", "👩⟨U+200D⟩"),
        ("\u{200d}👩", "⟨U+200D⟩👩"),
        ("👩\u{fe0f}", "👩⟨U+FE0F⟩"),
        ("né 账户 שלום", "né 账户 שלום"),
    ] {
        let script = "return (await import('/assets/dom.js')).nameText(args[0])";
        assert_eq!(browser.promised(script, vec![json!(name)]).await, shown, "{name:?}");
    }
    browser.end(&[]).await;
}

#[tokio::test]
#[ignore = "needs Chromium; .ci/browser runs it"]
async fn nonces_up_to_the_largest_keep_all_their_digits() {
    let service = Service::start();
    let proof = Proof::of(&"me".parse().unwrap());
    let mut nonces = (u64::MAX - 2_000..=u64::MAX).filter(|nonce| proof.accepts(*nonce));
    let first = nonces.next().unwrap();
    let second = nonces.next().unwrap();
    let last = nonces.next_back().unwrap();
    service.mine("me", first).await;
    let browser = Browser::open(&service).await;
    let digits = |nonce: u64| {
        let digits = nonce.to_string();
        let (head, rest) = digits.split_at(2);
        rest.as_bytes()
            .chunks(3)
            .fold(head.to_owned(), |text, three| text + "," + std::str::from_utf8(three).unwrap())
    };
    let newest = "document.querySelector('#log li p').textContent";
    browser.sees(newest, format!("me mined a coin with nonce {}", digits(first))).await;
    browser.js("document.querySelector('[name=pace][value=\"0\"]').click()").await;
    browser.click("mine-one").await;
    browser.sees(newest, format!("me mined a coin with nonce {}", digits(second))).await;

    // Behind the largest there is nothing.
    service.mine("me", last).await;
    browser.sees("document.getElementById('mine-one').textContent", "Mine one coin").await;
    browser.click("mine-one").await;
    let said = "document.getElementById('mine-said').textContent";
    browser.sees(said, "No nonce is left below 2⁶⁴.").await;
    // Who wanted to go on is told the same, and not only that it has ended.
    browser.js("document.getElementById('mine-said').textContent = ''").await;
    browser.click("mine-on").await;
    browser.sees(said, "No nonce is left below 2⁶⁴.").await;
    browser.sees("document.getElementById('mine-on').textContent", "Keep mining").await;
    assert_eq!(browser.value(said).await, "No nonce is left below 2⁶⁴.");
    browser.end(&[]).await;
}
