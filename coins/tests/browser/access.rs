//! The page without a mouse, without eyes, and on a phone.

use fantoccini::key::Key;
use serde_json::json;

use crate::browser::Browser;
use crate::service::Service;

/// Where the focus is.
const FOCUSED: &str = "(document.activeElement.id || document.activeElement.getAttribute('aria-label') || document.activeElement.value || document.activeElement.textContent)";

async fn press(browser: &Browser, key: Key) {
    let focused = browser.client.active_element().await.unwrap();
    focused.send_keys(&char::from(key).to_string()).await.unwrap();
}

/// Goes on with Tab until something has the focus; everything that has it on the way is seen to.
async fn tab_to(browser: &Browser, id: &str) {
    for _ in 0..80 {
        press(browser, Key::Tab).await;
        let outline = browser
            .value("(() => { const it = document.activeElement; const seen = it.type === 'radio' ? it.nextElementSibling : it; return getComputedStyle(seen).outlineStyle })()")
            .await;
        let focused = browser.value(FOCUSED).await;
        assert_eq!(outline, "solid", "{focused} has the focus, and it cannot be seen");
        if focused == id {
            return;
        }
    }
    panic!("Tab never comes to {id}");
}

#[tokio::test]
#[ignore = "needs Chromium; .ci/browser runs it"]
async fn everything_can_be_done_with_the_keyboard() {
    let service = Service::start();
    let browser = Browser::open(&service).await;
    press(&browser, Key::Tab).await;
    assert_eq!(browser.value("document.activeElement.className").await, "skip");
    press(&browser, Key::Enter).await;
    tab_to(&browser, "miner").await;
    press(&browser, Key::Enter).await;
    browser.sees("board.textContent", "1me1").await;
    // What has the focus keeps it while the leaderboard changes.
    browser.sees("document.getElementById('mine-one').disabled", false).await;

    tab_to(&browser, "from").await;
    tab_to(&browser, "amount").await;
    press(&browser, Key::Enter).await;
    browser.sees("board.textContent", "1you12me0").await;

    browser.js("document.querySelector('.skip').focus()").await;
    press(&browser, Key::Enter).await;
    tab_to(&browser, "slider").await;
    press(&browser, Key::Home).await;
    browser.sees("moment.textContent", "before anything happened").await;
    press(&browser, Key::Right).await;
    browser
        .sees("slider.getAttribute('aria-valuetext')", "event 1 of 3: me mined a coin with nonce 190")
        .await;
    press(&browser, Key::Escape).await;
    browser.sees("moment.textContent", "now").await;

    browser.js("document.querySelector('.skip').focus()").await;
    press(&browser, Key::Enter).await;
    tab_to(&browser, "you").await;
    press(&browser, Key::Enter).await;
    browser.sees("story.open", true).await;
    assert_eq!(browser.value("document.activeElement.id").await, "story-close");
    press(&browser, Key::Escape).await;
    browser.sees("story.open", false).await;
    // The focus is where it was.
    browser.sees(FOCUSED, "you").await;
    browser.end(&["404"]).await;
}

#[tokio::test]
#[ignore = "needs Chromium; .ci/browser runs it"]
async fn everything_has_a_name_and_colours_that_can_be_read() {
    let service = Service::start().with_history().await;
    let browser = Browser::open(&service).await;
    browser.sees("board.children.length", 3).await;
    browser.js("document.querySelector('#board button.account').click()").await;
    browser.sees("document.querySelectorAll('#story-lines tr').length", 2 + 1).await;
    let nameless = "Array.from(document.querySelectorAll('button, input, dialog, section, [role=region], [role=img]')).filter((it) => !it.labels?.length && !it.getAttribute('aria-label') && !document.getElementById(it.getAttribute('aria-labelledby'))?.textContent && !(it.tagName === 'BUTTON' && it.textContent.trim())).map((it) => it.outerHTML)";
    assert_eq!(browser.value(nameless).await, json!([]));
    let twice = "Array.from(document.querySelectorAll('[id]'), (it) => it.id).filter((id, index, ids) => ids.indexOf(id) !== index)";
    assert_eq!(browser.value(twice).await, json!([]));
    assert_eq!(
        browser
            .value("['header', 'main', 'footer', 'h1'].map((it) => document.querySelectorAll(it).length)")
            .await,
        json!([1, 1, 1, 1])
    );
    assert_eq!(browser.value("document.documentElement.lang").await, "en");

    // What comes later is still being faded in when it is looked at.
    browser.sees("document.getElementById('log').children.length", 7).await;
    // 4.5 to 1, as WCAG's AA has it, for all text on what is painted behind it.
    let faint = include_str!("faint.js");
    for theme in ["light", "dark"] {
        browser.js(&format!("document.documentElement.dataset.theme = '{theme}'; document.getAnimations().forEach((it) => it.finish())")).await;
        assert_eq!(browser.js(faint).await, json!([]), "{theme}");
    }
    browser.end(&[]).await;
}

/// Counts what moves: animations that begin, transitions and animations of styles, faces of the die that are lit but for the
/// gold one, and coins that travel on when they have arrived already. The page's clock goes slowly, so that a
/// coin travels however late it arrives.
const MOTION: &str = "
    const clock = performance.now.bind(performance);
    performance.now = () => clock() / 1000;
    window.moved = new Set();
    const animate = Element.prototype.animate;
    Element.prototype.animate = function (...args) { moved.add('animation'); return animate.apply(this, args) };
    for (const kind of ['transitionrun', 'animationstart']) document.addEventListener(kind, () => moved.add(kind), true);
    const fill = CanvasRenderingContext2D.prototype.fill;
    const lit = getComputedStyle(die).getPropertyValue('--lit');
    CanvasRenderingContext2D.prototype.fill = function () {
        const probe = Object.assign(document.createElement('canvas').getContext('2d'), { fillStyle: lit });
        if (this.fillStyle === probe.fillStyle) moved.add('die');
        return fill.apply(this);
    };
    new MutationObserver(() => {
        const rows = Array.from(transfers.children);
        const late = (row) => row.lastChild.textContent.startsWith('arrived') && row.dataset.state !== 'arrived';
        if (rows.some(late)) moved.add('coin');
    }).observe(transfers, { subtree: true, childList: true, characterData: true });";

#[tokio::test]
#[ignore = "needs Chromium; .ci/browser runs it"]
async fn nothing_moves_for_those_who_wish_for_less_motion() {
    let service = Service::start().with_history().await;
    let browser = Browser::open(&service).await;
    browser.js(MOTION).await;
    let mut coins = 2;
    for calm in [true, false] {
        browser.calm(calm).await;
        browser.js("moved.clear(); document.querySelector('[name=pace][value=\"500\"]').click()").await;
        browser.click("mine-one").await;
        coins += 1;
        let mine = "board.querySelector('[data-account=me] .balance').textContent";
        browser.sees(mine, (coins - 1).to_string()).await;
        browser
            .js("from.value = 'me'; to.value = 'she'; document.querySelector('#send button').click()")
            .await;
        coins -= 1;
        browser.sees(mine, (coins - 1).to_string()).await;
        browser.sees("transfers.firstElementChild.dataset.state", "arrived").await;
        let moved = "Array.from(moved).sort().join(' ')";
        match calm {
            // What is not seen to move where it may is not looked for well. It begins with the next frame.
            false => browser.sees(moved, "animation animationstart coin die transitionrun").await,
            true => assert_eq!(browser.value(moved).await, ""),
        }
    }
    browser.end(&[]).await;
}

#[tokio::test]
#[ignore = "needs Chromium; .ci/browser runs it"]
async fn a_theme_that_was_chosen_stays_and_a_phone_needs_no_scrolling_sideways() {
    let service = Service::start().with_history().await;
    let browser = Browser::open(&service).await;
    browser.click("theme").await;
    let theme = browser.value("document.documentElement.dataset.theme").await;
    browser.client.refresh().await.unwrap();
    assert_eq!(browser.value("document.documentElement.dataset.theme").await, theme);
    browser.js("window.isTheSamePage = true").await;
    browser.sees("board.children.length", 3).await;

    browser.narrow(375).await;
    browser.sees("[innerWidth, document.documentElement.scrollWidth]", json!([375, 375])).await;
    browser.js("document.querySelector('#board button.account').click()").await;
    browser.sees("document.querySelectorAll('#story-lines tr').length", 3).await;
    assert_eq!(
        browser
            .value("[story.scrollWidth <= story.clientWidth, document.documentElement.scrollWidth]")
            .await,
        json!([true, 375])
    );
    browser.end(&[]).await;
}

#[tokio::test]
#[ignore = "needs Chromium; .ci/browser runs it"]
async fn what_changes_all_the_time_is_not_read_out_and_takes_nobody_the_focus() {
    let service = Service::start().with_history().await;
    let browser = Browser::open(&service).await;
    browser.sees("head.textContent", "7").await;
    // Elements whose changes a screen reader tells: none is a counter.
    let told = "Array.from(document.querySelectorAll('output, [role=status], [role=alert], [aria-live]'), (it) => it.id)";
    assert_eq!(browser.value(told).await, json!(["connection", "mine-said", "send-said", "story-said"]));

    // The story of who is watched has new events, and the focus stays at the one where it is.
    browser.js("document.querySelector('#board [data-account=me] button').click()").await;
    let lines = "document.querySelectorAll('#story-lines tr').length";
    browser.sees(lines, 3).await;
    browser.js("document.querySelector('#story-lines button.account').focus()").await;
    service.mine("me", 486).await;
    browser.sees(lines, 4).await;
    assert_eq!(browser.value("document.activeElement.closest('tr')?.dataset.version").await, "3");
    assert_eq!(browser.value("document.activeElement.dataset.account").await, "she");
    browser.js("story.close()").await;

    // A button that is pressed or not has one name.
    let newest = "document.querySelector('#log li .nonce').textContent";
    browser.sees(newest, "486").await;
    browser.click("hold").await;
    service.mine("me", 908).await;
    browser.sees("head.textContent", "9").await;
    let hold = "[hold.textContent, hold.getAttribute('aria-pressed')]";
    assert_eq!(browser.value(hold).await, json!(["Hold", "true"]));
    assert_eq!(browser.value(newest).await, "486");
    browser.click("hold").await;
    browser.sees(newest, "908").await;
    assert_eq!(browser.value(hold).await, json!(["Hold", "false"]));
    browser.end(&[]).await;
}
