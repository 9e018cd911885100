use serde_json::json;

use super::samples::*;
use super::*;

#[test]
fn facts_come_back_from_json_as_they_were() {
    let mut facts = a_healthy_cluster();
    facts.mark(Source::Services, Gap::Denied);
    facts.mark(Source::Pods, Gap::Failed("timed out".into()));
    facts.bouncers.edit()[0].object.retries = Box::new([a_retry("bouncer_opr_on_bouncer_provisioned", minutes_ago(2))]);
    for facts in [facts, a_cluster_before(), Facts::new(now())] {
        let text = serde_json::to_string(&facts).unwrap();
        assert_eq!(serde_json::from_str::<Facts>(&text).unwrap(), facts);
    }
}

#[test]
fn facts_that_were_stored_before_a_source_was_known_can_still_be_read() {
    let facts: Facts = serde_json::from_value(json!({"nodes": {"known": [{"name": "n1"}]}})).unwrap();
    assert_eq!(facts.nodes.items()[0].name, "n1");
    assert_eq!(facts.pods, Fetched::NotAsked);
}

#[test]
fn pages_add_up_and_an_empty_list_is_an_answer() {
    let mut facts = Facts::new(now());
    facts.absorb_page(Source::Nodes, &json!({"items": [{"metadata": {"name": "n1"}}]}));
    facts.absorb_page(Source::Nodes, &json!({"items": [{"metadata": {"name": "n2"}}]}));
    facts.absorb_page(Source::Pods, &json!({"items": []}));
    facts.absorb_page(Source::Services, &json!({"items": null}));
    assert_eq!(facts.nodes.items().len(), 2);
    assert_eq!(facts.pods, Fetched::Known(Vec::new()));
    assert_eq!(facts.services, Fetched::Known(Vec::new()));
    assert_eq!(facts.gap(Source::Deployments), Some(Gap::NotAsked));
}

#[test]
fn a_list_that_broke_off_is_no_list() {
    let mut facts = Facts::new(now());
    facts.absorb_page(Source::Pods, &json!({"items": [{"metadata": {"name": "p"}}]}));
    facts.mark(Source::Pods, Gap::Failed("the token expired".into()));
    facts.absorb_page(Source::Pods, &json!({"items": [{"metadata": {"name": "p"}}]}));
    assert_eq!(facts.pods, Fetched::Failed { reason: "the token expired".into() });
}

#[test]
fn a_refusal_names_the_right() {
    let mut facts = Facts::new(now());
    for (source, right) in [
        (Source::Pods, "list pods"),
        (Source::Endpoints, "list endpoints.mizar.com"),
        (Source::Version, "get the server version"),
        (Source::SystemSource, "get configmaps kube-system/system-source"),
        (Source::Permissions, "create selfsubjectrulesreviews.authorization.k8s.io"),
    ] {
        facts.mark(source, Gap::Denied);
        assert_eq!(source.right(), right);
        assert_eq!(facts.gap(source), Some(Gap::Denied));
    }
    assert_eq!(facts.pods, Fetched::Denied { right: "list pods".into() });
}

#[test]
fn every_source_has_a_place_of_its_own() {
    for source in Source::ALL {
        let mut facts = Facts::new(now());
        facts.mark(*source, Gap::Absent);
        for other in Source::ALL {
            let expected = if other == source { Gap::Absent } else { Gap::NotAsked };
            assert_eq!(facts.gap(*other), Some(expected), "{source:?} and {other:?}");
        }
    }
}

#[test]
fn any_object_can_be_read_however_odd() {
    let odd = [
        json!(null),
        json!({}),
        json!([1, 2]),
        json!("text"),
        json!({"metadata": "text", "spec": [], "status": 7}),
        json!({"metadata": {"name": 7, "labels": [], "annotations": {"kopf.zalando.org/x": 5}}, "spec": {"clusterIPs": "x"},
               "status": {"conditions": [null, {"type": 3}], "addresses": [{}]}}),
    ];
    for source in Source::ALL {
        let mut facts = Facts::new(now());
        for object in &odd {
            facts.absorb(*source, object);
        }
        assert_eq!(facts.gap(*source), None, "{source:?}");
    }
}

#[test]
fn a_node_is_read_as_the_kubelet_reports_it() {
    let node = NodeFact::from_object(&json!({
        "metadata": {"name": "n1", "creationTimestamp": "2026-03-01T00:00:00Z", "labels": {"kubernetes.io/os": "linux"}},
        "spec": {"unschedulable": true, "podCIDRs": ["10.244.0.0/24"], "providerID": "kind://x"},
        "status": {
            "addresses": [{"type": "Hostname", "address": "n1"}, {"type": "InternalIP", "address": "172.18.0.2"}],
            "conditions": [
                {"type": "Ready", "status": "False", "lastTransitionTime": "2026-03-01T01:00:00Z"},
                {"type": "NetworkUnavailable", "status": "True"},
            ],
            "nodeInfo": {"kernelVersion": "6.1", "osImage": "Debian 12", "architecture": "arm64", "operatingSystem": "linux"},
        },
    }));
    assert_eq!(node.internal_ips, ["172.18.0.2"]);
    assert_eq!(node.readiness, Readiness::NotReady);
    assert_eq!(node.readiness_since, "2026-03-01T01:00:00Z".parse().ok());
    assert_eq!((node.network_unavailable, node.unschedulable), (Some(true), true));
    assert_eq!((node.kernel_version.as_str(), node.architecture.as_str()), ("6.1", "arm64"));
    let lost = json!({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}});
    assert!(NodeFact::from_object(&lost).is_lost());
    assert_eq!(NodeFact::from_object(&json!({})).readiness, Readiness::Unreported);
}

#[test]
fn numbers_in_mizars_objects_may_be_text() {
    for (dividers, prefix) in [(json!(2), json!("16")), (json!("2"), json!(16))] {
        let vpc = VpcFact::from_object(&json!({
            "metadata": {"name": "vpc0", "namespace": "default"},
            "spec": {"ip": "10.20.0.0", "prefix": prefix, "dividers": dividers, "vni": null, "status": "Init"},
        }));
        assert_eq!((vpc.dividers, vpc.prefix.as_str(), vpc.vni.as_str()), (Some(2), "16", ""));
        assert!(!vpc.object.is_provisioned());
    }
}

#[test]
fn handlers_that_have_not_ended_are_told_from_the_frameworks_own_notes() {
    let object = json!({"metadata": {"name": "net0-b-1", "annotations": {
        "kopf.zalando.org/last-handled-configuration": "{}\n",
        "kopf.zalando.org/touch-dummy": "2026",
        "kopf.zalando.org/bouncer_opr_on_bouncer_provisioned":
            "{\"started\":\"2026-03-01T11:00:00.123456\",\"retries\":12,\"message\":\"Droplet Object not ready\"}",
        "kopf.zalando.org/other": "not json",
        "unrelated": "x",
    }}});
    let retries = MizarObject::from_object(&object).retries;
    assert_eq!(retries.len(), 2);
    assert_eq!(retries[0].handler, "bouncer_opr_on_bouncer_provisioned");
    assert_eq!(retries[0].started, "2026-03-01T11:00:00.123456Z".parse().ok());
    assert_eq!((retries[0].retries, retries[0].message.as_deref()), (12, Some("Droplet Object not ready")));
    assert_eq!(retries[1], Retry { handler: "other".into(), ..Retry::default() });
}

#[test]
fn only_definitions_of_mizar_are_kept() {
    let mut facts = Facts::new(now());
    facts.absorb_page(
        Source::Definitions,
        &json!({"items": [
            {"metadata": {"name": "vpcs.mizar.com"}, "spec": {"group": "mizar.com", "names": {"kind": "Vpc"},
                "versions": [{"name": "v1", "served": true}, {"name": "v0", "served": false}]},
             "status": {"conditions": [{"type": "Established", "status": "True"}]}},
            {"metadata": {"name": "things.example.com"}, "spec": {"group": "example.com"}},
        ]}),
    );
    let definitions = facts.definitions.items();
    assert_eq!(definitions.len(), 1);
    assert_eq!(definitions[0].served, ["v1"]);
    assert!(definitions[0].established && !definitions[0].names_accepted);
}

#[test]
fn an_endpoint_belongs_to_a_pod_by_name_and_namespace() {
    let endpoint = EndpointFact::from_object(&json!({
        "metadata": {"name": "web-1-team-a--eth0"}, "spec": {"type": "simple", "pod": "web-1"},
    }));
    assert!(endpoint.belongs_to("team-a", "web-1"));
    assert!(!endpoint.belongs_to("team-b", "web-1"));
    assert!(!endpoint.belongs_to("a", "web-1-team"), "the pod's name is told apart");
    assert!(!endpoint.belongs_to("default", "web-1"));
    assert!(!endpoint.belongs_to("team", "web-1"), "the namespace is told apart");
    let on_arktos = EndpointFact::from_object(&json!({
        "metadata": {"name": "web-1-team-system-eth0"}, "spec": {"type": "simple", "pod": "web-1"},
    }));
    assert!(on_arktos.belongs_to("team", "web-1"), "there the tenant has a name");
}

#[test]
fn containers_are_kept_for_mizars_own_pods_only() {
    let pod = |labels: &Value| {
        PodFact::from_object(&json!({
            "metadata": {"namespace": "mizar-system", "name": "p", "labels": labels,
                "ownerReferences": [{"kind": "Node", "name": "x"}, {"kind": "DaemonSet", "name": "d", "controller": true}]},
            "spec": {"nodeName": "n1", "hostNetwork": true, "initContainers": [{"name": "node-init", "image": "i"}],
                "containers": [{"name": "main", "image": "m"}]},
            "status": {"phase": "Pending", "hostIP": "10.0.0.1",
                "initContainerStatuses": [{"name": "node-init", "state": {"terminated": {"exitCode": 1}}}],
                "containerStatuses": [{"name": "main", "restartCount": 4, "state": {"waiting": {"reason": "PodInitializing"}}}]},
        }))
    };
    let daemon = pod(&json!({"job": "mizar-daemon"}));
    assert_eq!((daemon.role, daemon.containers.len()), (PodRole::Daemon, 2));
    assert!(daemon.containers[0].init);
    assert_eq!(daemon.containers[0].exit_code, Some(1));
    assert_eq!((daemon.containers[1].restarts, daemon.containers[1].image.as_str()), (4, "m"));
    assert_eq!(daemon.owner, Some(Owner { kind: "DaemonSet".into(), name: "d".into() }));
    assert_eq!(pod(&json!({"app": "mizar-operator"})).role, PodRole::Operator);
    let dns = pod(&json!({"k8s-app": "kube-dns"}));
    assert_eq!((dns.role, dns.containers.len()), (PodRole::Dns, 0));
}

#[test]
fn headless_services_have_no_address() {
    let of = |spec: &Value| ServiceFact::from_object(&json!({"metadata": {"name": "s"}, "spec": spec})).cluster_ips;
    assert_eq!(of(&json!({"clusterIP": "10.96.0.1"})), ["10.96.0.1"]);
    assert_eq!(
        of(&json!({"clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1", "fd00::1"]})),
        ["10.96.0.1", "fd00::1"]
    );
    assert!(of(&json!({"clusterIP": "None"})).is_empty());
    assert!(of(&json!({"type": "ExternalName"})).is_empty());
}

#[test]
fn releases_are_read_from_the_labels_of_their_records() {
    let release = ReleaseFact::from_object(&json!({"metadata": {"name": "sh.helm.release.v1.mizar.v3",
        "namespace": "mizar-system", "labels": {"name": "mizar", "owner": "helm", "status": "deployed", "version": "3"}}}));
    assert_eq!((release.name.as_str(), release.revision, release.status.as_str()), ("mizar", 3, "deployed"));
}

mod permissions {
    use super::*;

    #[test]
    fn rules_are_evaluated_as_the_server_would() {
        let pods = Right::new("get", "", "pods");
        let secret = Right::new("get", "", "secrets").on("a");
        let status = Right::new("patch", "", "pods/status");
        let path = Right { verb: "get".into(), path: Some("/healthz/etcd".into()), ..Right::default() };
        for (rule, right, granted) in [
            (json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}), &pods, true),
            (json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}), &pods, true),
            (json!({"verbs": ["list"], "apiGroups": [""], "resources": ["pods"]}), &pods, false),
            (json!({"verbs": ["get"], "apiGroups": ["apps"], "resources": ["pods"]}), &pods, false),
            (json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods/status"]}), &pods, false),
            (
                json!({"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a"]}),
                &secret,
                true,
            ),
            (
                json!({"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["b"]}),
                &secret,
                false,
            ),
            (json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["a"]}), &pods, false),
            (json!({"verbs": ["patch"], "apiGroups": [""], "resources": ["pods/status"]}), &status, true),
            (json!({"verbs": ["patch"], "apiGroups": [""], "resources": ["*/status"]}), &status, true),
            (json!({"verbs": ["patch"], "apiGroups": [""], "resources": ["*/scale"]}), &status, false),
            (json!({"verbs": ["patch"], "apiGroups": [""], "resources": ["pods"]}), &status, false),
            (json!({"verbs": ["patch"], "apiGroups": [""], "resources": ["*"]}), &status, true),
            (json!({"verbs": ["get"], "nonResourceURLs": ["/healthz/*"]}), &path, true),
            (json!({"verbs": ["get"], "nonResourceURLs": ["*"]}), &path, true),
            (json!({"verbs": ["get"], "nonResourceURLs": ["/healthz"]}), &path, false),
            (json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}), &path, false),
            (json!({}), &pods, false),
        ] {
            assert_eq!(PolicyRule::from_object(&rule).grants(right), granted, "{rule} for {right}");
        }
    }

    fn permissions(scope: &str, rules: &Value, incomplete: bool) -> Permissions {
        let mut facts = Facts::new(now());
        let scope = (!scope.is_empty()).then_some(scope);
        facts.absorb_rules(scope, &json!({"status": {"resourceRules": rules, "incomplete": incomplete}}));
        facts.permissions.known().unwrap().clone()
    }

    #[test]
    fn rules_of_a_namespace_give_nothing_in_the_cluster() {
        let all = json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]);
        let right = Right::new("create", "", "namespaces");
        assert_eq!(permissions("mizar-system", &all, false).decide(&right), Decision::Open);
        assert_eq!(permissions("", &all, false).decide(&right), Decision::Allowed);
        let inside = Right::new("create", "", "secrets").in_namespace("mizar-system");
        assert_eq!(permissions("", &all, false).decide(&inside), Decision::Allowed);
        assert_eq!(permissions("mizar-system", &all, false).decide(&inside), Decision::Allowed);
    }

    #[test]
    fn what_incomplete_rules_do_not_give_is_open_until_it_is_asked() {
        let right = Right::new("create", "apps", "daemonsets").in_namespace("mizar-system");
        assert_eq!(permissions("mizar-system", &json!([]), false).decide(&right), Decision::Refused);
        let mut permissions = permissions("mizar-system", &json!([]), true);
        assert_eq!(permissions.decide(&right), Decision::Open);
        let need = Need { right: right.clone(), ..Need::default() };
        let twice = vec![need.clone(); 2];
        assert_eq!(permissions.open_questions(&twice), std::slice::from_ref(&right));
        let mut review = right.access_review();
        review["status"] = json!({"allowed": true, "reason": "RBAC"});
        permissions.answers.extend(AccessAnswer::from_review(&review));
        assert_eq!(permissions.decide(&right), Decision::Allowed);
        assert!(permissions.open_questions(std::slice::from_ref(&need)).is_empty());
    }

    #[test]
    fn questions_come_back_from_the_server_as_they_were_asked() {
        for right in [
            Right::new("create", "apps", "daemonsets").in_namespace("x"),
            Right::new("patch", "", "pods/status"),
            Right::new("get", "", "configmaps").in_namespace("kube-system").on("system-source"),
            Right { verb: "get".into(), path: Some("/version".into()), ..Right::default() },
        ] {
            let mut review = right.access_review();
            review["status"] = json!({"allowed": false});
            assert_eq!(AccessAnswer::from_review(&review).unwrap().right, right);
        }
        assert_eq!(AccessAnswer::from_review(&json!({"spec": {}})), None);
    }

    #[test]
    fn what_replaces_a_need_holds_only_together() {
        let role = |verb: &str| Right::new(verb, "rbac.authorization.k8s.io", "clusterroles").on("mizar:operator");
        let need = Need {
            right: Right::new("patch", "", "nodes"),
            unless: vec![role("escalate"), role("bind")],
            purpose: String::new(),
        };
        let rules = |verbs: &[&str]| json!([{"verbs": verbs, "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"]}]);
        assert_eq!(permissions("", &rules(&["escalate", "bind"]), false).decide_need(&need), Decision::Allowed);
        assert_eq!(permissions("", &rules(&["escalate"]), false).decide_need(&need), Decision::Refused);
        assert_eq!(permissions("", &rules(&["escalate"]), true).decide_need(&need), Decision::Open);
    }
}
