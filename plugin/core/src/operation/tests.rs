use super::*;
use jiff::SignedDuration;

const TTL: SignedDuration = SignedDuration::from_secs(15);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn me() -> Holder {
    Holder { user: "ada".into(), host: "desk".into(), boot_id: "b".into(), pid: 7, start_time: 99 }
}

fn running() -> Operation {
    Operation::begin("install", "0.1.0", "sha256:1", Layers::default(), me(), at(100))
}

#[test]
fn a_record_survives_its_secret_and_keeps_its_identity() {
    let mut operation = running();
    operation.begin_stage("daemon", at(101));
    let stored = json!({"metadata": {"uid": "u", "resourceVersion": "9"}});
    let secret = operation.to_secret("mizar-system", Some(&stored));
    assert_eq!(Operation::from_secret(&secret).unwrap(), operation);
    assert_eq!(secret["metadata"]["resourceVersion"], "9");
}

#[test]
fn a_newer_format_is_refused_in_words() {
    let mut newer = running();
    newer.format = FORMAT + 1;
    let text = Operation::from_secret(&newer.to_secret("n", None)).unwrap_err().to_string();
    assert!(text.contains("format 2") && text.contains("use the newer kubectl-mizar"), "{text}");
}

#[test]
fn a_damaged_record_is_named() {
    for data in [json!({}), json!({"operation": "!"}), json!({"operation": "eA=="}), json!({"operation": "e30="})] {
        let text = Operation::from_secret(&json!({"data": data})).unwrap_err().to_string();
        assert!(text.starts_with("the record mizar-operation is damaged: "), "{text}");
    }
}

#[test]
fn nobody_waits_for_the_dead_of_the_same_machine() {
    let record = running();
    assert_eq!(claim(Some(&record), HolderState::DeadHere, at(101), TTL), Claim::Resume { from: Some(me()) });
}

#[test]
fn a_holder_is_left_alone_until_its_renewal_is_too_old() {
    let record = running();
    for state in [HolderState::AliveHere, HolderState::Elsewhere] {
        let Claim::Busy { holder, free_in, .. } = claim(Some(&record), state, at(104), TTL) else {
            panic!("taken from a living holder")
        };
        assert_eq!((holder, free_in), (me(), SignedDuration::from_secs(11)));
        assert_eq!(claim(Some(&record), state, at(115), TTL), Claim::Resume { from: Some(me()) });
    }
}

#[test]
fn a_clock_ahead_of_ours_does_not_hold_longer_than_a_renewal_counts() {
    let Claim::Busy { free_in, .. } = claim(Some(&running()), HolderState::Elsewhere, at(50), TTL) else {
        panic!("taken from a living holder")
    };
    assert_eq!(free_in, TTL);
}

#[test]
fn what_ended_is_free_and_what_failed_is_taken_up_again() {
    let mut done = running();
    done.end(Outcome::Done, at(200));
    assert_eq!(claim(Some(&done), HolderState::Elsewhere, at(201), TTL), Claim::Fresh);
    let mut failed = running();
    failed.end(Outcome::Failed { reason: "x".into() }, at(200));
    assert_eq!(claim(Some(&failed), HolderState::Elsewhere, at(201), TTL), Claim::Resume { from: None });
    assert_eq!(claim(None, HolderState::Elsewhere, at(201), TTL), Claim::Fresh);
}

#[test]
fn a_stage_that_begins_again_stands_once() {
    let mut operation = running();
    operation.begin_stage("daemon", at(1));
    operation.begin_stage("daemon", at(2));
    operation.end_stage("daemon", at(3));
    assert_eq!(operation.stages.len(), 1);
    assert_eq!((operation.stages[0].state, operation.stages[0].ended), (StageState::Done, Some(at(3))));
}
