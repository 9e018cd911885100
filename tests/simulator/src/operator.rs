//! Mizar's operator: a process per operator container, under the pod's own service account.
//!
//! This file starts and ends processes. `start_up` is what a process does first, `process` is the shell that watches
//! and schedules, `writer` writes, `bookkeeping` is kopf's part, `handling` names the handlers, and there is one file
//! per kind of object that says what Mizar does with it.
//! When to start and stop is decided by the kubelet.

mod bookkeeping;
mod bouncer;
mod divider;
mod droplet;
mod endpoint;
mod handling;
mod memory;
mod node;
mod pace;
mod pod;
mod process;
mod service;
mod start_up;
mod status;
mod subnet;
#[cfg(test)]
mod tests;
mod tracked;
#[cfg(test)]
pub(crate) mod trial;
mod vpc;
mod writer;

use std::collections::BTreeMap;

use http::{HeaderValue, Uri, header::USER_AGENT};
use k8s_openapi::api::{
    authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec},
    core::v1::ServiceAccount,
};
use kube::{Api, Client, Config, api::PostParams, config::AuthInfo};
use serde_json::{Value, json};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

pub(crate) use self::{pace::Pace, pod::endpoint_name, status::Status};
use self::{process::Process, writer::Writer};
use crate::{api::Objects, arktos::Controllers, daemon::Daemons, fault::Faults, object::Object};

/// The two names under which Mizar's operator speaks: its framework's, and its own client's.
pub(crate) const KOPF_AGENT: &str = "kopf/1.35.6";
const MIZAR_AGENT: &str = "OpenAPI-Generator/11.0.0/python";

/// The end of a process that nobody had asked to end, or that followed a request to end.
#[derive(Debug)]
pub(crate) struct ProcessEnded {
    pub(crate) pod: String,
    pub(crate) run: u64,
    pub(crate) exit_code: i64,
}

/// How to reach the API server under another identity than the simulator's own.
#[derive(Clone)]
pub(crate) struct Access {
    pub(crate) admin: Client,
    pub(crate) server: Uri,
    /// The certificates of the authorities that the server's own may be signed by, DER.
    pub(crate) authorities: Vec<Vec<u8>>,
}

impl Access {
    /// Returns a client that is the pod's service account, for as long as the pod lives.
    async fn as_pod(&self, pod: &PodIdentity, faults: Faults) -> Result<Writer, kube::Error> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.admin.clone(), &pod.namespace);
        let request = TokenRequest {
            spec: TokenRequestSpec {
                bound_object_ref: Some(BoundObjectReference {
                    api_version: Some("v1".to_owned()),
                    kind: Some("Pod".to_owned()),
                    name: Some(pod.name.clone()),
                    uid: Some(pod.uid.clone()),
                }),
                expiration_seconds: Some(86_400),
                ..TokenRequestSpec::default()
            },
            ..TokenRequest::default()
        };
        let answer = accounts.create_token_request(&pod.service_account, &PostParams::default(), &request).await?;
        let token = answer.status.map(|status| status.token).unwrap_or_default();
        Ok(Writer { kopf: self.client(&token, KOPF_AGENT)?, mizar: self.client(&token, MIZAR_AGENT)?, faults })
    }

    fn client(&self, token: &str, user_agent: &'static str) -> Result<Objects, kube::Error> {
        let mut config = Config::new(self.server.clone());
        config.root_cert = Some(self.authorities.clone());
        config.auth_info =
            serde_json::from_value::<AuthInfo>(json!({ "token": token })).map_err(kube::Error::SerdeError)?;
        config.headers.push((USER_AGENT, HeaderValue::from_static(user_agent)));
        // A retry inside the client would hide what the server answered.
        config.default_retry = false;
        Client::try_from(config).map(Objects::new)
    }
}

/// What all processes of the operator have in common.
#[derive(Clone)]
pub(crate) struct Setting {
    pub(crate) daemons: Daemons,
    pub(crate) controllers: Controllers,
    pub(crate) pace: Pace,
    pub(crate) faults: Faults,
    pub(crate) status: Status,
}

#[derive(Clone, Debug)]
struct PodIdentity {
    namespace: String,
    name: String,
    uid: String,
    service_account: String,
}

impl PodIdentity {
    fn of(pod: &Object) -> Self {
        Self {
            namespace: pod.namespace().to_owned(),
            name: pod.name().to_owned(),
            uid: pod.uid().to_owned(),
            service_account: pod.text("/spec/serviceAccountName").unwrap_or("default").to_owned(),
        }
    }
}

struct Running {
    run: u64,
    terminate: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

/// All operator processes: normally none or one.
pub(crate) struct Operator {
    access: Access,
    setting: Setting,
    ended: mpsc::UnboundedSender<ProcessEnded>,
    runs: u64,
    processes: BTreeMap<String, Running>,
}

impl Operator {
    pub(crate) fn new(access: Access, setting: Setting, ended: mpsc::UnboundedSender<ProcessEnded>) -> Self {
        Self { access, setting, ended, runs: 0, processes: BTreeMap::new() }
    }

    /// Starts a process in a pod's container; `host` is the address of the pod's node. Returns its run number.
    pub(crate) fn start(&mut self, pod: &Object, host: &str) -> u64 {
        self.runs += 1;
        let run = self.runs;
        let (identity, host) = (PodIdentity::of(pod), host.to_owned());
        let (terminate, terminated) = oneshot::channel();
        let (access, setting, ended) = (self.access.clone(), self.setting.clone(), self.ended.clone());
        let status = setting.status.clone();
        let uid = identity.uid.clone();
        let task = tokio::spawn(async move {
            status.started(run, &identity.name);
            let exit_code = match access.as_pod(&identity, setting.faults.clone()).await {
                Ok(writer) => Process::new(writer, setting, host).run(terminated).await,
                Err(error) => {
                    status.log(format!("service account {} gives no token: {error}", identity.service_account));
                    1
                }
            };
            status.stopped(run, exit_code);
            // Nobody listens any more when the simulator itself ends.
            ended.send(ProcessEnded { pod: identity.uid, run, exit_code }).ok();
        });
        let replaced = self.processes.insert(uid, Running { run, terminate: Some(terminate), task });
        if let Some(replaced) = replaced {
            replaced.task.abort();
        }
        run
    }

    /// Asks a pod's process to end (SIGTERM). It may take its time, or never do it.
    pub(crate) fn terminate(&mut self, pod: &str) {
        if let Some(terminate) = self.processes.get_mut(pod).and_then(|process| process.terminate.take()) {
            // The process may just have ended by itself.
            terminate.send(()).ok();
        }
    }

    /// Ends a pod's process at once (SIGKILL).
    pub(crate) fn kill(&mut self, pod: &str) {
        if let Some(process) = self.processes.remove(pod) {
            process.task.abort();
            self.setting.status.stopped(process.run, 137);
        }
    }

    pub(crate) fn kill_all(&mut self) {
        let pods: Vec<_> = self.processes.keys().cloned().collect();
        for pod in pods {
            self.kill(&pod);
        }
    }

    /// Forgets what Arktos' controllers have told any process.
    pub(crate) fn forget(&self) {
        self.setting.controllers.forget();
    }

    /// Takes note of a process that ended. Returns whether it is the pod's present one.
    pub(crate) fn has_ended(&mut self, ended: &ProcessEnded) -> bool {
        let present = self.processes.get(&ended.pod).is_some_and(|process| process.run == ended.run);
        if present {
            self.processes.remove(&ended.pod);
        }
        present
    }

    pub(crate) fn has_process(&self, pod: &str) -> bool {
        self.processes.contains_key(pod)
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.kill_all();
    }
}

/// The namespace, name and value of the ConfigMap that switches Mizar to Arktos.
const SYSTEM_SOURCE: (&str, &str) = ("kube-system", "system-source");

/// Which cluster the operator takes itself to be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Kubernetes,
    Arktos,
    /// The ConfigMap has no key `name`: the operator's start-up fails and the process stays without doing anything.
    Unreadable,
}

impl Source {
    fn of(config_map: Option<&Object>) -> Self {
        let Some(config_map) = config_map else {
            return Self::Kubernetes;
        };
        match config_map.at("/data/name").and_then(Value::as_str) {
            Some("arktos") => Self::Arktos,
            Some(_) => Self::Kubernetes,
            None => Self::Unreadable,
        }
    }
}
