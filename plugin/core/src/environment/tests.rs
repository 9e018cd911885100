use super::*;
use crate::facts::samples::*;
use crate::facts::{
    ApiGroupsFact, CoreApiFact, DaemonSetFact, Fetched, Gap, NamespaceFact, NodeFact, SystemSourceFact,
};

/// A cluster of nothing but nodes with these names, providers and kernels.
fn cluster(nodes: &[(&str, &str, &str)]) -> Facts {
    let mut facts = a_cluster_before();
    let node = |(name, provider, kernel): &(&str, &str, &str)| NodeFact {
        name: (*name).into(),
        provider_id: (*provider).into(),
        kernel_version: (*kernel).into(),
        ..a_node(1)
    };
    facts.nodes = Fetched::Known(nodes.iter().map(node).collect());
    facts
}

fn on_arktos(mut facts: Facts) -> Facts {
    facts.core_api = Fetched::Known(CoreApiFact { resources: vec!["pods".into(), "tenants".into()] });
    let version = facts.version.edit();
    version.git_version = "v0.9.0".into();
    version.major.clear();
    version.minor.clear();
    facts
}

fn with_version(mut facts: Facts, version: &str) -> Facts {
    facts.version.edit().git_version = version.into();
    facts
}

fn with_label(mut facts: Facts, key: &str, value: &str) -> Facts {
    facts.nodes.edit()[0].labels.insert(key.into(), value.into());
    facts
}

fn with_service_address(mut facts: Facts, address: &str) -> Facts {
    facts.services.edit()[0].cluster_ips = vec![address.into()];
    facts
}

const GENERIC: &str = "5.15.0-118-generic";

#[test]
fn every_row_of_the_matrix_is_told_from_the_others() {
    let vm = |kernel| cluster(&[("a", "", kernel), ("b", "", kernel)]);
    let virtlet = DaemonSetFact { name: "virtlet".into(), ..a_foreign_daemon_set("virtlet") };
    let mut with_virtlet = on_arktos(cluster(&[("dev", "", GENERIC)]));
    with_virtlet.daemon_sets.edit().push(virtlet);
    let rows = vec![
        (cluster(&[("m-control-plane", "kind://docker/m/m-control-plane", "6.5.0-1018-gcp")]), "kind"),
        (cluster(&[("m-control-plane", "", GENERIC), ("m-worker", "", GENERIC), ("m-worker2", "", GENERIC)]), "kind"),
        (cluster(&[("m-control-plane", "", GENERIC), ("storage-1", "", GENERIC)]), "kubernetes"),
        (with_version(cluster(&[("n", "gce://p/z/n", "6.1.0-gcp")]), "v1.29.1-gke.1589017"), "gke"),
        (with_label(cluster(&[("n", "gce://p/z/n", "6.1.0")]), "cloud.google.com/gke-nodepool", "p"), "gke"),
        (with_version(cluster(&[("n", "aws:///z/i-1", "6.1.0")]), "v1.29.1-eks-508b6b3"), "eks"),
        (with_label(cluster(&[("n", "aws:///z/i-1", "6.1.0")]), "eks.amazonaws.com/nodegroup", "g"), "eks"),
        (vm("5.11.0-1028-gcp"), "gcp-vm"),
        (cluster(&[("a", "gce://p/z/a", GENERIC)]), "gcp-vm"),
        (vm("5.11.0-1028-aws"), "aws-vm"),
        (vm("6.1.79-99.167.amzn2023.x86_64"), "kubernetes"),
        (cluster(&[("ip-172-31-0-1", "aws:///z/i-1", GENERIC)]), "aws-vm"),
        (vm(GENERIC), "kubernetes"),
        (cluster(&[]), "kubernetes"),
        (with_label(on_arktos(cluster(&[("dev", "", GENERIC)])), "extraRuntime", "virtlet"), "arktos-up"),
        (with_virtlet, "arktos-up"),
        (with_service_address(on_arktos(cluster(&[("dev", "", GENERIC)])), "10.0.0.1"), "arktos-up"),
        (with_service_address(on_arktos(cluster(&[("a", "", GENERIC), ("b", "", GENERIC)])), "10.0.0.1"), "arktos"),
        (
            with_service_address(on_arktos(cluster(&[("x-master", "gce://p/z/x-master", "5.4.0-1-gcp")])), "10.0.0.1"),
            "arktos-gce",
        ),
        (on_arktos(cluster(&[("x-master", "", GENERIC), ("x-minion-group-8k2l", "", GENERIC)])), "arktos-gce"),
        (on_arktos(cluster(&[("x-tp-1-master", "gce://p/z/m", GENERIC)])), "arktos-tenant-partition"),
        (
            on_arktos(cluster(&[
                ("x-rp-2-master", "gce://p/z/m", GENERIC),
                ("x-rp-2-minion-group-8k2l", "gce://p/z/n", GENERIC),
            ])),
            "arktos-resource-partition",
        ),
        (on_arktos(cluster(&[("ip-172-31-0-1", "", "5.11.0-1028-aws")])), "arktos-aws"),
        (on_arktos(cluster(&[("a", "", GENERIC), ("b", "", GENERIC)])), "arktos"),
    ];
    for (facts, expected) in rows {
        let detection = detect(&facts, None);
        assert_eq!(detection.environment.name(), expected, "{:?}\n{:?}", facts.nodes, detection.evidence);
        assert_eq!(detection.evidence.is_empty(), expected == "kubernetes", "every verdict has its evidence");
    }
}

#[test]
fn a_person_who_knows_better_wins_and_the_signs_are_still_shown() {
    let facts = cluster(&[("a", "gce://p/z/a", GENERIC)]);
    let detection = detect(&facts, Some(Environment::Kubernetes));
    assert_eq!((detection.environment, detection.detected), (Environment::Kubernetes, Environment::GcpVm));
    assert!(detection.named && detection.evidence[0].seen == "gce://p/z/a");
}

#[test]
fn kubemark_is_told_besides() {
    let mut facts = cluster(&[("a", "", "5.11.0-1028-aws")]);
    let hollow = |name: &str| NodeFact { name: name.into(), kernel_version: "3.16.0-gcp".into(), ..a_node(9) };
    facts.nodes.edit().extend([hollow("hollow-node-1"), hollow("hollow-node-2")]);
    let detection = detect(&facts, None);
    assert_eq!((detection.environment, detection.hollow_nodes), (Environment::AwsVm, 2));
    assert!(!detection.hosts_kubemark);

    let mut admin = cluster(&[("a", "", GENERIC)]);
    admin.namespaces.edit().push(NamespaceFact { name: "kubemark".into(), ..NamespaceFact::default() });
    assert!(detect(&admin, None).hosts_kubemark);
}

#[test]
fn without_the_core_api_weaker_signs_tell_of_arktos_and_the_gap_is_named() {
    let mut facts = on_arktos(cluster(&[("a", "", GENERIC)]));
    facts.mark(Source::CoreApi, Gap::Denied);
    let detection = detect(&facts, None);
    assert_eq!(detection.environment, Environment::Arktos);
    assert_eq!(detection.unread, ["the resources of the core API"]);

    let mut facts = cluster(&[("a", "", GENERIC)]);
    facts.mark(Source::CoreApi, Gap::Denied);
    facts.system_source =
        Fetched::Known(SystemSourceFact { name: Some("arktos".into()), ..SystemSourceFact::default() });
    assert_eq!(detect(&facts, None).environment, Environment::Arktos);
}

#[test]
fn a_server_whose_core_api_has_no_tenants_is_not_arktos_whatever_else_it_says() {
    let mut facts = cluster(&[("a", "", GENERIC)]);
    facts.version.edit().major.clear();
    facts.version.edit().minor.clear();
    facts.system_source =
        Fetched::Known(SystemSourceFact { name: Some("arktos".into()), ..SystemSourceFact::default() });
    assert_eq!(detect(&facts, None).environment, Environment::Kubernetes);
}

#[test]
fn checks_and_environment_call_the_same_servers_arktos() {
    type Row = (&'static str, fn(&mut Facts), Option<bool>);
    let with_group = |facts: &mut Facts| {
        facts.api_groups = Fetched::Known(ApiGroupsFact { versions: vec!["arktos.futurewei.com/v1".into()] });
    };
    let rows: [Row; 4] = [
        ("Kubernetes", |_| {}, Some(false)),
        ("tenants", |facts| facts.core_api.edit().resources.push("tenants".into()), Some(true)),
        ("neither read", |facts| facts.mark(Source::CoreApi, Gap::Denied), None),
        ("without its group", |facts| facts.api_groups = Fetched::Known(ApiGroupsFact::default()), Some(false)),
    ];
    for (name, change, known) in rows {
        let mut facts = cluster(&[("a", "", GENERIC)]);
        change(&mut facts);
        assert_eq!(facts.is_arktos(), known, "{name}");
        assert_eq!(detect(&facts, None).environment.is_arktos(), known == Some(true), "{name}");
        with_group(&mut facts);
        assert_eq!(facts.is_arktos(), Some(true), "{name}, with its group");
        assert!(detect(&facts, None).environment.is_arktos(), "{name}, with its group");
    }
}

#[test]
fn names_lead_back_to_their_environments() {
    for environment in Environment::ALL {
        assert_eq!(environment.name().parse(), Ok(environment));
        assert_eq!(serde_json::to_value(environment).unwrap(), environment.name());
        assert_eq!(environment.is_arktos(), environment.name().starts_with("arktos"));
    }
    let message = "there is no environment \"minikube\"; there are kind, gke, eks";
    assert!("minikube".parse::<Environment>().unwrap_err().to_string().starts_with(message));
}
