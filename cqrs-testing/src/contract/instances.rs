//! The instances of a process manager.

use cqrs_core::{InstanceChange, InstanceRecord, Position, ProcessStep, ProcessStore};

use super::build::json;
use super::build_step::{PROCESS, change, correlation, instance, step, stuck};
use super::violation::want_eq;
use super::{StoreFactory, Verdict};

/// Instances are answered in the order of the ids that were asked for, with `None` where there is none.
pub async fn instances_are_answered_in_the_order_asked<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    want_eq!(store.instances(PROCESS, &[]).await?, vec![], "the answer to no ids");
    want_eq!(
        store.instances(PROCESS, &[instance("a")]).await?,
        vec![None],
        "an instance of an empty store"
    );
    let (a, b) = (change("a", r#"{"is":"a"}"#, false), change("b", r#"{"is":"b"}"#, false));
    store.commit_step(ProcessStep { instances: vec![a.clone(), b.clone()], ..step(0, 1, vec![]) }).await?;
    let asked = ["b", "none", "a"].map(instance);
    let wanted = vec![Some(b.record.clone()), None, Some(a.record)];
    want_eq!(store.instances(PROCESS, &asked).await?, wanted, "the instances b, none and a");
    let twice = ["b", "b"].map(instance);
    let wanted = vec![Some(b.record.clone()), Some(b.record)];
    want_eq!(store.instances(PROCESS, &twice).await?, wanted, "an instance that was asked for twice");
    Ok(())
}

/// The state of a later step takes the place of what was there; instances that the step does not name stay.
pub async fn a_later_state_replaces_the_earlier<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let (a, b) = (change("a", r#"{"old":1,"x":1}"#, false), change("b", "2", false));
    store.commit_step(ProcessStep { instances: vec![a, b.clone()], ..step(0, 1, vec![]) }).await?;
    let later = change("a", r#"{"x":3}"#, false);
    store.commit_step(ProcessStep { instances: vec![later.clone()], ..step(1, 2, vec![]) }).await?;
    let found = store.instances(PROCESS, &["a", "b"].map(instance)).await?;
    want_eq!(found, vec![Some(later.record), Some(b.record)], "a replaced instance and its neighbour");
    Ok(())
}

/// A finished instance stays, with its last state and its mark.
pub async fn a_finished_instance_stays<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let (began, ended) = (change("a", "1", false), change("a", "2", true));
    store.commit_step(ProcessStep { instances: vec![began], ..step(0, 1, vec![]) }).await?;
    store.commit_step(ProcessStep { instances: vec![ended.clone()], ..step(1, 2, vec![]) }).await?;
    let found = store.instances(PROCESS, &[instance("a")]).await?;
    want_eq!(found, vec![Some(ended.record)], "a finished instance");
    Ok(())
}

/// Process managers have instances of their own, also under the same id.
pub async fn instances_of_processes_do_not_mix<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let names = ["transfer", "Transfer", "transfer-a"];
    for name in names {
        let instances = vec![change("a", &format!(r#"{{"of":"{name}"}}"#), false)];
        let process = name.to_owned();
        store.commit_step(ProcessStep { process, instances, ..step(0, 1, vec![]) }).await?;
    }
    for name in names {
        let state = json(&format!(r#"{{"of":"{name}"}}"#));
        let wanted = vec![Some(InstanceRecord::new(state))];
        want_eq!(store.instances(name, &[instance("a")]).await?, wanted, "instance a of {name:?}");
    }
    want_eq!(store.instances("other", &[instance("a")]).await?, vec![None], "instance a of another name");
    Ok(())
}

/// Instance ids that differ in anything are different instances: case, spaces, `-`, `/`, `%`, any Unicode,
/// composed or not, up to the longest id.
pub async fn instance_ids_are_told_apart<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let (long, longer) = ("x".repeat(511) + "y", "x".repeat(512));
    let ids = [
        "a", "A", " a", "a ", "a-1", "a/1", "a%", "a_", "a'b", "a\"b", "1", "01", "é", "e\u{301}", "移",
        "🪙", &long, &longer,
    ];
    let numbered = ids.iter().zip(0..);
    let instances = numbered.clone().map(|(id, n)| change(id, &format!("{n}"), false)).collect();
    store.commit_step(ProcessStep { instances, ..step(0, 1, vec![]) }).await?;
    for (id, n) in numbered {
        let wanted = vec![Some(change(id, &format!("{n}"), false).record)];
        want_eq!(store.instances(PROCESS, &[instance(id)]).await?, wanted, "the instance {id:?}");
    }
    Ok(())
}

/// An instance's state is read back as written, to the last digit and character.
pub async fn a_state_is_read_back_as_written<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let states = [
        "null",
        "{}",
        "[]",
        r#""""#,
        "18446744073709551615",
        "-9223372036854775808",
        r#"{"nul":"a\u0000b","deep":[{"é":[null,true,1.5]}],"quote":"\"'\\"}"#,
    ];
    for (state, from) in states.iter().zip(0..) {
        let written = change("a", state, false);
        store
            .commit_step(ProcessStep { instances: vec![written.clone()], ..step(from, from + 1, vec![]) })
            .await?;
        let found = store.instances(PROCESS, &[instance("a")]).await?;
        want_eq!(found, vec![Some(written.record)], "the state {state}");
    }
    Ok(())
}

/// What is known of an instance beside its state is read back as written: its schema version, where its events are, and
/// why it does not go on; also when it has no state.
pub async fn an_instance_is_read_back_as_written<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let plain = InstanceRecord::new(json("1"));
    let records = [
        InstanceRecord {
            schema_version: 7,
            first: Position::new(3),
            last: Position::new(1 << 40),
            ..plain.clone()
        },
        InstanceRecord { stuck: Some(stuck(9, Some(correlation()))), ..plain.clone() },
        InstanceRecord { state: None, stuck: Some(stuck(1, None)), ..plain.clone() },
        InstanceRecord { finished: true, stuck: Some(stuck(2, None)), ..plain.clone() },
    ];
    for (from, record) in (0..).zip(records.into_iter().chain([plain])) {
        let instances = vec![InstanceChange { id: instance("a"), record: record.clone() }];
        store.commit_step(ProcessStep { instances, ..step(from, from + 1, vec![]) }).await?;
        let found = store.instances(PROCESS, &[instance("a")]).await?;
        want_eq!(found, vec![Some(record)], "an instance");
    }
    Ok(())
}
