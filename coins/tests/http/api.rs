//! What the routes answer.

use serde_json::json;

use crate::site::Site;

#[tokio::test]
async fn the_session_of_the_talk() {
    let site = Site::new().await;
    assert_eq!(site.get("/api/richest").await.outcome(), (404, "no_accounts"));

    let mined = site.mine("me", 190).await;
    assert_eq!(mined.status, 201);
    assert_eq!(
        mined.json,
        json!({ "account_id": "me", "nonce": 190, "version": 1, "position": 1, "visible": true, "duplicate": false })
    );
    let refused = site.mine("me", 190).await;
    assert_eq!(refused.outcome(), (409, "used_nonce"));
    assert_eq!((&refused.json["rule"], &refused.json["last_nonce"]), (&json!("used_nonce"), &json!(190)));
    let refused = site.mine("me", 191).await;
    assert_eq!(refused.outcome(), (422, "invalid_nonce"));
    assert_eq!(site.mine("me", 443).await.status, 201);
    for nonce in [488, 1442, 1597] {
        assert_eq!(site.mine("you", nonce).await.status, 201);
    }
    assert_eq!(site.get("/api/richest").await.json["account_id"], "you");

    let refused = site.post("/api/transfers", json!({ "from": "you", "to": "me", "amount": 5 })).await;
    assert_eq!(refused.outcome(), (409, "not_enough_coins"));
    assert_eq!((&refused.json["balance"], &refused.json["amount"]), (&json!(3), &json!(5)));
    let sent = site.post("/api/transfers", json!({ "from": "you", "to": "me", "amount": 2 })).await;
    assert_eq!((sent.status.as_u16(), &sent.json["arrived"]), (201, &json!(true)));
    let richest = site.get("/api/richest").await.json;
    assert_eq!(
        richest,
        json!({ "account_id": "me", "balance": 4, "mined": 2, "sent": 0, "received": 2, "last_nonce": 443 })
    );
    site.end().await;
}

#[tokio::test]
async fn accounts_come_in_pages_and_the_leaderboard_of_any_moment() {
    let site = Site::new().await;
    for (account, nonces) in [("me", &[190, 443][..]), ("you", &[488, 1442, 1597])] {
        for nonce in nonces {
            site.mine(account, *nonce).await;
        }
    }
    site.post("/api/transfers", json!({ "from": "you", "to": "a:b/c d", "amount": 2 })).await;

    let mut after = String::new();
    let mut found = Vec::new();
    loop {
        let page = site.get(&format!("/api/accounts?limit=1{after}")).await.json;
        found.extend(
            page["accounts"].as_array().unwrap().iter().map(|account| account["account_id"].clone()),
        );
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={}", next.replace(' ', "%20").replace('/', "%2F"));
    }
    assert_eq!(found, [json!("a:b/c d"), json!("me"), json!("you")]);

    let then = site.get("/api/leaderboard?at=3").await.json;
    assert_eq!((&then["position"], &then["head"]), (&json!(3), &json!(7)));
    assert_eq!(
        then["accounts"],
        json!([{ "account_id": "me", "balance": 2 }, { "account_id": "you", "balance": 1 }])
    );
    assert_eq!(site.get("/api/leaderboard?limit=1").await.json["accounts"][0]["account_id"], "a:b/c d");
    let event = &then["event"];
    assert_eq!(
        (&event["position"], &event["type"], &event["at"]),
        (&json!(3), &json!("CoinMined"), &then["at"])
    );
    assert_eq!(event["data"], json!({ "account_id": "you", "nonce": 488 }));
    let before = site.get("/api/leaderboard?at=0").await.json;
    assert_eq!((&before["at"], &before["event"]), (&json!(null), &json!(null)));
    assert_eq!(site.get("/api/account?account=a%3Ab%2Fc%20d").await.json["balance"], 2);
    site.end().await;
}

#[tokio::test]
async fn an_account_tells_its_history_in_pages() {
    let site = Site::new().await;
    for nonce in [190, 443, 486] {
        site.mine("me", nonce).await;
    }
    let sent = site.post("/api/transfers", json!({ "from": "me", "to": "you", "amount": 2 })).await.json;

    let me = site.get("/api/account?account=me").await.json;
    assert_eq!((&me["balance"], &me["mined"], &me["last_nonce"]), (&json!(1), &json!(3), &json!(486)));
    assert_eq!(me["statement"]["lines"].as_array().unwrap().len(), 4);
    let newest = &me["statement"]["lines"][0];
    assert_eq!((&newest["entry"], &newest["to"]), (&json!("sent"), &json!("you")));
    assert_eq!((&newest["change"], &newest["balance"]), (&json!(-2), &json!(1)));
    assert_eq!(newest["transfer_id"], sent["transfer_id"]);

    let page = site.get("/api/statement?account=me&limit=3").await.json;
    let versions = |page: &serde_json::Value| -> Vec<u64> {
        page["lines"].as_array().unwrap().iter().map(|line| line["version"].as_u64().unwrap()).collect()
    };
    assert_eq!((versions(&page), &page["next"]), (vec![4, 3, 2], &json!(2)));
    let page = site.get("/api/statement?account=me&limit=3&before=2").await.json;
    assert_eq!((versions(&page), &page["next"]), (vec![1], &json!(null)));
    let past = site.get("/api/statement?account=me&before=1").await.json;
    assert_eq!((versions(&past), &past["next"]), (vec![], &json!(null)));

    assert_eq!(site.get("/api/account?account=nobody").await.outcome(), (404, "no_such_account"));
    assert_eq!(site.get("/api/statement?account=nobody").await.outcome(), (404, "no_such_account"));
    assert_eq!(site.get("/api/account?account=%20").await.outcome(), (422, "invalid_account"));
    site.end().await;
}

/// Browsers, proxies and clients read some names in a path as folders, or take what is written there for a separator.
#[tokio::test]
async fn every_account_can_be_asked_for_whatever_its_name() {
    let site = Site::new().await;
    for name in
        [".", "..", "...", "/", "a/../b", "?", "#", "%2e", "%2e%2e", "&account=me", "+", "\\", "né 🦀"]
    {
        let account = name.parse::<coins::AccountId>().unwrap();
        let proof = coins::Proof::of(&account);
        let nonce = (0..).find(|nonce| proof.accepts(*nonce)).unwrap();
        assert_eq!(site.mine(name, nonce).await.status, 201, "{name}");
        for path in ["/api/account", "/api/statement", "/api/transfers"] {
            let mut request = site.request(reqwest::Method::GET, path).build().unwrap();
            request.url_mut().query_pairs_mut().append_pair("account", name);
            let answer = site.get(&format!("{path}?{}", request.url().query().unwrap())).await;
            assert_eq!(answer.status, 200, "{name} at {path}");
            if path == "/api/account" {
                assert_eq!((&answer.json["account_id"], &answer.json["mined"]), (&json!(name), &json!(1)));
            }
        }
    }
    site.end().await;
}

#[tokio::test]
async fn transfers_are_listed_and_told_one_by_one() {
    let site = Site::new().await;
    for nonce in [190, 443, 486] {
        site.mine("me", nonce).await;
    }
    let mut ids = Vec::new();
    for to in ["you", "them", "you"] {
        let sent = site.post("/api/transfers", json!({ "from": "me", "to": to, "amount": 1 })).await;
        let path = sent.headers["location"].to_str().unwrap().to_owned();
        let transfer = site.get(&path).await.json;
        assert_eq!((&transfer["to"], &transfer["transfer_id"]), (&json!(to), &sent.json["transfer_id"]));
        assert_eq!(transfer["position"], sent.json["position"]);
        assert!(transfer["arrived_at"].is_string());
        ids.insert(0, sent.json["transfer_id"].clone());
    }
    let listed = |page: &serde_json::Value| -> Vec<_> {
        page["transfers"].as_array().unwrap().iter().map(|it| it["transfer_id"].clone()).collect()
    };
    let all = site.get("/api/transfers").await.json;
    assert_eq!((listed(&all), &all["next"]), (ids.clone(), &json!(null)));
    let first = site.get("/api/transfers?limit=2").await.json;
    assert_eq!(listed(&first), ids[..2]);
    let second = site.get(&format!("/api/transfers?limit=2&before={}", first["next"])).await.json;
    assert_eq!((listed(&second), &second["next"]), (ids[2..].to_vec(), &json!(null)));
    assert_eq!(listed(&site.get("/api/transfers?account=them").await.json), ids[1..2]);
    assert_eq!(
        listed(&site.get("/api/transfers?under_way=true").await.json),
        Vec::<serde_json::Value>::new()
    );
    let unknown = "/api/transfers/00000000-0000-0000-0000-000000000000";
    for path in [unknown, "/api/transfers/none"] {
        assert_eq!(site.get(path).await.outcome(), (404, "no_such_transfer"));
    }
    site.end().await;
}

#[tokio::test]
async fn who_does_not_want_to_wait_is_answered_with_the_commit() {
    let site = Site::new().await;
    site.mine("me", 190).await;
    let request = site.request(reqwest::Method::POST, "/api/transfers");
    let request = request.header("prefer", "wait=1, respond-async");
    let sent = site.answer(request.json(&json!({ "from": "me", "to": "you", "amount": 1 }))).await;
    assert_eq!((sent.status.as_u16(), &sent.json["arrived"]), (202, &json!(false)));
    site.coins.settle().await.unwrap();
    assert_eq!(site.get("/api/richest").await.json["account_id"], "you");
    site.end().await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_by_name() {
    let site = Site::new().await;
    let send = |body: &str| {
        let request = site.request(reqwest::Method::POST, "/api/transfers");
        site.answer(request.header("content-type", "application/json").body(body.to_owned()))
    };
    let amount = |amount: &str| format!(r#"{{"from":"me","to":"you","amount":{amount}}}"#);
    for (written, code) in [
        ("0", "invalid_amount"),
        ("-1", "invalid_amount"),
        ("-9223372036854775809", "invalid_amount"),
        ("9223372036854775808", "invalid_amount"),
        ("99999999999999999999999999999999999999", "invalid_amount"),
        ("1.5", "invalid_amount"),
        ("1e3", "invalid_amount"),
        ("\"1\"", "invalid_amount"),
        ("null", "invalid_amount"),
        ("[1]", "invalid_amount"),
    ] {
        let answer = send(&amount(written)).await;
        assert_eq!(answer.outcome(), (422, code), "{written}");
        assert_eq!(answer.json["rule"], code);
    }
    for (body, outcome) in [
        ("", (400, "malformed")),
        ("{", (400, "malformed")),
        ("{]", (400, "malformed")),
        (r#"{"from":"me","to":"you","amount":1}{}"#, (400, "malformed")),
        ("[]", (422, "invalid_body")),
        ("{}", (422, "invalid_body")),
        (r#"{"from":"me","to":"you","amount":1,"more":1}"#, (422, "invalid_body")),
        (r#"{"from":"me","from":"me","to":"you","amount":1}"#, (422, "invalid_body")),
        (r#"{"from":" me","to":"you","amount":1}"#, (422, "invalid_account")),
        (r#"{"from":"me","to":"","amount":1}"#, (422, "invalid_account")),
        (r#"{"from":"me","to":"\ud800","amount":1}"#, (400, "malformed")),
    ] {
        assert_eq!(send(body).await.outcome(), outcome, "{body}");
    }
    for nonce in ["18446744073709551616", "-1", "1.5", "\"190\"", "null"] {
        let request = site.request(reqwest::Method::POST, "/api/coins");
        let body = format!(r#"{{"account":"me","nonce":{nonce}}}"#);
        let request = request.header("content-type", "application/json").body(body);
        assert_eq!(site.answer(request).await.outcome(), (422, "invalid_body"), "{nonce}");
    }
    let text = site.request(reqwest::Method::POST, "/api/transfers").body(amount("1"));
    assert_eq!(site.answer(text).await.outcome(), (415, "unsupported_media_type"));
    for path in [
        "/api/accounts?limit=0",
        "/api/accounts?limit=1001",
        "/api/accounts?limit=-1",
        "/api/accounts?limit=ten",
        "/api/accounts?limit=1&limit=2",
        "/api/accounts?after=me",
        "/api/accounts?top=3",
        "/api/transfers?before=-1",
        "/api/transfers?under_way=perhaps",
        "/api/statement?account=me&before=18446744073709551616",
        "/api/leaderboard?at=now",
        "/api/account",
        "/api/account?account=me&account=you",
        "/api/account?account=%ff",
        "/api/statement",
    ] {
        assert_eq!(site.get(path).await.outcome(), (400, "invalid_query"), "{path}");
    }
    assert_eq!(site.get("/api/transfers?account=%00").await.outcome(), (422, "invalid_account"));
    assert_eq!(site.get("/api/transfers/%ff").await.outcome(), (400, "invalid_path"));
    for path in ["/api", "/api/", "/api/accounts/", "/nothing", "/assets/nothing", "/assets/../Cargo.toml"]
    {
        assert_eq!(site.get(path).await.outcome(), (404, "not_found"), "{path}");
    }
    assert_eq!(site.coins.head().await.unwrap().as_u64(), 0, "nothing was changed");
    site.end().await;
}

#[tokio::test]
async fn the_service_tells_how_it_is_doing() {
    let site = Site::new().await;
    site.mine("me", 190).await;
    site.coins.settle().await.unwrap();
    let status = site.get("/api/status").await.json;
    assert_eq!(status["head"], 1);
    let subscribers = status["subscribers"].as_array().unwrap();
    assert_eq!(subscribers.len(), 4);
    assert!(subscribers.iter().all(|it| it["state"] == "running" && it["lag"] == 0 && it["position"] == 1));
    assert_eq!(site.get("/health").await.json["status"], "ok");
    assert_eq!(site.get("/ready").await.json["status"], "ok");

    let metrics = site.request(reqwest::Method::GET, "/metrics").send().await.unwrap();
    assert!(metrics.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));
    let metrics = metrics.text().await.unwrap();
    for wanted in [
        r#"http_requests_total{method="POST",route="/api/coins",status="201"}"#,
        r#"http_request_duration_seconds_bucket{method="GET",route="/ready",le="#,
        r#"cqrs_subscriber_position{subscriber="account-balances"}"#,
        r#"cqrs_commands_total{command="MineCoin",outcome="accepted"}"#,
        "http_connections",
    ] {
        assert!(metrics.contains(wanted), "{wanted} is not in {metrics}");
    }

    // A service whose work stands still is alive and not ready.
    site.coins.close().await;
    assert_eq!(site.get("/health").await.json["status"], "ok");
    assert_eq!(site.get("/ready").await.outcome(), (503, "not_ready"));
    assert_eq!(site.mine("me", 443).await.outcome(), (503, "shutting_down"));
    site.end().await;
}
