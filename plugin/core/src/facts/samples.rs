//! Facts for tests: a cluster that is ready for Mizar, the same cluster with a healthy Mizar, and the pieces they are
//! made of.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::*;

/// The moment at which all samples are judged.
pub(crate) fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

pub(crate) fn minutes_ago(minutes: i64) -> Option<Timestamp> {
    now().checked_sub(SignedDuration::from_mins(minutes)).ok()
}

/// A ready Ubuntu node; its number is the last part of its address.
pub(crate) fn a_node(number: u8) -> NodeFact {
    NodeFact {
        name: format!("node-{number}"),
        created: minutes_ago(600),
        readiness: Readiness::Ready,
        readiness_since: minutes_ago(600),
        internal_ips: vec![format!("192.168.0.{number}")],
        operating_system: "linux".into(),
        architecture: "amd64".into(),
        kernel_version: "5.15.0-118-generic".into(),
        os_image: "Ubuntu 22.04.4 LTS".into(),
        container_runtime: "containerd://1.7.20".into(),
        kubelet_version: "v1.36.4".into(),
        ..NodeFact::default()
    }
}

/// A running pod of a ReplicaSet on node 1.
pub(crate) fn a_pod(name: &str, ip: &str) -> PodFact {
    PodFact {
        namespace: "default".into(),
        name: name.into(),
        created: minutes_ago(30),
        node: "node-1".into(),
        phase: "Running".into(),
        ready: true,
        ip: ip.into(),
        host_ip: "192.168.0.1".into(),
        owner: Some(Owner { kind: "ReplicaSet".into(), name: "web".into() }),
        ..PodFact::default()
    }
}

fn a_mizar_pod(role: PodRole, name: &str, node: u8, image: &str) -> PodFact {
    PodFact {
        namespace: "mizar-system".into(),
        host_network: true,
        role,
        node: format!("node-{node}").into(),
        containers: vec![ContainerFact {
            name: "main".into(),
            image: image.into(),
            ready: true,
            started: minutes_ago(31),
            ..ContainerFact::default()
        }],
        created: minutes_ago(31),
        ..a_pod(name, &format!("192.168.0.{node}"))
    }
}

pub(crate) fn a_daemon_pod(node: u8) -> PodFact {
    a_mizar_pod(PodRole::Daemon, &format!("mizar-daemon-{node}"), node, "mizarnet/dropletd:0.91")
}

pub(crate) fn an_operator_pod() -> PodFact {
    a_mizar_pod(PodRole::Operator, "mizar-operator-1", 1, "mizarnet/endpointopr:0.91")
}

pub(crate) fn helm_mark(release: &str) -> HelmMark {
    HelmMark { release: release.into(), namespace: "mizar-system".into() }
}

pub(crate) fn a_daemon_set() -> DaemonSetFact {
    DaemonSetFact {
        namespace: "mizar-system".into(),
        name: "mizar-daemon".into(),
        helm: Some(helm_mark("mizar")),
        generation: 1,
        observed_generation: 1,
        desired: 3,
        current: 3,
        ready: 3,
        updated: 3,
        images: vec!["mizarnet/dropletd:0.91".into()],
        init_images: vec!["mizarnet/mizar:0.91".into()],
        ..DaemonSetFact::default()
    }
}

pub(crate) fn a_foreign_daemon_set(name: &str) -> DaemonSetFact {
    DaemonSetFact { namespace: "kube-system".into(), name: name.into(), desired: 3, ..DaemonSetFact::default() }
}

pub(crate) fn an_operator() -> DeploymentFact {
    DeploymentFact {
        namespace: "mizar-system".into(),
        name: "mizar-operator".into(),
        helm: Some(helm_mark("mizar")),
        generation: 1,
        observed_generation: 1,
        replicas: 1,
        ready: 1,
        images: vec!["mizarnet/endpointopr:0.91".into()],
        strategy: "Recreate".into(),
        ..DeploymentFact::default()
    }
}

/// A name server of kube-system with two ready pods.
pub(crate) fn a_name_server(name: &str) -> DeploymentFact {
    DeploymentFact {
        namespace: "kube-system".into(),
        name: name.into(),
        labels: [("k8s-app".to_owned(), "kube-dns".to_owned())].into(),
        replicas: 2,
        ready: 2,
        strategy: "RollingUpdate".into(),
        ..DeploymentFact::default()
    }
}

pub(crate) fn provisioned(name: &str) -> MizarObject {
    MizarObject {
        name: name.into(),
        namespace: "default".into(),
        uid: format!("uid-of-{name}").as_str().into(),
        created: minutes_ago(30),
        provisioned: minutes_ago(30),
        status: "Provisioned".into(),
        ..MizarObject::default()
    }
}

pub(crate) fn a_droplet(number: u8) -> DropletFact {
    DropletFact {
        object: provisioned(&format!("host-{number}")),
        main_ip: format!("192.168.0.{number}").into(),
        ip: format!("192.168.0.{number}").into(),
        mac: format!("02:00:00:00:00:0{number}").into(),
        itf: "eth0".into(),
    }
}

pub(crate) fn a_vpc() -> VpcFact {
    VpcFact {
        object: provisioned("vpc0"),
        ip: "10.20.0.0".into(),
        prefix: "16".into(),
        vni: "1".into(),
        dividers: Some(1),
    }
}

pub(crate) fn a_divider(name: &str) -> DividerFact {
    DividerFact { object: provisioned(name), vpc: "vpc0".into(), droplet: "host-1".into() }
}

pub(crate) fn a_subnet() -> SubnetFact {
    SubnetFact {
        object: provisioned("net0"),
        ip: "10.20.0.0".into(),
        prefix: "16".into(),
        vni: "1".into(),
        vpc: "vpc0".into(),
        bouncers: Some(1),
        kind: Text::default(),
    }
}

pub(crate) fn a_bouncer(name: &str) -> BouncerFact {
    BouncerFact { object: provisioned(name), vpc: "vpc0".into(), net: "net0".into(), droplet: "host-2".into() }
}

fn an_endpoint(kind: &str, name: &str, ip: &str, droplet: u8) -> EndpointFact {
    EndpointFact {
        object: provisioned(name),
        kind: kind.into(),
        ip: ip.into(),
        vni: "1".into(),
        vpc: "vpc0".into(),
        net: "net0".into(),
        droplet: format!("host-{droplet}").into(),
        pod: Text::default(),
    }
}

pub(crate) fn a_host_endpoint(number: u8) -> EndpointFact {
    an_endpoint("host", &format!("host-{number}-default--hostep-1"), &format!("192.168.0.{number}"), number)
}

/// The Endpoint of [`a_service`] with this name.
pub(crate) fn a_service_endpoint(service: &str, ip: &str) -> EndpointFact {
    EndpointFact { droplet: Text::default(), ..an_endpoint("scaled", &format!("{service}-default"), ip, 1) }
}

/// The Endpoint of [`a_pod`] with this name.
pub(crate) fn a_pod_endpoint(pod: &str, ip: &str) -> EndpointFact {
    EndpointFact { pod: pod.into(), ..an_endpoint("simple", &format!("{pod}-default--eth0"), ip, 1) }
}

/// What keeps an address for the pod with this UID. The operator writes no time on it.
pub(crate) fn a_placeholder(ip: &str, pod: &str) -> EndpointFact {
    let mut held = EndpointFact { droplet: Text::default(), ..an_endpoint("scaled", &format!("hold-{ip}"), ip, 1) };
    (held.object.holds_for, held.object.provisioned) = (Some(pod.into()), None);
    held
}

pub(crate) fn a_definition(plural: &str) -> DefinitionFact {
    DefinitionFact {
        name: format!("{plural}.mizar.com"),
        helm: Some(helm_mark("mizar-crds")),
        established: true,
        names_accepted: true,
        served: vec!["v1".into()],
        ..DefinitionFact::default()
    }
}

pub(crate) fn a_release(name: &str) -> ReleaseFact {
    ReleaseFact {
        name: name.into(),
        namespace: "mizar-system".into(),
        revision: 1,
        status: "deployed".into(),
        chart_version: None,
    }
}

pub(crate) fn a_retry(handler: &str, started: Option<Timestamp>) -> Retry {
    Retry { handler: handler.into(), started, retries: 4, message: Some("Bouncers not yet ready!".into()) }
}

pub(crate) fn a_service(name: &str, ip: &str) -> ServiceFact {
    ServiceFact {
        namespace: "default".into(),
        name: name.into(),
        kind: "ClusterIP".into(),
        cluster_ips: vec![ip.into()],
        created: minutes_ago(600),
        ..ServiceFact::default()
    }
}

fn everything_allowed() -> Permissions {
    let mut permissions = Permissions::default();
    let review = json!({"status": {"incomplete": false, "nonResourceRules": [], "resourceRules":
        [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]}});
    permissions.rules.insert(String::new(), RuleSet::from_review(&review));
    permissions
}

/// Three nodes without a pod network, and a user who may do everything.
pub(crate) fn a_cluster_before() -> Facts {
    Facts {
        gathered_at: now(),
        change: Fetched::Absent,
        client: Fetched::Known(ClientFact {
            kubectl_path: Some("/usr/bin/kubectl".into()),
            kubectl_version: Some("v1.36.2".into()),
        }),
        version: Fetched::Known(VersionFact {
            git_version: "v1.36.2".into(),
            major: "1".into(),
            minor: "36".into(),
            platform: "linux/amd64".into(),
        }),
        nodes: Fetched::Known((1..=3).map(a_node).collect()),
        pods: Fetched::Known(Vec::new()),
        services: Fetched::Known(vec![a_service("kubernetes", "10.96.0.1")]),
        api_server: Fetched::Known(ApiServerFact { addresses: vec!["192.168.0.1".into()] }),
        daemon_sets: Fetched::Known(vec![a_foreign_daemon_set("kube-proxy")]),
        deployments: Fetched::Known(Vec::new()),
        namespaces: Fetched::Known(vec![NamespaceFact { name: "default".into(), ..NamespaceFact::default() }]),
        definitions: Fetched::Known(Vec::new()),
        droplets: Fetched::Absent,
        vpcs: Fetched::Absent,
        dividers: Fetched::Absent,
        subnets: Fetched::Absent,
        bouncers: Fetched::Absent,
        endpoints: Fetched::Absent,
        releases: Fetched::Known(Vec::new()),
        system_source: Fetched::Absent,
        dns: Fetched::Known(DnsFact { addresses: vec!["10.20.0.3".into()] }),
        disruption_budgets: Fetched::NotAsked,
        network_policies: Fetched::Known(Vec::new()),
        sandbox_failures: Fetched::Known(Vec::new()),
        grpc_service: Fetched::Absent,
        arktos_networks: Fetched::Absent,
        core_api: Fetched::Known(CoreApiFact { resources: vec!["pods".into(), "nodes".into()] }),
        api_groups: Fetched::Known(ApiGroupsFact {
            versions: vec!["apps/v1".into(), "apiextensions.k8s.io/v1".into(), "apiextensions.k8s.io/v1beta1".into()],
        }),
        permissions: Fetched::Known(everything_allowed()),
        plan: Some(Plan {
            pod_network: Some("10.20.0.0/16".into()),
            needs: crate::check::access::needs_of([], "mizar-system"),
            operator: Some(Placement::default()),
            images: vec!["mizarnet/dropletd:0.91".into(), "mizarnet/endpointopr:0.91".into()],
            operator_image: "mizarnet/endpointopr:0.91".into(),
            api_versions: vec!["v1".into(), "apps/v1".into(), "apiextensions.k8s.io/v1".into()],
            priorities: vec![PriorityUse {
                object: "DaemonSet mizar-daemon".into(),
                namespace: "mizar-system".into(),
                class: "system-node-critical".into(),
            }],
            ..Plan::default()
        }),
    }
}

/// The same cluster with a healthy Mizar and one pod, default/web.
pub(crate) fn a_healthy_cluster() -> Facts {
    let mut facts = a_cluster_before();
    let plurals = ["bouncers", "dividers", "droplets", "endpoints", "subnets", "vpcs"];
    let mut pods: Vec<PodFact> = (1..=3).map(a_daemon_pod).collect();
    pods.extend([an_operator_pod(), a_pod("web", "10.20.0.2")]);
    let mut endpoints: Vec<EndpointFact> = (1..=3).map(a_host_endpoint).collect();
    endpoints.push(a_pod_endpoint("web", "10.20.0.2"));
    endpoints.push(a_service_endpoint("kubernetes", "10.96.0.1"));
    facts.pods = Fetched::Known(pods);
    facts.daemon_sets = Fetched::Known(vec![a_daemon_set(), a_foreign_daemon_set("kube-proxy")]);
    facts.deployments = Fetched::Known(vec![an_operator(), a_name_server("coredns")]);
    facts.definitions = Fetched::Known(plurals.into_iter().map(a_definition).collect());
    facts.releases = Fetched::Known(vec![a_release("mizar-crds"), a_release("mizar")]);
    facts.droplets = Fetched::Known((1..=3).map(a_droplet).collect());
    facts.vpcs = Fetched::Known(vec![a_vpc()]);
    facts.dividers = Fetched::Known(vec![a_divider("vpc0-d-1")]);
    facts.subnets = Fetched::Known(vec![a_subnet()]);
    facts.bouncers = Fetched::Known(vec![a_bouncer("net0-b-1")]);
    facts.endpoints = Fetched::Known(endpoints);
    facts
}

/// The same cluster as Arktos, with the network of its own tenant.
pub(crate) fn a_healthy_arktos() -> Facts {
    let mut facts = a_healthy_cluster();
    facts.version = Fetched::Known(VersionFact { git_version: "v1.0.0".into(), ..VersionFact::default() });
    facts.core_api = Fetched::Known(CoreApiFact { resources: vec!["pods".into(), "tenants".into()] });
    facts.api_groups = Fetched::Known(ApiGroupsFact { versions: vec!["arktos.futurewei.com/v1".into()] });
    facts.system_source = Fetched::Known(SystemSourceFact { name: Some("arktos".into()), created: minutes_ago(60) });
    facts.grpc_service = Fetched::Known(GrpcServiceFact { host: "192.168.0.1".into(), created: minutes_ago(30) });
    facts.arktos_networks = Fetched::Known(vec![an_arktos_network("default")]);
    facts.nodes.edit().iter_mut().for_each(|node| node.container_runtime = "containerd://1.4.2".into());
    facts.deployments.edit().push(a_name_server("coredns-default"));
    let of_network = ServiceFact { namespace: "kube-system".into(), ..a_service("kube-dns-default", "10.96.0.10") };
    facts.services.edit().push(of_network);
    let endpoint = EndpointFact {
        object: provisioned("kube-dns-default-kube-system-system"),
        ..a_service_endpoint("kube-dns-default", "10.96.0.10")
    };
    facts.endpoints.edit().push(endpoint);
    facts
}

pub(crate) fn an_arktos_network(name: &str) -> ArktosNetworkFact {
    ArktosNetworkFact {
        tenant: "system".into(),
        name: name.into(),
        kind: "mizar".into(),
        phase: "Ready".into(),
        vpc: "vpc0".into(),
    }
}

impl<T> Fetched<T> {
    /// The value, to change it for a test.
    pub(crate) fn edit(&mut self) -> &mut T {
        match self {
            Self::Known(value) => value,
            Self::Denied { .. } | Self::Failed { .. } | Self::Absent | Self::NotAsked => {
                panic!("the sample does not know this source")
            }
        }
    }
}
