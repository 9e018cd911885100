//! Credential plugins: programs of the kubeconfig that hand out a token or a client certificate, by the rules of client-go.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use mizar_core::kubeconfig::{Destination, Exec, InteractiveMode, Material, Said, Wrong};
use mizar_core::yaml::{DuplicateKeys, read};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::process::Command;

use super::files::bounded;
use super::identity::{Identity, Part};
use crate::cluster::failure::one_line;

/// No credential is larger.
const ANSWER_LIMIT: u64 = 4 * 1024 * 1024;
/// No line of a plugin's words is longer.
const WORDS_LIMIT: u64 = 1024 * 1024;

/// A plugin that is ready to be run.
pub(super) struct Plugin {
    exec: Said<Exec>,
    /// What it is told: its version and, if it wants, the cluster.
    info: String,
    interactive: bool,
    limit: Duration,
    tell: fn(&str),
}

/// What a plugin handed out.
pub(super) struct Issued {
    pub(super) token: Option<SecretString>,
    pub(super) identity: Option<Identity>,
    pub(super) expires: Option<Timestamp>,
}

impl Plugin {
    /// Prepares a plugin. Fails if it needs a person and there is none.
    pub(super) fn new(
        exec: &Said<Exec>,
        destination: &Destination,
        has_terminal: bool,
        limit: Duration,
        tell: fn(&str),
    ) -> Result<Self, Wrong> {
        let interactive = match exec.what.interactive {
            InteractiveMode::Never => false,
            InteractiveMode::IfAvailable => has_terminal,
            InteractiveMode::Always if has_terminal => true,
            InteractiveMode::Always => {
                let message =
                    format!("the credential plugin {} needs a terminal to ask, and there is none", exec.what.command);
                return Err(Wrong::new(exec.origin.clone(), message).hint("run this command in a terminal"));
            }
        };
        let mut spec = json!({"interactive": interactive});
        if exec.what.wants_cluster {
            spec["cluster"] = cluster_info(destination)?;
        }
        let info = json!({"kind": "ExecCredential", "apiVersion": exec.what.api_version, "spec": spec}).to_string();
        Ok(Self { exec: exec.clone(), info, interactive, limit, tell })
    }

    /// Where it stands in the kubeconfig.
    pub(super) fn wrong(&self, message: &str) -> Wrong {
        Wrong::new(self.exec.origin.clone(), format!("the credential plugin {} {message}", self.exec.what.command))
    }

    /// Runs it. Has a deadline unless a person is asked.
    pub(super) async fn run(&self) -> Result<Issued, Wrong> {
        if self.interactive {
            return self.run_to_its_end().await;
        }
        match tokio::time::timeout(self.limit, self.run_to_its_end()).await {
            Ok(outcome) => outcome,
            Err(_) => Err(self.wrong(&format!("did not end within {} s", self.limit.as_secs_f32()))),
        }
    }

    async fn run_to_its_end(&self) -> Result<Issued, Wrong> {
        let exec = &self.exec.what;
        tracing::debug!(command = exec.command, interactive = self.interactive, "running the credential plugin");
        let mut command = Command::new(&exec.command);
        command.args(&exec.arguments).envs(exec.variables.iter().cloned());
        command.env("KUBERNETES_EXEC_INFO", &self.info);
        command.stdout(Stdio::piped()).kill_on_drop(true);
        if self.interactive {
            command.stdin(Stdio::inherit()).stderr(Stdio::inherit());
        } else {
            command.stdin(Stdio::null()).stderr(Stdio::piped());
        }
        let mut child = command.spawn().map_err(|error| self.not_started(&error))?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (answer, words) = tokio::join!(self.answer(stdout), self.pass_on(stderr));
        let status = child.wait().await.map_err(|error| self.wrong(&format!("was lost: {error}")))?;
        if status.success() {
            return self.issued(&answer?);
        }
        let code = status
            .code()
            .map_or_else(|| "was ended by a signal".into(), |code| format!("failed with exit code {code}"));
        let words = if words.is_empty() { String::new() } else { format!(": {}", one_line(&words)) };
        Err(self.wrong(&format!("{code}{words}")).hint("run it by hand, or log in again as your provider says"))
    }

    fn not_started(&self, error: &std::io::Error) -> Wrong {
        if error.kind() != std::io::ErrorKind::NotFound {
            return self.wrong(&format!("cannot be started: {error}"));
        }
        let hint = self.exec.what.install_hint.clone();
        let is_path = Path::new(&self.exec.what.command).components().count() > 1;
        let otherwise = if is_path { "is there such a file?" } else { "install it, or add its folder to PATH" };
        self.wrong("was not found").hint(hint.unwrap_or_else(|| otherwise.to_owned()))
    }

    async fn answer(&self, stdout: Option<impl AsyncRead + Unpin>) -> Result<SecretString, Wrong> {
        let mut bytes = Vec::new();
        if let Some(stdout) = stdout {
            let read = stdout.take(ANSWER_LIMIT).read_to_end(&mut bytes).await;
            read.map_err(|error| self.wrong(&format!("cannot be listened to: {error}")))?;
        }
        String::from_utf8(bytes).map(SecretString::from).map_err(|_| self.wrong("answers no text"))
    }

    /// Passes on what it says to the person, line by line; returns its last words.
    async fn pass_on(&self, stderr: Option<impl AsyncRead + Unpin>) -> String {
        let mut last = String::new();
        let Some(stderr) = stderr else { return last };
        let mut lines = BufReader::new(stderr.take(WORDS_LIMIT)).split(b'\n');
        while let Ok(Some(line)) = lines.next_segment().await {
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            (self.tell)(&line);
            if !line.trim().is_empty() {
                last = line;
            }
        }
        last
    }

    /// What it answers is never shown: it holds the credential.
    fn issued(&self, answer: &SecretString) -> Result<Issued, Wrong> {
        let value = read(answer.expose_secret(), DuplicateKeys::TakeLast)
            .map_err(|_| self.wrong("answers neither JSON nor YAML"))?;
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(ToOwned::to_owned);
        if value["kind"] != "ExecCredential" {
            return Err(self.wrong("answers no ExecCredential"));
        }
        if value["apiVersion"] != self.exec.what.api_version.as_str() {
            let wanted = &self.exec.what.api_version;
            return Err(self.wrong(&format!("answers in another apiVersion than {wanted}")));
        }
        let status = &value["status"];
        let token = text(&status["token"]).map(SecretString::from);
        let identity = match (text(&status["clientCertificateData"]), text(&status["clientKeyData"])) {
            (None, None) => None,
            (Some(certificate), Some(key)) => {
                let wrong = |part: Part, message: &'static str| {
                    let field = if part == Part::Key { "clientKeyData" } else { "clientCertificateData" };
                    self.wrong(&format!("answers a {field} that {message}"))
                };
                Some(Identity::new(certificate.as_bytes(), key.as_bytes(), wrong)?)
            }
            _ => return Err(self.wrong("answers only one of certificate and key")),
        };
        if token.is_none() && identity.is_none() {
            return Err(self.wrong("answers neither a token nor a certificate"));
        }
        let expires = match text(&status["expirationTimestamp"]) {
            None => None,
            Some(time) => Some(time.parse().map_err(|_| self.wrong("answers an expirationTimestamp that is no time"))?),
        };
        Ok(Issued { token, identity, expires })
    }
}

/// What a plugin may know about the cluster.
fn cluster_info(destination: &Destination) -> Result<Value, Wrong> {
    let cluster = &destination.cluster;
    let mut info = json!({"server": destination.server.what});
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            info[name] = value;
        }
    };
    set("tls-server-name", cluster.tls_server_name.as_ref().map(|said| json!(said.what)));
    set("insecure-skip-tls-verify", cluster.insecure.then_some(json!(true)));
    set("proxy-url", cluster.proxy.as_ref().map(|said| json!(said.what)));
    set("disable-compression", cluster.disable_compression.then_some(json!(true)));
    set("config", cluster.exec_config.clone());
    if let Some(authority) = &cluster.authority {
        let data = match &authority.what {
            Material::Data(data) => data.expose_secret().split_ascii_whitespace().collect(),
            Material::File(path) => {
                let bytes = bounded(path, ANSWER_LIMIT).map_err(|reason| {
                    Wrong::new(authority.origin.clone(), format!("cannot read {}: {reason}", path.display()))
                })?;
                STANDARD.encode(bytes)
            }
        };
        set("certificate-authority-data", Some(json!(data)));
    }
    Ok(info)
}
