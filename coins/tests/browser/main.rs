//! The page in a browser. It takes Chromium and its driver, so that these tests run only when they are asked for;
//! `.ci/browser` does.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![cfg(unix)]

#[path = "../common/mod.rs"]
mod common;

mod access;
mod browser;
mod hostile;
mod live;
mod mining;
mod past;
mod sending;
mod service;
mod story;
