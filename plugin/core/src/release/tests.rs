use super::*;

fn content() -> Content {
    Content {
        chart: RecordedChart {
            metadata: json!({"name": "mizar", "version": "0.1.0", "apiVersion": "v2"}),
            values: json!({"a": 1}),
            templates: vec![File { name: "templates/x.yaml".into(), data: b"a: {{ .Values.a }}".to_vec() }],
            files: Vec::new(),
            schema: Some(b"{}".to_vec()),
        },
        config: json!({"profile": "dev"}),
        manifest: "---\n# Source: mizar/templates/x.yaml\na: 1\n".into(),
        hooks: vec![RecordedHook {
            name: "vpc0".into(),
            kind: "Vpc".into(),
            path: "mizar/templates/network/vpc0.yaml".into(),
            manifest: "kind: Vpc\n".into(),
            events: vec!["pre-install".into()],
            weight: -5,
            delete_policies: vec!["hook-failed".into()],
            ran: None,
        }],
        notes: "Mizar is here.".into(),
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn installed() -> Release {
    Release::begin_install("mizar", "mizar-system", &content(), at(1000))
}

#[test]
fn a_record_survives_its_secret() {
    let secret = to_secret(&installed(), None, at(1000)).unwrap();
    assert_eq!(from_secret(&secret).unwrap(), installed());
    assert_eq!(secret["type"], "helm.sh/release.v1");
    assert_eq!(secret["metadata"]["name"], "sh.helm.release.v1.mizar.v1");
    let labels = &secret["metadata"]["labels"];
    assert_eq!((&labels["status"], &labels["version"], &labels["createdAt"]), (&json!("pending-install"), &json!("1"), &json!("1000")));
}

#[test]
fn a_rewritten_secret_keeps_its_identity_so_that_a_stale_writer_fails() {
    let stored = json!({"metadata": {"uid": "u", "resourceVersion": "7"}});
    let secret = to_secret(&installed().deployed(), Some(&stored), at(1001)).unwrap();
    assert_eq!((&secret["metadata"]["uid"], &secret["metadata"]["resourceVersion"]), (&json!("u"), &json!("7")));
    assert_eq!(secret["metadata"]["labels"]["modifiedAt"], "1001");
    assert!(secret["metadata"]["labels"].get("createdAt").is_none());
}

#[test]
fn the_life_of_a_release_has_helms_descriptions() {
    let first = installed().deployed();
    assert_eq!((first.status, first.description.as_str()), (Status::Deployed, "Install complete"));
    let second = Release::begin_upgrade(&first, 3, &content(), at(2000));
    assert_eq!((second.revision, second.description.as_str()), (4, "Preparing upgrade"));
    assert_eq!(second.first_deployed, first.first_deployed);
    assert_eq!(second.deployed().description, "Upgrade complete");
    assert_eq!(first.failed("line one\nline two").description, "line one");
}

#[test]
fn damaged_records_are_named() {
    for (data, reason) in [("", "base64"), ("!!", "base64"), ("eA==", "base64")] {
        let secret = json!({"metadata": {"name": "s"}, "data": {"release": data}});
        let text = from_secret(&secret).unwrap_err().to_string();
        assert!(text.starts_with("release record s is damaged: ") && (text.contains(reason) || text.contains("JSON")), "{text}");
    }
    let text = from_secret(&json!({"metadata": {"name": "s"}})).unwrap_err().to_string();
    assert_eq!(text, "release record s is damaged: it has no key \"release\"");
}

#[test]
fn the_least_record_that_helm_reads_is_read() {
    let least = json!({"name": "m", "version": 2, "namespace": "n", "info": {"status": "deployed"}});
    let data = STANDARD.encode(STANDARD.encode(least.to_string()));
    let release = from_secret(&json!({"metadata": {"name": "s"}, "data": {"release": data}})).unwrap();
    assert_eq!((release.revision, release.status, release.config), (2, Status::Deployed, json!({})));
}

#[test]
fn a_record_that_no_secret_can_hold_is_refused_before_anything_is_written() {
    // Bytes without any pattern do not compress.
    let noise: Vec<u8> = (0_u64..1_200_000).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56).to_le_bytes()[0]).collect();
    let mut large = content();
    large.chart.files = vec![File { name: "big".into(), data: noise.iter().scan(1_u32, |state, byte| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223 + u32::from(*byte));
        Some(state.to_be_bytes()[0])
    }).collect() }];
    let release = Release::begin_install("mizar", "n", &large, at(1));
    let text = to_secret(&release, None, at(1)).unwrap_err().to_string();
    assert!(text.contains("more than the 1048576 that a Secret holds"), "{text}");
}

#[test]
fn history_knows_what_runs_and_what_to_prune() {
    let revision = |number: u32, status: Status| Release { revision: number, status, ..installed() };
    let history = History::of("mizar", [
        revision(3, Status::Failed),
        revision(1, Status::Superseded),
        revision(2, Status::Deployed),
        Release { name: "other".into(), ..installed() },
    ]);
    assert_eq!(history.last().unwrap().revision, 3);
    assert_eq!(history.deployed().unwrap().revision, 2);
    assert_eq!(history.base().unwrap().revision, 2);
    let pruned: Vec<u32> = history.surplus(2).iter().map(|release| release.revision).collect();
    assert_eq!(pruned, [1, 3]);
    assert!(history.surplus(HISTORY_LIMIT).is_empty());
}
