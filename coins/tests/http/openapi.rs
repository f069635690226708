//! The description is of what the service does: every other test holds every answer against it, and these look at the whole.

use reqwest::{Method, RequestBuilder, Url};
use serde_json::{Value, json};

use crate::site::Site;

/// A path of the document with its parameters filled in.
fn filled(path: &str) -> String {
    path.replace("{account}", "me").replace("{transfer_id}", "00000000-0000-0000-0000-000000000000")
}

#[tokio::test]
async fn what_is_described_can_be_asked_for_and_nothing_else() {
    let site = Site::new().await;
    let operations = site.description.operations();
    assert!(operations.len() > 10);
    for (_, path) in &operations {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"] {
            let method: Method = method.parse().unwrap();
            // What can be had with GET can be had without its body.
            let read = if method == Method::HEAD { Method::GET } else { method.clone() };
            let described = operations.contains(&(read, path.clone()));
            let answer = site.request(method.clone(), &filled(path)).send().await.unwrap();
            assert_eq!(answer.status() != 405, described, "{method} {path}");
            assert_ne!(answer.status(), 500);
            if answer.status() == 405 {
                let mut allowed: Vec<_> = operations
                    .iter()
                    .filter(|it| it.1 == *path)
                    .map(|(method, _)| method.to_string())
                    .collect();
                if allowed.contains(&"GET".to_owned()) {
                    allowed.push("HEAD".to_owned());
                }
                allowed.sort_unstable();
                let mut told: Vec<_> = answer.headers()["allow"].to_str().unwrap().split(',').collect();
                told.sort_unstable();
                assert_eq!(told, allowed, "{method} {path}");
            }
        }
    }
    site.end().await;
}

#[tokio::test]
async fn every_schema_refers_to_what_is_there_and_every_operation_says_what_it_does() {
    let site = Site::new().await;
    let document = site.get("/api/openapi.json").await.json;
    let mut wanted = Vec::new();
    references(&document, &mut wanted);
    assert!(wanted.len() > 20);
    for reference in wanted {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            assert!(operation["summary"].is_string(), "{method} {path}");
            let named: Vec<_> = operation["parameters"].as_array().into_iter().flatten().collect();
            for parameter in &named {
                assert!(parameter["description"].is_string(), "{method} {path}: {parameter}");
            }
            let in_path = named.iter().filter(|it| it["in"] == "path").count();
            assert_eq!(in_path, path.matches('{').count(), "{method} {path}");
        }
    }
    site.end().await;
}

/// What a parameter or a field of a body may be at its limits, and what it may not be beyond them.
fn limits(schema: &Value) -> Option<(Vec<Value>, Vec<Value>)> {
    if let Some(least) = schema["minimum"].as_u64()
        && let Some(most) = schema["maximum"].as_u64()
        && least > 0
    {
        return Some((vec![json!(least), json!(most)], vec![json!(least - 1), json!(most + 1)]));
    }
    let length = |name| schema[name].as_u64().map(|length| length as usize);
    let (least, most) = (length("minLength")?, length("maxLength")?);
    // Length is counted in characters.
    let text = |length| Value::String("é".repeat(length));
    Some((vec![text(least), text(most)], vec![text(least - 1), text(most + 1)]))
}

/// A path with parameters.
fn asked(path: &str, query: &serde_json::Map<String, Value>) -> String {
    let mut url = Url::parse("http://coins").unwrap();
    for (name, value) in query {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        url.query_pairs_mut().append_pair(name, &text);
    }
    format!("{path}?{}", url.query().unwrap())
}

/// Whether a request is not refused for how it is written. The answer's body may be without end.
async fn is_understood(request: RequestBuilder) -> bool {
    let answer = request.send().await.unwrap();
    if answer.status().is_success() {
        return true;
    }
    let problem: Value = answer.json().await.unwrap();
    let code = problem["code"].as_str().unwrap();
    !["invalid_query", "invalid_body", "invalid_account", "invalid_amount"].contains(&code)
}

#[tokio::test]
async fn what_is_described_of_numbers_and_lengths_is_what_is_taken() {
    let site = Site::new().await;
    let document = site.get("/api/openapi.json").await.json;
    let mut limited = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let parameters = methods["get"]["parameters"].as_array().into_iter().flatten();
        let parameters: Vec<_> = parameters.filter(|it| it["in"] == "query").collect();
        for parameter in &parameters {
            let name = parameter["name"].as_str().unwrap();
            let Some((within, beyond)) = limits(&parameter["schema"]) else {
                continue;
            };
            limited.push(format!("{path}?{name}"));
            let mut others = serde_json::Map::new();
            for other in parameters.iter().filter(|it| it["required"] == true && it["name"] != name) {
                let within = limits(&other["schema"]).unwrap().0;
                others.insert(other["name"].as_str().unwrap().to_owned(), within[0].clone());
            }
            for (values, taken) in [(within, true), (beyond, false)] {
                for value in values {
                    let mut query = others.clone();
                    query.insert(name.to_owned(), value);
                    let asked = asked(path, &query);
                    let request = site.request(Method::GET, &asked);
                    assert_eq!(is_understood(request).await, taken, "{asked}");
                }
            }
        }
    }
    limited.sort_unstable();
    let expected = [
        "/api/account?account",
        "/api/accounts?limit",
        "/api/events?account",
        "/api/leaderboard?limit",
        "/api/statement?account",
        "/api/statement?limit",
        "/api/transfers?account",
        "/api/transfers?limit",
    ];
    assert_eq!(limited, expected);

    for (path, body, others) in [
        ("/api/coins", "MineBody", json!({ "account": "me", "nonce": 190 })),
        ("/api/transfers", "SendBody", json!({ "from": "me", "to": "you", "amount": 1 })),
    ] {
        let fields = document["components"]["schemas"][body]["properties"].as_object().unwrap();
        let limited: Vec<_> =
            fields.iter().filter_map(|(name, schema)| Some((name, limits(schema)?))).collect();
        assert_eq!(limited.len(), if body == "MineBody" { 1 } else { 3 });
        for (name, (within, beyond)) in limited {
            for (values, taken) in [(within, true), (beyond, false)] {
                for value in values {
                    let mut body = others.clone();
                    body[name] = value;
                    let request = site.request(Method::POST, path).json(&body);
                    assert_eq!(is_understood(request).await, taken, "{path} {body}");
                }
            }
        }
    }
    site.end().await;
}

/// A nonce may be 2^64-1, which an int64 cannot hold: clients that were generated from the description had the wrong type.
#[tokio::test]
async fn numbers_are_as_wide_as_they_are_described() {
    let site = Site::new().await;
    let document = site.get("/api/openapi.json").await.json;
    let mut formats = Vec::new();
    integers(&document, "", &mut formats);
    let of = |wanted: &str| {
        formats.iter().filter(|it| it.1 == wanted).map(|it| it.0.as_str()).collect::<Vec<_>>()
    };
    // What an account gained or lost is the one number that has a sign.
    assert_eq!(of("int64"), ["change"]);
    let unsigned = of("uint64");
    for name in [
        "nonce",
        "last_nonce",
        "position",
        "version",
        "amount",
        "balance",
        "head",
        "after",
        "Last-Event-ID",
    ] {
        assert!(unsigned.contains(&name), "{name} is not among {unsigned:?}");
    }
    site.end().await;
}

/// The fields and parameters that are integers, with their formats.
fn integers(value: &Value, name: &str, found: &mut Vec<(String, String)>) {
    let is_integer = value["type"] == "integer"
        || value["type"].as_array().is_some_and(|types| types.contains(&json!("integer")));
    if is_integer {
        found.push((name.to_owned(), value["format"].as_str().unwrap_or("none").to_owned()));
    }
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                let name = match key.as_str() {
                    "schema" => value["name"].as_str().unwrap_or(name),
                    key => key,
                };
                integers(field, name, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| integers(item, name, found)),
        _ => {}
    }
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// The check itself is worth something only if it refuses.
#[tokio::test]
#[should_panic(expected = "unwanted")]
async fn an_answer_with_a_field_too_many_is_not_as_described() {
    let site = Site::new().await;
    let account = json!({
        "account_id": "me", "balance": 1, "mined": 1, "sent": 0, "received": 0, "last_nonce": 190,
        "statement": { "lines": [], "next": null }, "unwanted": 1,
    });
    site.description.check_named("AccountWithStatement", &account);
}

#[tokio::test]
#[should_panic(expected = "head")]
async fn an_answer_with_a_field_too_few_is_not_as_described() {
    let site = Site::new().await;
    site.description.check_named("Status", &json!({ "subscribers": [] }));
}
