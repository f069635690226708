//! Comparing what is written today with what is frozen: pure, from samples and the file's forms to problems.

use std::collections::{BTreeMap, BTreeSet};

use cqrs_core::Json;

use super::entry::Entry;
use super::file::Frozen;
use super::problem::{Fault, Problem};
use crate::json::{keeps, same};

/// Reads what is stored under a name with today's type, and writes it again.
pub(super) type Read = fn(&str, &Json) -> Result<(String, Json), String>;

/// What today's code writes.
#[derive(Default)]
pub(super) struct Today {
    pub(super) samples: Vec<Sample>,
    /// By category.
    pub(super) events: BTreeMap<&'static str, Events>,
}

/// One thing, as it is written today.
pub(super) struct Sample {
    pub(super) entry: Entry,
    pub(super) written: Json,
    pub(super) read: Read,
}

/// The event enum of a category.
pub(super) struct Events {
    pub(super) rust_type: &'static str,
    /// The names of each variant, see [`variants`](super::variants::variants).
    pub(super) variants: Vec<Vec<&'static str>>,
    pub(super) read: Read,
}

/// All that is wrong, entry by entry.
pub(super) fn compare(today: &Today, frozen: &[Frozen]) -> Vec<Problem> {
    let mut entries: BTreeMap<&Entry, (Vec<&Sample>, Vec<&Frozen>)> = BTreeMap::new();
    for sample in &today.samples {
        entries.entry(&sample.entry).or_default().0.push(sample);
    }
    for form in frozen {
        entries.entry(&form.entry).or_default().1.push(form);
    }
    let mut problems = Vec::new();
    for (entry, (samples, forms)) in entries {
        let faults = match (&samples[..], entry) {
            ([], _) => left_behind(today, entry, &forms),
            (samples, Entry::Name(_)) => name(samples, &forms),
            (samples, Entry::Snapshot { .. }) => snapshot(samples, &forms),
            (samples, _) => kept_readable(samples, &forms),
        };
        let faults = unstable(&samples).into_iter().chain(faults);
        problems.extend(faults.map(|fault| Problem { entry: entry.clone(), fault }));
    }
    problems.extend(unlisted(today, &problems));
    problems
}

/// Samples that do not come back as they were written, each a fault of its own.
fn unstable(samples: &[&Sample]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for Sample { entry, written, read } in samples {
        let name = entry.stored_name();
        let back = match read(name, written) {
            Ok((again, back)) if again == name && same(&back, written) => continue,
            Ok((again, back)) => Ok(format!("{again} {back}")),
            Err(error) => Err(error),
        };
        faults.push(Fault::Unstable { written: written.clone(), back });
    }
    faults
}

/// What is written today and not frozen, each form once.
fn fresh<'a>(samples: &[&'a Sample], forms: &[&Frozen]) -> Vec<&'a Json> {
    let mut fresh: Vec<&Json> = Vec::new();
    for Sample { written, .. } in samples {
        let known = forms.iter().any(|form| same(&form.stored, written));
        if !known && !fresh.iter().any(|one| same(one, written)) {
            fresh.push(written);
        }
    }
    fresh
}

/// Frozen forms that nothing writes any more.
fn past<'a>(samples: &[&Sample], forms: &[&'a Frozen]) -> Vec<&'a Frozen> {
    let written = |form: &&Frozen| samples.iter().any(|sample| same(&sample.written, &form.stored));
    forms.iter().copied().filter(|form| !written(form)).collect()
}

/// Events, commands, states of process managers: whatever was stored once must be readable for ever.
fn kept_readable(samples: &[&Sample], forms: &[&Frozen]) -> Vec<Fault> {
    let written: Vec<Json> = samples.iter().map(|sample| sample.written.clone()).collect();
    let past = past(samples, forms);
    let mut faults = Vec::new();
    for form in &past {
        // All samples of an entry have one type.
        let Some(Sample { read, .. }) = samples.first() else { continue };
        faults.extend(lost(form, read(form.entry.stored_name(), &form.stored), &written));
    }
    if faults.is_empty() {
        let known = if past.is_empty() { forms } else { &past };
        let known: Vec<Json> = known.iter().map(|form| form.stored.clone()).collect();
        let fresh = fresh(samples, forms).into_iter().cloned();
        faults.extend(fresh.map(|written| match known.is_empty() {
            true => Fault::New { written },
            false => Fault::Changed { written, known: known.clone() },
        }));
    }
    faults
}

/// What is wrong with a past form, after it was read.
fn lost(form: &Frozen, read: Result<(String, Json), String>, written: &[Json]) -> Option<Fault> {
    match read {
        Err(error) => {
            Some(Fault::Unreadable { stored: form.stored.clone(), error, written: written.to_vec() })
        }
        Ok((_, now)) => {
            let wanted = form.read_as.as_ref().unwrap_or(&form.stored);
            (!keeps(wanted, &now)).then(|| Fault::Lossy {
                wanted: wanted.clone(),
                now,
                by_hand: form.read_as.is_some(),
            })
        }
    }
}

/// A snapshot that is read as something else is not made anew, unless its schema version says so: any change at
/// all needs another version.
fn snapshot(samples: &[&Sample], forms: &[&Frozen]) -> Vec<Fault> {
    let past = past(samples, forms);
    if past.is_empty() {
        return fresh(samples, forms)
            .into_iter()
            .map(|written| Fault::New { written: written.clone() })
            .collect();
    }
    let written: Vec<Json> = samples.iter().map(|sample| sample.written.clone()).collect();
    let changed =
        |form: &Frozen| Fault::SnapshotChanged { stored: form.stored.clone(), written: written.clone() };
    past.into_iter().map(changed).collect()
}

/// A name is what it is.
fn name(samples: &[&Sample], forms: &[&Frozen]) -> Vec<Fault> {
    let fresh = fresh(samples, forms).into_iter();
    let known = forms.first();
    fresh
        .map(|written| match known {
            None => Fault::New { written: written.clone() },
            Some(form) => Fault::NameChanged { stored: form.stored.clone(), written: written.clone() },
        })
        .collect()
}

/// Forms of which there is no sample any more.
fn left_behind(today: &Today, entry: &Entry, forms: &[&Frozen]) -> Vec<Fault> {
    let gone = |error: Option<String>| Fault::Gone {
        stored: forms.iter().map(|form| form.stored.clone()).collect(),
        error,
    };
    match entry {
        Entry::Event { category, event_type } => {
            let Some(events) = today.events.get(&**category) else { return vec![gone(None)] };
            let mut faults = Vec::new();
            for form in forms {
                match (events.read)(event_type, &form.stored) {
                    Err(error) => return vec![gone(Some(error))],
                    Ok((name, _)) if name == *event_type => {
                        return vec![Fault::Unlisted { rust_type: events.rust_type }];
                    }
                    // An old name of a variant that is written under another one.
                    read => faults.extend(lost(form, read, &[])),
                }
            }
            faults
        }
        // Snapshots of an earlier schema are thrown away, not read.
        Entry::Snapshot { name, schema } if has_later_schema(today, name, *schema) => Vec::new(),
        _ => vec![gone(None)],
    }
}

fn has_later_schema(today: &Today, name: &str, than: u32) -> bool {
    today.samples.iter().any(|sample| {
        matches!(&sample.entry, Entry::Snapshot { name: other, schema } if other == name && *schema > than)
    })
}

/// Variants of which there is no sample, and of which nothing was said yet.
fn unlisted(today: &Today, known: &[Problem]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (&category, events) in &today.events {
        let of_category = |entry: &Entry| entry.category() == Some(category);
        let samples = today.samples.iter().map(|sample| &sample.entry);
        let told = known.iter().map(|problem| &problem.entry);
        let names: BTreeSet<&str> =
            samples.chain(told).filter(|entry| of_category(entry)).map(Entry::stored_name).collect();
        for variant in &events.variants {
            let (None, [name, ..]) = (variant.iter().find(|name| names.contains(**name)), &variant[..])
            else {
                continue;
            };
            let entry = Entry::Event { category: category.to_owned(), event_type: (*name).to_owned() };
            let fault = Fault::Unlisted { rust_type: events.rust_type };
            problems.push(Problem { entry, fault });
        }
    }
    problems
}
