//! What must be true of everything that was asked of the API server during a whole journey, however many commands it had and
//! however they ended: judged from the audit log alone, so that upgrade, rollback, adoption and uninstall can call it.
//!
//! The log tells who wrote what and not the content, so that what a final state shows (cordons, leases, finalizers) is for
//! [`crate::matrix::oracle`].

use std::collections::{BTreeMap, BTreeSet};

use mizar_bed::{AuditEntry, AuditTrail};

/// What the journey was allowed to do besides.
#[derive(Debug, Clone)]
pub(crate) struct Journey {
    /// Whether an operator ran when the log began.
    pub(crate) operator_ran: bool,
    /// The definitions were to go: `uninstall --crds`.
    pub(crate) definitions_go: bool,
    /// The records were to go, and every object of Mizar's with them: `uninstall`.
    pub(crate) all_goes: bool,
    /// How many revisions of a release are kept.
    pub(crate) history_max: u64,
    /// Endpoints and Droplets whose pod or node was gone before the log began.
    pub(crate) leaked: BTreeSet<String>,
}

impl Default for Journey {
    fn default() -> Self {
        Self { operator_ran: false, definitions_go: false, all_goes: false, history_max: 10, leaked: BTreeSet::new() }
    }
}

/// Asserts that a journey lost nothing, that nothing of Mizar's was deleted under a running operator, and that every write of
/// ours says which command made it.
#[track_caller]
pub(crate) fn assert_nothing_lost(trail: &AuditTrail, journey: &Journey) {
    let complaints = complaints(trail, journey);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Everything that is wrong with a journey.
fn complaints(trail: &AuditTrail, journey: &Journey) -> Vec<String> {
    let mut all = unattributed(trail);
    all.extend(definitions_lost(trail, journey));
    all.extend(records_lost(trail, journey));
    all.extend(deleted_under_an_operator(trail, journey));
    all.extend(objects_lost(trail, journey));
    all
}

fn is_ours(entry: &AuditEntry) -> bool {
    entry.user_agent.starts_with("kubectl-mizar/")
}

fn succeeded(entry: &AuditEntry) -> bool {
    (200..300).contains(&entry.code) && !entry.uri.contains("dryRun=All")
}

fn deletes(entry: &AuditEntry) -> bool {
    matches!(entry.verb.as_str(), "delete" | "deletecollection") && succeeded(entry)
}

fn told(entry: &AuditEntry) -> String {
    let place = if entry.namespace.is_empty() { String::new() } else { format!("{}/", entry.namespace) };
    format!("{} {} {place}{} at {} by {}", entry.verb, entry.resource, entry.name, entry.received, entry.user_agent)
}

/// Writes of ours whose User-Agent does not end with command and phase.
fn unattributed(trail: &AuditTrail) -> Vec<String> {
    let is_attributed = |agent: &str| {
        let words: Vec<&str> = agent.split(' ').collect();
        let named =
            |text: &&str| text.split_once('/').is_some_and(|(command, phase)| !command.is_empty() && !phase.is_empty());
        words.len() == 3 && words[1].starts_with('(') && named(&words[2])
    };
    let writes = trail.entries().iter().filter(|entry| is_ours(entry) && entry.is_write());
    writes
        .filter(|entry| !is_attributed(&entry.user_agent))
        .map(|entry| format!("by no command: {}", told(entry)))
        .collect()
}

/// Definitions that went, whoever deleted them: all of Mizar's objects go with one.
fn definitions_lost(trail: &AuditTrail, journey: &Journey) -> Vec<String> {
    let gone = trail.entries().iter().filter(|entry| entry.resource == "customresourcedefinitions" && deletes(entry));
    let lost = gone.filter(|entry| !(journey.definitions_go && is_ours(entry)));
    lost.map(|entry| format!("a definition was lost: {}", told(entry))).collect()
}

/// The release and revision that a Secret records.
fn revision_of(secret: &str) -> Option<(&str, u64)> {
    let (release, revision) = secret.strip_prefix("sh.helm.release.v1.")?.rsplit_once(".v")?;
    Some((release, revision.parse().ok()?))
}

/// Records of ours or of a release that went, other than the oldest to make room for a new one.
fn records_lost(trail: &AuditTrail, journey: &Journey) -> Vec<String> {
    let secrets: Vec<&AuditEntry> = trail.entries().iter().filter(|entry| entry.resource == "secrets").collect();
    let makes_room = |at: usize, release: &str, revision: u64| {
        let later = secrets[at..].iter().filter(|entry| entry.verb == "create" && succeeded(entry));
        let next = later.filter_map(|entry| revision_of(&entry.name)).find(|(of, _)| *of == release);
        journey.history_max > 0 && next.is_some_and(|(_, next)| next >= revision + journey.history_max)
    };
    let mut lost = Vec::new();
    for (at, entry) in secrets.iter().enumerate().filter(|(_, entry)| is_ours(entry) && deletes(entry)) {
        let is_lost = match revision_of(&entry.name) {
            Some((release, revision)) => !makes_room(at, release, revision),
            // A collection has no name: whatever it was, nobody meant each of them.
            None => entry.name.is_empty() || entry.name == "mizar-operation",
        };
        if is_lost && !journey.all_goes {
            lost.push(format!("a record was lost: {}", told(entry)));
        }
    }
    lost
}

/// Whether an operator's pod is there, entry by entry: from when it is bound to a node until it is gone.
fn operators(trail: &AuditTrail, journey: &Journey) -> Vec<bool> {
    let entries = trail.entries();
    let of_operator = |entry: &AuditEntry| entry.resource == "pods" && entry.name.starts_with("mizar-operator-");
    let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, entry) in entries.iter().enumerate().filter(|(_, entry)| of_operator(entry) && deletes(entry)) {
        ends.insert(&entry.name, at);
    }
    let bound: BTreeMap<&str, usize> = (entries.iter().enumerate())
        .filter(|(_, entry)| of_operator(entry) && entry.subresource == "binding" && succeeded(entry))
        .map(|(at, entry)| (entry.name.as_str(), at))
        .collect();
    // Those that were there before the log began are only seen to go.
    let before = ends.iter().filter(|(name, _)| !bound.contains_key(*name)).map(|(_, end)| (0, *end));
    let mut runs: Vec<(usize, usize)> = before.collect();
    runs.extend(bound.iter().map(|(name, begin)| (*begin, ends.get(name).copied().unwrap_or(entries.len()))));
    if journey.operator_ran && ends.is_empty() && bound.is_empty() {
        runs.push((0, entries.len()));
    }
    (0..entries.len()).map(|at| runs.iter().any(|(begin, end)| (*begin..*end).contains(&at))).collect()
}

/// The Droplet of an object by whose deletion and creation a node is programmed anew: its own, or that of a host Endpoint.
fn reprogrammed(entry: &AuditEntry) -> Option<&str> {
    match entry.resource.as_str() {
        "droplets" => Some(&entry.name),
        "endpoints" => entry.name.split_once("-default--hostep-").map(|(droplet, _)| droplet),
        _ => None,
    }
}

fn is_placeholder(entry: &AuditEntry) -> bool {
    entry.resource == "endpoints" && entry.name.starts_with("mizar-hold-")
}

/// Whether what an Endpoint or Droplet was made for is gone: that of a pod that was deleted, or of a node.
fn is_leaked(trail: &AuditTrail, at: usize, journey: &Journey) -> bool {
    let entry = &trail.entries()[at];
    if journey.leaked.contains(&entry.name) {
        return true;
    }
    let was_made_for = |gone: &AuditEntry| match gone.resource.as_str() {
        "pods" => entry.name.starts_with(&format!("{}-{}--", gone.name, gone.namespace)),
        "nodes" => reprogrammed(entry) == Some(&gone.name),
        _ => false,
    };
    trail.entries()[..at].iter().any(|gone| gone.subresource.is_empty() && deletes(gone) && was_made_for(gone))
}

/// Our deletions of Mizar's objects, by their place in the log.
fn our_deletions(trail: &AuditTrail) -> impl Iterator<Item = (usize, &AuditEntry)> {
    let entries = trail.entries().iter().enumerate();
    entries.filter(|(_, entry)| entry.group == "mizar.com" && is_ours(entry) && deletes(entry))
}

/// Objects of Mizar's that we deleted while an operator ran, but for what the reprogramming of a node, a placeholder that is
/// not needed any more, and a leak are.
fn deleted_under_an_operator(trail: &AuditTrail, journey: &Journey) -> Vec<String> {
    let runs = operators(trail, journey);
    let is_allowed = |at: usize, entry: &AuditEntry| {
        is_placeholder(entry) || reprogrammed(entry).is_some() || is_leaked(trail, at, journey)
    };
    let deleted = our_deletions(trail).filter(|(at, entry)| runs[*at] && !is_allowed(*at, entry));
    deleted.map(|(_, entry)| format!("deleted under a running operator: {}", told(entry))).collect()
}

/// Objects of Mizar's that we deleted and nobody made again.
fn objects_lost(trail: &AuditTrail, journey: &Journey) -> Vec<String> {
    if journey.all_goes {
        return Vec::new();
    }
    let is_made_again = |at: usize, lost: &AuditEntry| {
        trail.entries()[at..].iter().any(|entry| {
            entry.verb == "create"
                && succeeded(entry)
                && (&entry.group, &entry.resource, &entry.name) == (&lost.group, &lost.resource, &lost.name)
        })
    };
    let may_stay_away = |at: usize, entry: &AuditEntry| is_placeholder(entry) || is_leaked(trail, at, journey);
    let lost = our_deletions(trail).filter(|(at, entry)| !may_stay_away(*at, entry) && !is_made_again(*at, entry));
    lost.map(|(_, entry)| format!("an object of Mizar's was lost: {}", told(entry))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "kubectl-mizar/0.1.0 (linux/x86_64) repair/apply";
    const OTHER: &str = "kopf/1.35.6";

    /// A request that was granted: who, verb, resource, name.
    fn entry(agent: &str, verb: &str, resource: &str, name: &str) -> AuditEntry {
        let (plural, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let group = match plural {
            "droplets" | "endpoints" | "bouncers" | "subnets" => "mizar.com",
            "customresourcedefinitions" => "apiextensions.k8s.io",
            _ => "",
        };
        AuditEntry {
            id: String::new(),
            user: "admin".to_owned(),
            verb: verb.to_owned(),
            group: group.to_owned(),
            resource: plural.to_owned(),
            subresource: subresource.to_owned(),
            namespace: "default".to_owned(),
            name: name.to_owned(),
            uri: String::new(),
            user_agent: agent.to_owned(),
            code: if verb == "create" { 201 } else { 200 },
            received: "now".to_owned(),
        }
    }

    fn told_of(entries: &[(&str, &str, &str, &str)], journey: &Journey) -> Vec<String> {
        let entries = entries.iter().map(|(agent, verb, resource, name)| entry(agent, verb, resource, name));
        let complaints = complaints(&entries.collect(), journey);
        complaints.iter().map(|it| it.split(':').next().unwrap().to_owned()).collect()
    }

    const OPERATOR_COMES: (&str, &str, &str, &str) = ("kube-scheduler", "create", "pods/binding", "mizar-operator-a");
    const OPERATOR_GOES: (&str, &str, &str, &str) = ("kubelet", "delete", "pods", "mizar-operator-a");

    #[test]
    fn a_write_must_say_which_command_made_it() {
        let nobody = "kubectl-mizar/0.1.0 (linux/x86_64) ";
        assert_eq!(told_of(&[(nobody, "patch", "nodes", "a")], &Journey::default()), ["by no command"]);
        assert!(
            told_of(&[(nobody, "list", "nodes", ""), (OURS, "patch", "nodes", "a")], &Journey::default()).is_empty()
        );
    }

    #[test]
    fn a_definition_may_go_only_where_it_was_to_go_and_only_by_us() {
        let deletes = |agent| [(agent, "delete", "customresourcedefinitions", "vpcs.mizar.com")];
        assert_eq!(told_of(&deletes(OURS), &Journey::default()), ["a definition was lost"]);
        let to_go = Journey { definitions_go: true, ..Journey::default() };
        assert!(told_of(&deletes(OURS), &to_go).is_empty());
        assert_eq!(told_of(&deletes(OTHER), &to_go), ["a definition was lost"]);
    }

    #[test]
    fn records_go_only_to_make_room() {
        let secret = |revision: u64| format!("sh.helm.release.v1.mizar.v{revision}");
        let (first, second, eleventh) = (secret(1), secret(2), secret(11));
        let room = [(OURS, "delete", "secrets", first.as_str()), (OURS, "create", "secrets", eleventh.as_str())];
        assert!(told_of(&room, &Journey::default()).is_empty());
        for lost in [
            [(OURS, "delete", "secrets", second.as_str()), (OURS, "create", "secrets", eleventh.as_str())].as_slice(),
            &[(OURS, "delete", "secrets", first.as_str())],
            &[(OURS, "delete", "secrets", "mizar-operation")],
            &[(OURS, "deletecollection", "secrets", "")],
        ] {
            assert_eq!(told_of(lost, &Journey::default()), ["a record was lost"], "{lost:?}");
        }
        let all_goes = Journey { all_goes: true, ..Journey::default() };
        assert!(told_of(&[(OURS, "delete", "secrets", "mizar-operation")], &all_goes).is_empty());
        assert!(told_of(&[(OURS, "delete", "secrets", "any-other")], &Journey::default()).is_empty());
    }

    #[test]
    fn nothing_of_mizars_is_deleted_while_an_operator_is_there() {
        let bouncer = (OURS, "delete", "bouncers", "b");
        let all_goes = Journey { all_goes: true, ..Journey::default() };
        let under = ["deleted under a running operator"];
        assert_eq!(told_of(&[OPERATOR_COMES, bouncer, OPERATOR_GOES], &all_goes), under);
        assert!(told_of(&[OPERATOR_COMES, OPERATOR_GOES, bouncer], &all_goes).is_empty());
        assert_eq!(told_of(&[bouncer, OPERATOR_GOES], &all_goes), under, "one that was there before the log began");
        assert_eq!(told_of(&[bouncer], &Journey { operator_ran: true, ..all_goes.clone() }), under);
        assert!(told_of(&[bouncer], &all_goes).is_empty());
        // Asked to go, it is still there until its kubelet says so.
        let asked = ("replicaset-controller", "delete", "pods", "mizar-operator-a");
        assert_eq!(told_of(&[OPERATOR_COMES, asked, bouncer, OPERATOR_GOES], &all_goes), under);
    }

    #[test]
    fn a_node_is_reprogrammed_and_placeholders_and_leaks_go_under_an_operator_and_no_more() {
        let reprogram = [
            OPERATOR_COMES,
            (OURS, "delete", "endpoints", "node-1-default--hostep-1"),
            (OURS, "delete", "droplets", "node-1"),
            (OTHER, "create", "droplets", "node-1"),
            (OTHER, "create", "endpoints", "node-1-default--hostep-1"),
        ];
        assert!(told_of(&reprogram, &Journey::default()).is_empty());
        assert_eq!(told_of(&reprogram[..4], &Journey::default()), ["an object of Mizar's was lost"]);
        let others = [
            OPERATOR_COMES,
            (OURS, "delete", "endpoints", "mizar-hold-1-10.0.0.5"),
            ("kubelet", "delete", "pods", "web"),
            (OURS, "delete", "endpoints", "web-default--eth0"),
        ];
        assert!(told_of(&others, &Journey::default()).is_empty());
        let living = [OPERATOR_COMES, (OURS, "delete", "endpoints", "web-default--eth0")];
        let complaints = ["deleted under a running operator", "an object of Mizar's was lost"];
        assert_eq!(told_of(&living, &Journey::default()), complaints);
        let leaked = BTreeSet::from(["web-default--eth0".to_owned()]);
        assert!(told_of(&living, &Journey { leaked, ..Journey::default() }).is_empty());
    }

    #[test]
    fn what_was_refused_or_only_tried_has_done_nothing() {
        let mut refused = entry(OURS, "delete", "bouncers", "b");
        refused.code = 409;
        let mut tried = entry(OURS, "delete", "bouncers", "b");
        tried.uri = "/apis/mizar.com/v1/namespaces/default/bouncers/b?dryRun=All".to_owned();
        let trail: AuditTrail = [entry("kube-scheduler", "create", "pods/binding", "mizar-operator-a"), refused, tried]
            .into_iter()
            .collect();
        assert_eq!(complaints(&trail, &Journey::default()), Vec::<String>::new());
    }
}
