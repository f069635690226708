//! Chromium, on a page of the service.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use axum::http::Method;
use cqrs_core::BoxError;
use fantoccini::elements::Element;
use fantoccini::error::{ErrorStatus, NewSessionError};
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::service::Service;

/// How long something may take to be seen before a test fails: a browser on a busy machine is slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often Chromium and its driver are started before a test fails: on a busy machine it may take longer than the driver
/// waits.
const ATTEMPTS: u32 = 3;

pub(crate) struct Browser {
    pub(crate) client: Client,
    _driver: Driver,
    _profile: TempDir,
}

impl Browser {
    /// Opens the page of a service, and waits until it is live.
    pub(crate) async fn open(service: &Service) -> Self {
        let browser = Self::start().await;
        browser.client.goto(&format!("http://{}/", service.address)).await.unwrap();
        browser.sees("connection.textContent", "Live").await;
        // It would be gone if the page were loaded anew.
        browser.js("window.isTheSamePage = true").await;
        browser
    }

    async fn start() -> Self {
        for _ in 1..ATTEMPTS {
            if let Ok(browser) = Self::attempt().await {
                return browser;
            }
        }
        Self::attempt().await.unwrap()
    }

    /// Starts the driver, and lets it start Chromium.
    async fn attempt() -> Result<Self, BoxError> {
        let mut driver = Command::new("chromedriver");
        let driver = driver.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut driver = Driver(driver.expect("chromedriver is installed"));
        let mut lines = BufReader::new(driver.0.stdout.take().unwrap()).lines();
        let port = loop {
            // It ends when its port of one IP version is taken in the other one.
            let line = lines.next().ok_or("the driver does not say where it listens")??;
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        let profile = tempfile::tempdir()?;
        let client = Self::connect(&port, &profile).await?;
        Ok(Self { client, _driver: driver, _profile: profile })
    }

    /// Lets the driver start Chromium.
    async fn connect(port: &str, profile: &TempDir) -> Result<Client, NewSessionError> {
        let profile_argument = format!("--user-data-dir={}", profile.path().display());
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,1000",
            &profile_argument,
        ];
        let Value::Object(capabilities) = json!({
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        }) else {
            unreachable!()
        };
        ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
    }

    pub(crate) async fn id(&self, id: &str) -> Element {
        self.client.find(Locator::Id(id)).await.unwrap()
    }

    pub(crate) async fn click(&self, id: &str) {
        self.id(id).await.click().await.unwrap();
    }

    /// Types a text in place of what a field has.
    pub(crate) async fn fill(&self, id: &str, text: &str) {
        let field = self.id(id).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// The value of an expression; elements with an id are variables.
    pub(crate) async fn value(&self, expression: &str) -> Value {
        self.js(&format!("return {expression}")).await
    }

    pub(crate) async fn js(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// The value of a promise.
    pub(crate) async fn promised(&self, script: &str, arguments: Vec<Value>) -> Value {
        let script = format!(
            "const done = arguments[arguments.length - 1]; (async (...args) => {{ {script} }})(...arguments).then(done, (error) => done(String(error)))"
        );
        self.client.execute_async(&script, arguments).await.unwrap()
    }

    /// Waits until an expression has a value.
    pub(crate) async fn sees(&self, expression: &str, wanted: impl Into<Value>) {
        let wanted = wanted.into();
        let deadline = Instant::now() + PATIENCE;
        loop {
            // While something is not there yet, asking for it fails.
            let found = self.client.execute(&format!("return {expression}"), Vec::new()).await;
            match found {
                Ok(found) if found == wanted => return,
                found if Instant::now() > deadline => panic!("{expression} is {found:?}, not {wanted}"),
                Ok(_) => {}
                Err(error) if has_status(&error, ErrorStatus::JavascriptError) => {}
                Err(error) => panic!("{error}"),
            }
            tokio::task::yield_now().await;
        }
    }

    /// Makes the page as wide as a phone's.
    pub(crate) async fn narrow(&self, width: u32) {
        let screen = json!({ "width": width, "height": 800, "deviceScaleFactor": 2, "mobile": true });
        let body = json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": screen });
        self.client.issue_cmd(Special { path: "goog/cdp/execute", body }).await.unwrap();
    }

    /// Makes the system wish for less motion, or no longer.
    pub(crate) async fn calm(&self, yes: bool) {
        let value = if yes { "reduce" } else { "no-preference" };
        let wish = json!({ "features": [{ "name": "prefers-reduced-motion", "value": value }] });
        let body = json!({ "cmd": "Emulation.setEmulatedMedia", "params": wish });
        self.client.issue_cmd(Special { path: "goog/cdp/execute", body }).await.unwrap();
    }

    /// Ends the browser: the page was never loaded anew, and nothing went wrong on it. Requests that failed are named, since
    /// some tests have them.
    pub(crate) async fn end(self, failed_requests: &[&str]) {
        assert_eq!(self.value("window.isTheSamePage").await, true);
        let lines = self
            .client
            .issue_cmd(Special { path: "se/log", body: json!({ "type": "browser" }) })
            .await
            .unwrap();
        for line in lines.as_array().unwrap() {
            let message = line["message"].as_str().unwrap();
            let is_expected = line["source"] == "network"
                && failed_requests.iter().any(|status| message.contains(status));
            assert!(is_expected, "the console says {message}");
        }
        self.client.clone().close().await.unwrap();
    }
}

/// Chromium's driver. Its browser ends with it.
struct Driver(Child);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn has_status(error: &fantoccini::error::CmdError, status: ErrorStatus) -> bool {
    matches!(error, fantoccini::error::CmdError::Standard(error) if error.error == status)
}

/// A command of Chromium's driver that WebDriver does not have.
#[derive(Debug)]
struct Special {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Special {
    fn endpoint(
        &self,
        base: &reqwest::Url,
        session: Option<&str>,
    ) -> Result<reqwest::Url, <reqwest::Url as std::str::FromStr>::Err> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &reqwest::Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}
