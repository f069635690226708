//! The page's files.

use std::fs;
use std::path::Path;

use reqwest::Method;
use reqwest::header::IF_NONE_MATCH;

use crate::site::Site;

/// All files of the page, by their paths in the service.
fn files() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("page/assets");
    let names = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    std::iter::once("/".to_owned()).chain(names.map(|name| format!("/assets/{name}"))).collect()
}

#[tokio::test]
async fn every_file_has_its_type_and_nothing_inline_may_run() {
    let site = Site::new().await;
    let files = files();
    assert!(files.len() > 10);
    for path in &files {
        let response = site.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        let wanted = match path.rsplit_once('.').map(|(_, ending)| ending) {
            None => "text/html; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            Some(other) => panic!("{other} has no type here"),
        };
        assert_eq!(header("content-type"), wanted, "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff");
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy}");
        assert!(
            !policy.contains("unsafe") && !policy.contains("http") && !policy.contains('*'),
            "{policy}"
        );
    }
    site.end().await;
}

#[tokio::test]
async fn a_browser_is_not_sent_what_it_has() {
    let site = Site::new().await;
    for path in files() {
        let first = site.request(Method::GET, &path).send().await.unwrap();
        let (tag, kept) = (first.headers()["etag"].clone(), first.headers()["cache-control"].clone());
        assert_eq!(kept, "no-cache", "{path}");
        let request = site.request(Method::GET, &path).header(IF_NONE_MATCH, tag.clone());
        let again = request.send().await.unwrap();
        assert_eq!((again.status().as_u16(), &again.headers()["etag"]), (304, &tag), "{path}");
        assert_eq!(again.bytes().await.unwrap().len(), 0);
        let changed =
            site.request(Method::GET, &path).header(IF_NONE_MATCH, "\"other\"").send().await.unwrap();
        assert_eq!(changed.status(), 200, "{path}");
    }
    site.end().await;
}

#[tokio::test]
async fn the_page_needs_nothing_but_its_own_files() {
    let site = Site::new().await;
    let known = files();
    for path in &known {
        let text = site.request(Method::GET, path).send().await.unwrap().text().await.unwrap();
        for (start, _) in text.match_indices("/assets/") {
            let end = text[start..].find(['"', '\'', '`', ')']).unwrap();
            assert!(
                known.contains(&text[start..start + end].to_owned()),
                "{path}: {}",
                &text[start..start + end]
            );
        }
        // Modules name each other, and nobody else.
        for line in text.lines().filter(|line| line.starts_with("import ")) {
            let (_, module) = line.trim_end_matches("';").rsplit_once("'./").expect("a module beside it");
            assert!(known.contains(&format!("/assets/{module}")), "{path}: {line}");
        }
        let elsewhere = text.replace("http://www.w3.org/", "");
        assert!(
            !elsewhere.contains("http:") && !elsewhere.contains("https:"),
            "{path} wants something from elsewhere"
        );
        for way_around in
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"]
        {
            assert!(!text.contains(way_around), "{path} has {way_around}, which may read a name as HTML");
        }
    }
    site.end().await;
}
