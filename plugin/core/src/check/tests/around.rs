//! Cases of what is around the network: versions, placement, ranges, leftovers, services, start-up and Arktos.

use super::Status::{Fail, Pass, Skipped, Unknown, Warn};
use super::{Case, case, daemon_pod, node};
use crate::facts::samples::*;
use crate::facts::{
    ApiGroupsFact, ContainerFact, CoreApiFact, DefinitionFact, Facts, Fetched, NamespaceFact, NetworkPolicyFact,
    Placement, PodFact, PodRole, SandboxFailureFact, ServiceFact, SubnetFact, SystemSourceFact, Taint, Toleration,
    VersionFact, VpcFact,
};

pub(super) fn cases() -> Vec<Case> {
    [of_the_plan(), of_components(), of_ranges(), of_leftovers(), of_services(), of_startup(), of_arktos()]
        .into_iter()
        .flatten()
        .collect()
}

fn tainted(effect: &str) -> Vec<Taint> {
    vec![Taint { key: "node.kubernetes.io/not-ready".into(), value: String::new(), effect: effect.into() }]
}

fn plan(facts: &mut Facts) -> &mut crate::facts::Plan {
    facts.plan.as_mut().expect("a plan")
}

fn of_the_plan() -> Vec<Case> {
    vec![
        case(
            "served-apis",
            Fail,
            "apiextensions.k8s.io/v1: the server has only apiextensions.k8s.io/v1beta1",
            |facts| {
                facts.api_groups.edit().versions.retain(|version| version != "apiextensions.k8s.io/v1");
            },
        ),
        case("served-apis", Fail, "batch/v1: not served", |facts| plan(facts).api_versions.push("batch/v1".into())),
        case("served-apis", Unknown, "not known what would be installed", |facts| facts.plan = None),
        case(
            "operator-placement",
            Fail,
            "0 of 3 nodes can take the operator; node-1, node-2, node-3: has the taint",
            {
                |facts| {
                    plan(facts).operator = Some(Placement { tolerations: Some(Vec::new()), ..Placement::default() });
                    facts.nodes.edit().iter_mut().for_each(|node| node.taints = tainted("NoSchedule"));
                }
            },
        ),
        case("operator-placement", Pass, "3 of 3", |facts| {
            let any = Toleration { operator: "Exists".into(), effect: "NoSchedule".into(), ..Toleration::default() };
            plan(facts).operator = Some(Placement { tolerations: Some(vec![any]), ..Placement::default() });
            // Every node of a cluster without a network has both, and the second goes by itself.
            let both = [tainted("NoSchedule"), tainted("NoExecute")].concat();
            facts.nodes.edit().iter_mut().for_each(|node| node.taints.clone_from(&both));
        }),
        case("operator-placement", Fail, "is not node-9, which the operator's nodeName asks for", |facts| {
            plan(facts).operator = Some(Placement { node: "node-9".into(), ..Placement::default() });
        }),
        case("operator-placement", Pass, "1 of 3", |facts| {
            plan(facts).operator = Some(Placement { node: "node-2".into(), ..Placement::default() });
        }),
        case("operator-placement", Fail, "which Kubemark pretends", |facts| {
            facts.pods.edit().push(an_operator_pod());
            node(facts, 0).provider_id = "kubemark://node-1".into();
        }),
        case("operator-placement", Skipped, "no operator is installed or planned", |facts| facts.plan = None),
        case("images-pinned", Warn, "mizarnet/endpointopr: tag latest moves", |facts| {
            plan(facts).images[1] = "mizarnet/endpointopr".into();
        }),
        case("images-pinned", Pass, "2 images, 1 of them pinned", |facts| {
            plan(facts).images[1] = format!("mizarnet/endpointopr:latest@sha256:{}", "a".repeat(64));
        }),
        case(
            "priority-classes",
            Fail,
            "Kubernetes v1.16.2 takes system-node-critical in namespace kube-system only",
            {
                |facts| {
                    let version = facts.version.edit();
                    (version.git_version, version.minor) = ("v1.16.2".into(), "16".into());
                }
            },
        ),
        case("priority-classes", Fail, "Arktos takes", |facts| {
            facts.core_api = Fetched::Known(CoreApiFact { resources: vec!["tenants".into()] });
        }),
        case("priority-classes", Pass, "1 pod template fine", |facts| {
            facts.core_api = Fetched::Known(CoreApiFact { resources: vec!["tenants".into()] });
            plan(facts).priorities[0].namespace = "kube-system".into();
        }),
    ]
}

fn of_components() -> Vec<Case> {
    vec![
        case("daemon", Warn, "2 of 3 daemons run the present template", |facts| {
            facts.daemon_sets.edit()[0].updated = 2;
        }),
        case("daemon", Fail, "node-1: container node-init ended with 1", |facts| {
            let failed =
                ContainerFact { name: "node-init".into(), init: true, exit_code: Some(1), ..ContainerFact::default() };
            let pod = daemon_pod(facts, 0);
            pod.ready = false;
            pod.containers.insert(0, failed);
        }),
        case("operator", Fail, "does not use the network of its node", |facts| {
            let pod = facts.pods.edit().iter_mut().find(|pod| pod.role == PodRole::Operator).expect("an operator");
            pod.host_network = false;
        }),
        case("operator-strategy", Warn, "with strategy RollingUpdate two operators run at once", |facts| {
            facts.deployments.edit()[0].strategy = "RollingUpdate".into();
        }),
        case("operator-strategy", Skipped, "no operator", |facts| facts.deployments.edit().clear()),
        case("image-versions", Warn, "operator 0.92, daemon 0.91, node set-up 0.91", |facts| {
            facts.deployments.edit()[0].images = vec!["localhost:5000/endpointopr:0.92".into()];
        }),
        case("image-versions", Warn, "operator 0.91, daemon 0.91, node set-up 0.9", |facts| {
            facts.daemon_sets.edit()[0].init_images = vec!["mizarnet/mizar:0.9".into()];
        }),
        case(
            "image-versions",
            Warn,
            "2 different images: mizarnet/dropletd:0.9 on node-2; mizarnet/dropletd:0.91 on node-1, node-3",
            |facts| daemon_pod(facts, 1).containers[0].image = "mizarnet/dropletd:0.9".into(),
        ),
        case("image-versions", Warn, "its tag was moved): sha256:aa on node-1, node-2; sha256:bb on node-3", |facts| {
            for (index, digest) in ["aa", "aa", "bb"].into_iter().enumerate() {
                daemon_pod(facts, index).containers[0].image_id =
                    format!("docker.io/mizarnet/dropletd@sha256:{digest}");
            }
        }),
        case("image-versions", Pass, "all parts are of version 0.91", |facts| {
            // Another architecture has another image under the same name.
            node(facts, 2).architecture = "arm64".into();
            for (index, digest) in ["aa", "aa", "bb"].into_iter().enumerate() {
                daemon_pod(facts, index).containers[0].image_id =
                    format!("docker.io/mizarnet/dropletd@sha256:{digest}");
            }
        }),
    ]
}

fn of_ranges() -> Vec<Case> {
    vec![
        case("network-ranges", Fail, "Vpc vpc0: its range 10.20.0.0/16 holds 10.20.0.7 of Node node-2", |facts| {
            node(facts, 1).internal_ips.push("10.20.0.7".into());
        }),
        case("network-ranges", Fail, "holds 10.20.3.4 of Service default/shop", |facts| {
            facts.services.edit().push(a_service("shop", "10.20.3.4"));
        }),
        case(
            "network-ranges",
            Fail,
            "Vpc vpc1: its range 10.20.4.0/24 overlaps 10.20.0.0/16 of Vpc vpc0 in the same number",
            {
                |facts| {
                    let second =
                        VpcFact { object: provisioned("vpc1"), ip: "10.20.4.0".into(), prefix: "24".into(), ..a_vpc() };
                    facts.vpcs.edit().insert(0, second);
                }
            },
        ),
        case("network-ranges", Pass, "all 3 ranges fine", |facts| {
            // Another number on the wire is another space of addresses.
            facts.vpcs.edit().push(VpcFact { object: provisioned("vpc1"), vni: "77".into(), ..a_vpc() });
        }),
        case(
            "network-ranges",
            Fail,
            "Subnet net1: its range 10.20.8.0/24 overlaps 10.20.0.0/16 of Subnet net0",
            |facts| {
                let second = SubnetFact {
                    object: provisioned("net1"),
                    ip: "10.20.8.0".into(),
                    prefix: "24".into(),
                    ..a_subnet()
                };
                facts.subnets.edit().push(second);
            },
        ),
        case("objects-namespace", Warn, "vpcs.mizar.com shop/vpc0: is in a namespace", |facts| {
            facts.vpcs.edit()[0].object.namespace = "shop".into();
        }),
    ]
}

fn held_namespace(deleting: i64, held_by: &[&str]) -> NamespaceFact {
    NamespaceFact {
        name: "shop".into(),
        deleting: minutes_ago(deleting),
        finalizer: false,
        held_by: held_by.iter().map(|&reason| reason.to_owned()).collect(),
    }
}

fn of_leftovers() -> Vec<Case> {
    vec![
        case("left-finalizers", Warn, "2 nodes, 1 namespace, 1 networkpolicy cannot be deleted", |facts| {
            node(facts, 0).finalizer = true;
            node(facts, 2).finalizer = true;
            facts.namespaces.edit()[0].finalizer = true;
            let policy = NetworkPolicyFact { namespace: "a".into(), name: "b".into(), finalizer: true, deleting: None };
            facts.network_policies.edit().push(policy);
        }),
        case("left-finalizers", Pass, "1 object with the finalizer of the operator, which is installed", |facts| {
            node(facts, 0).finalizer = true;
            facts.deployments.edit().push(an_operator());
        }),
        case(
            "left-objects",
            Warn,
            "12 objects of Mizar and no operator, which is needed to delete 1 of them",
            |facts| {
                facts.deployments.edit().clear();
                facts.vpcs.edit()[0].object.finalizer = true;
            },
        ),
        case("stuck-deletions", Fail, "pod default/web: being deleted, and the operator does not", |facts| {
            let pod = facts.pods.edit().iter_mut().find(|pod| pod.name == "web").expect("a pod");
            (pod.finalizer, pod.deleting) = (true, minutes_ago(3));
        }),
        case("stuck-deletions", Pass, "nothing waits", |facts| {
            let pod = facts.pods.edit().iter_mut().find(|pod| pod.name == "web").expect("a pod");
            (pod.finalizer, pod.deleting) = (true, minutes_ago(1));
        }),
        case("stuck-deletions", Fail, "vpcs.mizar.com: its objects do not go", |facts| {
            let definition = DefinitionFact { deleting: minutes_ago(5), ..a_definition("vpcs") };
            facts.definitions.edit().push(definition);
        }),
        case("stuck-deletions", Fail, "namespace shop: being deleted: finalizers remaining: kopf", |facts| {
            let reason = "finalizers remaining: kopf.zalando.org/KopfFinalizerMarker in 2 resource instances";
            facts.namespaces.edit().push(held_namespace(5, &[reason]));
        }),
        case("stuck-deletions", Warn, "namespace shop: being deleted: volumes remain", |facts| {
            facts.namespaces.edit().push(held_namespace(5, &["volumes remain"]));
        }),
        case("release-namespace", Fail, "namespace mizar-system is being deleted: volumes remain", |facts| {
            let namespace = NamespaceFact { name: "mizar-system".into(), ..held_namespace(1, &["volumes remain"]) };
            facts.namespaces.edit().push(namespace);
        }),
        case("existing-mizar", Pass, "; Mizar 0.91 is at work", |facts| {
            *facts = a_healthy_cluster();
        }),
    ]
}

fn named_server(ready: bool) -> PodFact {
    PodFact { namespace: "kube-system".into(), role: PodRole::Dns, ready, ..a_pod("coredns-1", "10.20.0.3") }
}

fn of_services() -> Vec<Case> {
    vec![
        case("dns", Fail, "Deployment kube-system/coredns: 0 of 2 name servers are ready", |facts| {
            facts.deployments.edit()[1].ready = 0;
        }),
        case("dns", Warn, "1 of 2 name servers are ready", |facts| facts.deployments.edit()[1].ready = 1),
        case("dns", Fail, "no address: every name in the cluster is unknown", |facts| {
            facts.dns.edit().addresses.clear();
        }),
        case("dns", Warn, "kube-system/coredns-1: not ready", |facts| {
            facts.pods.edit().extend([named_server(false), PodFact { name: "coredns-2".into(), ..named_server(true) }]);
        }),
        case("dns", Fail, "not ready", |facts| {
            facts.deployments.edit().truncate(1);
            facts.pods.edit().push(named_server(false));
        }),
        case("dns", Skipped, "no name service with the usual names", |facts| {
            facts.deployments.edit().truncate(1);
            facts.dns = Fetched::Absent;
        }),
        case("service-endpoints", Fail, "default/shop: has no Endpoint of Mizar", |facts| {
            facts.services.edit().push(a_service("shop", "10.96.0.7"));
        }),
        case("service-endpoints", Fail, "its Endpoint has another address", |facts| {
            facts.services.edit()[0].cluster_ips = vec!["10.96.0.2".into()];
        }),
        case("service-endpoints", Fail, "is not Provisioned", |facts| {
            let scaled = facts.endpoints.edit().iter_mut().find(|endpoint| endpoint.kind == "scaled");
            scaled.expect("an Endpoint").object.status = "Init".into();
        }),
        case("service-endpoints", Pass, "1 service fine", |facts| {
            let headless = ServiceFact { cluster_ips: Vec::new(), ..a_service("headless", "") };
            let external = ServiceFact { kind: "ExternalName".into(), cluster_ips: Vec::new(), ..headless.clone() };
            let six = ServiceFact { cluster_ips: vec!["fd00::7".into()], ..a_service("six", "") };
            facts.services.edit().extend([headless, external, six]);
        }),
        case("service-endpoints", Pass, "all 2 services fine", |facts| {
            facts.services.edit().push(ServiceFact { created: minutes_ago(0), ..a_service("young", "10.96.0.7") });
        }),
        case("service-endpoints", Pass, "1 service fine", |facts| {
            // Mizar was installed just now.
            let scaled = facts.endpoints.edit().iter_mut().find(|endpoint| endpoint.kind == "scaled");
            let object = &mut scaled.expect("an Endpoint").object;
            (object.status, object.created) = ("Init".into(), minutes_ago(0));
        }),
        case("service-endpoints", Warn, "gone-default: its service is gone", |facts| {
            facts.endpoints.edit().push(a_service_endpoint("gone", "10.96.0.9"));
        }),
        case("service-endpoints", Pass, "fine", |facts| {
            // A placeholder keeps the address of a pod; it is nobody's service.
            let mut placeholder = a_service_endpoint("mizar-hold-1-10.20.0.2", "10.20.0.2");
            placeholder.object.holds_for = Some("uid".into());
            facts.endpoints.edit().push(placeholder);
        }),
    ]
}

fn starting(minutes: i64) -> PodFact {
    PodFact {
        phase: "Pending".into(),
        ready: false,
        waiting: Some("ContainerCreating".into()),
        placed: minutes_ago(minutes),
        ..a_pod("starting", "")
    }
}

fn failure(minutes: i64) -> SandboxFailureFact {
    SandboxFailureFact {
        namespace: "default".into(),
        pod: "starting".into(),
        message: "network: mizarcni: context deadline exceeded".into(),
        count: 3,
        last: minutes_ago(minutes),
        ..SandboxFailureFact::default()
    }
}

fn of_startup() -> Vec<Case> {
    vec![
        case("pod-sandboxes", Fail, "default/starting: the kubelet cannot give it a network", |facts| {
            facts.pods.edit().push(starting(6));
            facts.sandbox_failures.edit().extend([failure(4), failure(1)]);
        }),
        case("pod-sandboxes", Warn, "its network is late", |facts| {
            facts.pods.edit().push(starting(2));
            facts.sandbox_failures.edit().push(failure(1));
        }),
        case("pod-sandboxes", Warn, "no event tells why", |facts| {
            facts.pods.edit().push(starting(6));
            facts.sandbox_failures.edit().push(failure(11));
        }),
        case("pod-sandboxes", Pass, "fine", |facts| {
            facts.pods.edit().push(starting(0));
            facts.sandbox_failures.edit().push(failure(0));
        }),
        case("pod-sandboxes", Pass, "fine", |facts| {
            // What came up since is well, and what Kubemark pretends does not count.
            facts
                .pods
                .edit()
                .extend([a_pod("started", "10.20.0.9"), PodFact { node: "hollow-node-1".into(), ..starting(9) }]);
            facts.sandbox_failures.edit().push(SandboxFailureFact { pod: "started".into(), ..failure(1) });
            facts.nodes.edit().push(crate::facts::NodeFact { name: "hollow-node-1".into(), ..a_node(9) });
        }),
        case("system-restarts", Fail, "proxy: crashes again and again", |facts| {
            let pod = PodFact {
                namespace: "kube-system".into(),
                waiting: Some("CrashLoopBackOff".into()),
                restarts: 7,
                restarted: minutes_ago(2),
                ..a_pod("proxy", "10.20.0.9")
            };
            facts.pods.edit().push(pod);
        }),
        case("system-restarts", Warn, "proxy: restarted within the last 10 minutes", |facts| {
            let pod = PodFact {
                namespace: "kube-system".into(),
                restarts: 1,
                restarted: minutes_ago(2),
                ..a_pod("proxy", "10.20.0.9")
            };
            facts.pods.edit().push(pod);
        }),
        case("system-restarts", Pass, "1 kube-system pod fine", |facts| {
            let pod = PodFact {
                namespace: "kube-system".into(),
                restarts: 9,
                restarted: minutes_ago(300),
                ..a_pod("proxy", "10.20.0.9")
            };
            facts.pods.edit().push(pod);
        }),
    ]
}

fn of_arktos() -> Vec<Case> {
    vec![
        case("system-source", Warn, "works for Arktos, which this server is not", |facts| {
            let arktos = SystemSourceFact { name: Some("arktos".into()), created: minutes_ago(60) };
            facts.system_source = Fetched::Known(arktos);
        }),
        case("arktos-runtime", Warn, "node-2: containerd://1.7.20 is not Arktos' build", |facts| {
            node(facts, 1).container_runtime = "containerd://1.7.20".into();
        }),
        case("arktos-runtime", Skipped, "this cluster is not Arktos", |facts| *facts = a_healthy_cluster()),
        case("arktos-versions", Fail, "an operator of version 0.9 misreads", |facts| {
            plan(facts).operator_image = "mizarnet/endpointopr:0.9".into();
        }),
        case("arktos-versions", Warn, "Arktos v0.9.0 does not tell", |facts| {
            facts.version = Fetched::Known(VersionFact { git_version: "v0.9.0".into(), ..VersionFact::default() });
        }),
        case("arktos-versions", Unknown, "calls its version \"mine\"", |facts| {
            facts.version = Fetched::Known(VersionFact { git_version: "mine".into(), ..VersionFact::default() });
        }),
        case("arktos-mode", Fail, "hears of no pod of Arktos", |facts| facts.system_source = Fetched::Absent),
        case("arktos-mode", Fail, "hears of no pod of Arktos", |facts| {
            facts.system_source.edit().name = Some("kubernetes".into());
        }),
        case("arktos-mode", Fail, "the operator started before ConfigMap kube-system/system-source", |facts| {
            facts.system_source.edit().created = minutes_ago(10);
        }),
        case("arktos-mode", Pass, "works for Arktos", |facts| {
            // Its container started again since; the pod is older than the ConfigMap.
            facts.system_source.edit().created = minutes_ago(10);
            let pod = facts.pods.edit().iter_mut().find(|pod| pod.role == PodRole::Operator).expect("an operator");
            pod.containers[0].started = minutes_ago(5);
        }),
        case(
            "arktos-operator-address",
            Fail,
            "Arktos calls the operator at 192.168.0.9, but it runs on node-1",
            |facts| {
                facts.grpc_service.edit().host = "192.168.0.9".into();
            },
        ),
        case("arktos-operator-address", Fail, "does not know where the operator is", |facts| {
            facts.grpc_service = Fetched::Absent;
        }),
        case("arktos-operator-address", Pass, "at 172.16.0.1", |facts| {
            node(facts, 0).internal_ips.push("172.16.0.1".into());
            facts.grpc_service.edit().host = "172.16.0.1".into();
        }),
        case("arktos-networks", Fail, "Network system/default: is not Ready", |facts| {
            facts.arktos_networks.edit()[0].phase = "Pending".into();
        }),
        case("arktos-networks", Warn, "is not of type mizar", |facts| {
            facts.arktos_networks.edit()[0].kind = "flat".into();
        }),
        case("arktos-networks", Fail, "has a Vpc that does not exist", |facts| {
            facts.arktos_networks.edit()[0].vpc = "system-default-network".into();
        }),
        case("arktos-networks", Warn, "there is no network", |facts| facts.arktos_networks.edit().clear()),
        case("arktos-network-dns", Fail, "Network system/default: has no name server", |facts| {
            facts.deployments.edit().retain(|deployment| deployment.name != "coredns-default");
        }),
        case("arktos-network-dns", Fail, "its name server is not ready", |facts| {
            facts.deployments.edit().iter_mut().for_each(|deployment| deployment.ready = 0);
        }),
        case("arktos-network-dns", Fail, "its name service has no address", |facts| {
            facts.services.edit().retain(|service| service.name != "kube-dns-default");
        }),
        case("arktos-network-dns", Pass, "all 2 networks fine", |facts| {
            // Those of other tenants cannot be seen from here.
            let other = crate::facts::ArktosNetworkFact { tenant: "shop".into(), ..an_arktos_network("default") };
            facts.arktos_networks.edit().extend([other, an_arktos_network("second")]);
            facts.deployments.edit().push(a_name_server("coredns-second"));
            facts.services.edit().push(a_service("kube-dns-second", "10.96.0.11"));
        }),
        case("arktos-mode", Skipped, "this cluster is not Arktos", |facts| {
            facts.core_api = Fetched::Known(CoreApiFact { resources: vec!["pods".into()] });
            facts.api_groups = Fetched::Known(ApiGroupsFact { versions: vec!["apps/v1".into()] });
        }),
    ]
}
