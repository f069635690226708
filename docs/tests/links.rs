//! Every link of every document leads somewhere.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod documents;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use documents::{documents, repository};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

fn parse(text: &str) -> Parser<'_> {
    Parser::new_ext(text, Options::ENABLE_TABLES)
}

/// Where the links and pictures of a document lead.
fn links(text: &str) -> Vec<String> {
    let target = |event| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
            Some(dest_url.to_string())
        }
        _ => None,
    };
    parse(text).filter_map(target).collect()
}

/// The anchors that a code host gives to the headings of a document.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut times = BTreeMap::<String, usize>::new();
    let mut heading: Option<String> = None;
    for event in parse(text) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let slug = slug(&heading.take().unwrap_or_default());
                let count = times.entry(slug.clone()).or_default();
                anchors.insert(if *count == 0 { slug } else { format!("{slug}-{count}") });
                *count += 1;
            }
            _ => {}
        }
    }
    anchors
}

fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// Whether a link leads into the web: with `https`, to a host with a dot, and without what a browser would have to guess.
fn is_address(link: &str) -> bool {
    let Some(rest) = link.strip_prefix("https://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let parts: Vec<_> = host.split('.').collect();
    let named = |part: &&str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    let visible =
        |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | '`' | '{' | '|' | '}');
    parts.len() > 1 && parts.iter().all(named) && rest.chars().all(visible)
}

/// What is wrong with a link of a document.
fn broken(document: &Path, text: &str, link: &str) -> Option<String> {
    if link.contains(':') {
        return (!is_address(link)).then(|| format!("{link}: that is no address of the web"));
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = if path.is_empty() { document.to_owned() } else { document.parent().unwrap().join(path) };
    if !target.exists() {
        return Some(format!("{link}: there is no such file"));
    }
    if anchor.is_empty() {
        return None;
    }
    let anchors = if path.is_empty() { anchors(text) } else { anchors(&fs::read_to_string(&target).ok()?) };
    (!anchors.contains(anchor)).then(|| format!("{link}: there is no such heading; there are {anchors:?}"))
}

#[test]
fn every_link_leads_somewhere() {
    let found = documents(repository());
    let mut wrong = Vec::new();
    let mut followed = 0;
    for document in &found {
        let text = fs::read_to_string(document).unwrap();
        for link in links(&text) {
            followed += 1;
            let document = document.strip_prefix(repository()).unwrap();
            let absolute = repository().join(document);
            wrong.extend(
                broken(&absolute, &text, &link).map(|why| format!("{}: {why}", document.display())),
            );
        }
    }
    assert!(found.len() > 10 && followed > 50, "only {followed} links in {} documents", found.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_document_can_be_found_from_the_table_of_contents() {
    let contents = fs::read_to_string(repository().join("docs/README.md")).unwrap();
    let linked: BTreeSet<_> = links(&contents).into_iter().collect();
    let mut lost = Vec::new();
    for entry in fs::read_dir(repository().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        if name.ends_with(".md") && name != "README.md" && !linked.contains(&name) {
            lost.push(name);
        }
    }
    assert!(lost.is_empty(), "docs/README.md does not link {lost:?}");
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let (document, text) =
        (repository().join("docs/README.md"), "# One `two`, three\n\n## Again\n\n## Again\n");
    for good in [
        "#one-two-three",
        "#again",
        "#again-1",
        "concepts.md",
        "../README.md",
        "https://docs.example.org/x?y#z",
    ] {
        assert_eq!(broken(&document, text, good), None);
    }
    for bad in [
        "#four",
        "#again-2",
        "missing.md",
        "concepts.md#nothing",
        "../docs/nothing",
        "http://example.org",
        "https//example.org",
        "https:/example.org",
        "https://example",
        "https://example..org/x",
        "https://example.org/a b",
        "htps://example.org",
    ] {
        assert!(broken(&document, text, bad).is_some(), "{bad}");
    }
}
