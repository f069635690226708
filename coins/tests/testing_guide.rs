//! What the guide to testing says of a failure is what a failure says.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use coins::{Account, AccountEvent, MineCoin};
use cqrs_testing::Scenario;

#[test]
fn the_failure_in_the_guide_is_the_one_of_its_scenario() {
    let mined = |nonce| AccountEvent::CoinMined { account_id: "me".parse().unwrap(), nonce };
    let panic = std::panic::catch_unwind(|| {
        let mine = MineCoin { account_id: "me".parse().unwrap(), nonce: 443 };
        Scenario::<Account>::given([mined(190)]).when(mine).then([mined(486)])
    });
    let said = panic.unwrap_err().downcast::<String>().unwrap();
    let guide = include_str!("../../docs/testing.md");
    assert!(guide.contains(&format!("```text\n{said}```\n")), "{said}");
}
