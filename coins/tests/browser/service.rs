//! A running `coins serve`, which can be killed and started again.

use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::{Value, json};

use crate::common::Place;

pub(crate) struct Service {
    place: Place,
    child: Child,
    /// Address and port.
    pub(crate) address: String,
    client: reqwest::Client,
}

impl Service {
    pub(crate) fn start() -> Self {
        let place = Place::new();
        let (child, address) = serve(&place, &format!("{}:0", own_address()));
        Self { place, child, address, client: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    /// Ends it as a power failure would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again, with the same file and at the same port.
    pub(crate) fn start_again(&mut self) {
        (self.child, self.address) = serve(&self.place, &self.address);
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let url = format!("http://{}/api/{path}", self.address);
        let response = self.client.post(url).json(&body).send().await.unwrap();
        let status = response.status();
        let answer: Value = response.json().await.unwrap();
        assert!(status.is_success(), "{answer}");
        answer
    }

    /// Mines with a nonce that proves work.
    pub(crate) async fn mine(&self, account: &str, nonce: u64) {
        self.post("coins", json!({ "account": account, "nonce": nonce })).await;
    }

    pub(crate) async fn send(&self, from: &str, to: &str, amount: u64) {
        self.post("transfers", json!({ "from": from, "to": to, "amount": amount })).await;
    }

    /// Makes a log of seven events: me has 1 coin, you have 2, and she has 2.
    pub(crate) async fn with_history(self) -> Self {
        for (account, nonces) in [("me", &[190, 443][..]), ("you", &[488, 1442, 1597])] {
            for nonce in nonces {
                self.mine(account, *nonce).await;
            }
        }
        self.send("me", "she", 1).await;
        self
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have been killed already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A loopback address for one service alone, so that nobody takes its port while it is away.
fn own_address() -> Ipv4Addr {
    static NEXT: AtomicU8 = AtomicU8::new(0);
    let [.., high, low] = std::process::id().to_be_bytes();
    // Far from 127.0.0.1, where everybody else is.
    Ipv4Addr::new(127, high | 128, low, NEXT.fetch_add(1, Ordering::Relaxed))
}

fn serve(place: &Place, address: &str) -> (Child, String) {
    let mut command: Command = place.command(&["--json", "serve", "--addr", address]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let said: Value = serde_json::from_str(&line).unwrap();
    (child, said["listening"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned())
}
