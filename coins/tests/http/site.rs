//! A server on a port of its own, and a client of it.

use std::net::SocketAddr;
use std::path::PathBuf;

use coins::Coins;
use coins::http::{ServeOptions, Server};
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::described::Description;

/// A server on a database of its own.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    pub(crate) coins: Coins,
    pub(crate) client: reqwest::Client,
    pub(crate) description: Description,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
    directory: TempDir,
}

/// An answer with a body in JSON.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
}

impl Site {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut ServeOptions)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let coins = Coins::open(directory.path().join("coins.db")).await.unwrap();
        let mut options = ServeOptions::default();
        options.address = "127.0.0.1:0".parse().unwrap();
        change(&mut options);
        let server = Server::bind(coins.clone(), options).await.unwrap();
        let address = server.address();
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(server.run(async {
            stopped.await.ok();
        }));
        let client = reqwest::Client::new();
        let document = client.get(format!("http://{address}/api/openapi.json")).send().await.unwrap();
        let description = Description::strict(document.json().await.unwrap());
        Self { address, coins, client, description, stop, running, directory }
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.directory.path().join("coins.db")
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.answer(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.answer(self.request(Method::POST, path).json(&body)).await
    }

    /// Offers a nonce.
    pub(crate) async fn mine(&self, account: &str, nonce: u64) -> Answer {
        self.post("/api/coins", json!({ "account": account, "nonce": nonce })).await
    }

    /// What a request is answered with: JSON, and as it is described.
    pub(crate) async fn answer(&self, request: RequestBuilder) -> Answer {
        let request = request.build().unwrap();
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let response = self.client.execute(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let json: Value = response.json().await.unwrap();
        let content_type = headers["content-type"].to_str().unwrap();
        self.description.check(&method, &path, status, content_type, &json);
        if !status.is_success() {
            assert_eq!(
                (content_type, &json["status"]),
                ("application/problem+json", &status.as_u16().into())
            );
        }
        Answer { status, headers, json }
    }

    /// Ends the server, and the application after it.
    pub(crate) async fn end(self) {
        self.stop.send(()).unwrap();
        self.running.await.unwrap();
        self.coins.close().await;
    }
}

impl Answer {
    /// The status and, of a problem, its code.
    pub(crate) fn outcome(&self) -> (u16, &str) {
        (self.status.as_u16(), self.json["code"].as_str().unwrap_or("ok"))
    }
}
