//! Snapshots of aggregates.

use cqrs_core::{EventStore, ExpectedVersion, Json, Snapshot, SnapshotStore, StreamId, Version};

use super::build::{append, events, json, one, stream};
use super::violation::{want, want_eq};
use super::{StoreFactory, Verdict, Violation};

/// A snapshot whose state tells its version and its schema version.
pub(crate) fn snapshot(stream: &StreamId, version: u64, schema_version: u32) -> Snapshot {
    let state = json(&format!(r#"{{"schema":{schema_version},"version":{version}}}"#));
    Snapshot { stream: stream.clone(), version: Version::new(version), schema_version, state }
}

/// A stream with so many events.
pub(crate) async fn stream_of(
    store: &impl EventStore,
    key: &str,
    count: u64,
) -> Result<StreamId, Violation> {
    let stream = stream(key);
    one(store, append(&stream, ExpectedVersion::NoStream, events(count))).await??;
    Ok(stream)
}

/// A stream has no snapshot before one is saved, whether it has events or not.
pub async fn a_stream_has_no_snapshot_at_first<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let known = stream_of(&store, "known", 2).await?;
    for stream in [known, stream("missing")] {
        want_eq!(store.snapshot(&stream).await?, None, "the snapshot of a stream that has none");
    }
    Ok(())
}

/// A snapshot is read back as it was written: its state to the byte, its version, its schema version.
pub async fn a_snapshot_is_read_back_as_written<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let long = "long ".repeat(100_000);
    let states = [
        "null".to_owned(),
        r#"{"b":1,"a":[1.10,-0.0,18446744073709551615],"b":" spaced "}"#.to_owned(),
        "\"n\u{e9}\\u0000 \u{1F980}\"".to_owned(),
        serde_json::to_string(&long).unwrap_or_default(),
    ];
    for (index, (state, schema_version)) in states.into_iter().zip([0, 1, 7, u32::MAX]).enumerate() {
        let stream = stream_of(&store, &format!("state-{index}"), 3).await?;
        let state = Json::parse(state).map_err(|error| Violation::new(error.to_string()))?;
        let saved = Snapshot { stream: stream.clone(), version: Version::new(2), schema_version, state };
        want!(store.save_snapshot(saved.clone()).await?, "a first snapshot must be kept");
        want_eq!(store.snapshot(&stream).await?, Some(saved), "a snapshot after it was saved");
    }
    Ok(())
}

/// A snapshot of a higher version takes the place of the one that was there, whatever their schema versions.
pub async fn a_newer_snapshot_replaces_the_older<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let stream = stream_of(&store, "a", 9).await?;
    for (version, schema_version) in [(1, 2), (2, 2), (5, 1), (9, 3)] {
        let saved = snapshot(&stream, version, schema_version);
        want!(store.save_snapshot(saved.clone()).await?, "a snapshot of version {version} must be kept");
        want_eq!(store.snapshot(&stream).await?, Some(saved), "the snapshot after a newer one was saved");
    }
    Ok(())
}

/// A snapshot that is no newer than the one that is there is not kept, and the answer says so: of a lower version,
/// or of the same version and the same or a lower schema version.
pub async fn a_snapshot_never_regresses<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let stream = stream_of(&store, "a", 9).await?;
    let newest = snapshot(&stream, 5, 2);
    want!(store.save_snapshot(newest.clone()).await?, "a first snapshot must be kept");
    for (version, schema_version) in [(4, 2), (1, 9), (5, 1), (5, 2)] {
        let mut late = snapshot(&stream, version, schema_version);
        late.state = json("\"late\"");
        let kept = store.save_snapshot(late).await?;
        want!(
            !kept,
            "a snapshot of version {version} and schema {schema_version} must not be kept after (5, 2)"
        );
        want_eq!(
            store.snapshot(&stream).await?,
            Some(newest.clone()),
            "the snapshot after an older one came"
        );
    }
    Ok(())
}

/// At the same version, a snapshot of a higher schema version takes the place of the one that was there.
pub async fn a_newer_schema_replaces_the_same_version<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let stream = stream_of(&store, "a", 9).await?;
    for schema_version in [1, 2, 10] {
        let saved = snapshot(&stream, 5, schema_version);
        want!(store.save_snapshot(saved.clone()).await?, "schema version {schema_version} must be kept");
        want_eq!(store.snapshot(&stream).await?, Some(saved), "the snapshot after one of a newer schema");
    }
    Ok(())
}

/// A snapshot of a version that its stream does not have is not kept, and neither is one of version zero.
pub async fn a_snapshot_is_never_newer_than_its_stream<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let known = stream_of(&store, "known", 3).await?;
    let missing = stream("missing");
    stream_of(&store, "longer", 9).await?;
    for (stream, version) in [(&known, 4), (&known, u64::MAX), (&missing, 1), (&known, 0), (&missing, 0)] {
        let kept = store.save_snapshot(snapshot(stream, version, 1)).await?;
        want!(!kept, "a snapshot of version {version} of stream {stream} must not be kept");
        want_eq!(store.snapshot(stream).await?, None, "the snapshot after an impossible one came");
    }
    want!(
        store.save_snapshot(snapshot(&known, 3, 1)).await?,
        "a snapshot of the last version must be kept"
    );
    Ok(())
}

/// Each stream has a snapshot of its own, also when their names are alike.
pub async fn snapshots_of_streams_do_not_mix<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let mut saved = Vec::new();
    for (index, key) in ["a", "A", "a ", "\u{e9}", "e\u{301}", "a-a"].into_iter().enumerate() {
        let stream = stream_of(&store, key, 9).await?;
        let snapshot = snapshot(&stream, index as u64 + 1, 1);
        want!(
            store.save_snapshot(snapshot.clone()).await?,
            "the first snapshot of stream {stream} must be kept"
        );
        saved.push(snapshot);
    }
    for snapshot in saved {
        let found = store.snapshot(&snapshot.stream).await?;
        want_eq!(found, Some(snapshot), "the snapshot of a stream among others");
    }
    Ok(())
}

/// Of snapshots that are saved at the same time by two handles, in whatever order, the newest is there in the end.
pub async fn of_racing_snapshots_the_newest_stays<F: StoreFactory>(factory: &F) -> Verdict {
    let one = factory.make().await;
    let two = factory.again(&one).await;
    for round in 0..20 {
        let stream = stream_of(&one, &format!("raced-{round}"), 9).await?;
        let versions = [3, 9, 5, 1, 8, 2];
        let saves = versions.into_iter().enumerate().map(|(index, version)| {
            let handle = if index % 2 == 0 { &one } else { &two };
            handle.save_snapshot(snapshot(&stream, version, 1))
        });
        for kept in futures::future::join_all(saves).await {
            kept?;
        }
        for handle in [&one, &two] {
            let found = handle.snapshot(&stream).await?;
            want_eq!(found, Some(snapshot(&stream, 9, 1)), "the snapshot after a race");
        }
    }
    Ok(())
}
