//! Who is let in: not the pages of other sites, and nobody who calls the service by a foreign name.

use reqwest::Method;
use serde_json::json;

use crate::site::{Answer, Site};

/// Tries to mine with some headers, the last of a name counting.
async fn mine(site: &Site, nonce: u64, headers: &[(&str, &str)]) -> Answer {
    let body = json!({ "account": "me", "nonce": nonce });
    let mut request = site.request(Method::POST, "/api/coins").json(&body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    site.answer(request).await
}

#[tokio::test]
async fn a_page_of_another_site_cannot_use_the_service() {
    let site = Site::new().await;
    let own = format!("http://{}", site.address);
    for origin in [
        "http://evil.example",
        "null",
        "",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "http://localhost:3000",
        "file://",
        "ftp://127.0.0.1",
        &format!("{own}.evil.example"),
        &format!("{own}/path"),
        &format!("http://user@{}", site.address),
        &own.replace("http://", "chrome-extension://"),
    ] {
        let refused = mine(&site, 190, &[("origin", origin)]).await;
        assert_eq!(refused.outcome(), (403, "foreign_origin"), "{origin}");
        let request = site.request(Method::GET, "/api/accounts").header("origin", origin);
        assert_eq!(site.answer(request).await.outcome(), (403, "foreign_origin"), "{origin}");
    }
    for whence in ["cross-site", "same-site", "anything"] {
        let refused = mine(&site, 190, &[("sec-fetch-site", whence)]).await;
        assert_eq!(refused.outcome(), (403, "foreign_origin"), "{whence}");
    }
    let both = mine(&site, 190, &[("origin", &own), ("sec-fetch-site", "cross-site")]).await;
    assert_eq!(both.outcome(), (403, "foreign_origin"));
    assert_eq!(site.coins.head().await.unwrap().as_u64(), 0, "nothing was changed");

    // A form of another site, whose browser says nothing, cannot send JSON.
    let form = site.request(Method::POST, "/api/coins");
    let form = form.header("content-type", "text/plain").body(r#"{"account":"me","nonce":190}"#);
    assert_eq!(site.answer(form).await.outcome(), (415, "unsupported_media_type"));

    // The page itself, a proxy's that speaks TLS, a link from elsewhere, and programs, which say nothing.
    let tls = own.replace("http://", "https://");
    assert_eq!(mine(&site, 190, &[("origin", &own), ("sec-fetch-site", "same-origin")]).await.status, 201);
    assert_eq!(mine(&site, 443, &[("origin", &tls)]).await.status, 201);
    assert_eq!(mine(&site, 486, &[]).await.status, 201);
    let link = site.request(Method::GET, "/").header("sec-fetch-site", "cross-site");
    assert_eq!(link.send().await.unwrap().status(), 200);
    site.end().await;
}

#[tokio::test]
async fn a_name_that_is_not_the_services_is_refused() {
    let site = Site::with(|options| {
        options.allowed_hosts = vec!["Coins.example.org".to_owned(), "tight.example.org:8443".to_owned()];
    })
    .await;
    for (host, allowed) in [
        ("127.0.0.1", true),
        ("127.0.0.1:1", true),
        ("localhost", true),
        ("LOCALHOST:8080", true),
        ("coins.example.org", true),
        ("coins.example.org:443", true),
        ("tight.example.org:8443", true),
        ("tight.example.org", false),
        ("tight.example.org:443", false),
        ("evil.example", false),
        ("coins.example.org.evil.example", false),
        ("evil.coins.example.org", false),
        ("localhost.evil.example", false),
        ("127.0.0.2", false),
        ("[::1]", false),
        ("0.0.0.0", false),
        ("2130706433", false),
        ("127.1", false),
    ] {
        for (method, path) in
            [(Method::GET, "/"), (Method::GET, "/api/accounts"), (Method::GET, "/metrics")]
        {
            let answer = site.request(method, path).header("host", host).send().await.unwrap();
            assert_eq!(answer.status() == 200, allowed, "{host} {path}");
            if !allowed {
                let problem: serde_json::Value = answer.json().await.unwrap();
                assert_eq!(problem["code"], "foreign_host", "{host}");
            }
        }
    }
    for host in [
        "",
        "a b",
        "user@localhost",
        "user@localhost:80",
        "localhost@localhost:80",
        "localhost:port",
        "localhost/",
        "http://localhost",
    ] {
        let request = site.request(Method::GET, "/api/accounts").header("host", host);
        assert_eq!(site.answer(request).await.outcome(), (400, "invalid_host"), "{host}");
    }
    site.end().await;
}

#[tokio::test]
async fn every_answer_has_strict_headers_and_its_requests_id() {
    let site = Site::new().await;
    let index = site.request(Method::GET, "/").send().await.unwrap();
    assert_eq!(
        (index.status().as_u16(), &index.headers()["content-type"]),
        (200, &"text/html; charset=utf-8".parse().unwrap())
    );
    let tag = index.headers()["etag"].clone();
    let known = site.request(Method::GET, "/").header("if-none-match", tag).send().await.unwrap();
    assert_eq!(known.status(), 304);
    let foreign = site.request(Method::GET, "/").header("host", "evil.example").send().await.unwrap();
    let missing = site.request(Method::GET, "/nothing").send().await.unwrap();
    let api =
        site.request(Method::GET, "/api/accounts").header("x-request-id", "mine").send().await.unwrap();
    assert_eq!(api.headers()["x-request-id"], "mine");
    for answer in [index, known, foreign, missing, api] {
        let header = |name: &str| answer.headers().get(name).unwrap().to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert!(["no-store", "no-cache"].contains(&header("cache-control").as_str()));
        assert!(!header("x-request-id").is_empty());
        assert!(answer.headers().get("access-control-allow-origin").is_none());
    }
    site.end().await;
}
