//! Servers on loopback that answer whatever a test wants, over TLS or not, and remember what they were asked.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::spawn;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What a server does about a request.
pub(crate) enum Reply {
    /// Sends these bytes and keeps the connection.
    Bytes(Vec<u8>),
    /// Sends these bytes, and then more of the same until nobody listens.
    Endless(Vec<u8>),
    /// Ends the connection.
    Close,
}

/// A server, for as long as the process lives.
pub(crate) struct Fake {
    address: SocketAddr,
    scheme: &'static str,
    heard: Arc<Mutex<Vec<String>>>,
    /// The server's certificate, which is its own authority.
    pub(crate) certificate: String,
}

/// A certificate and key that signed themselves.
pub(crate) struct SelfSigned {
    pub(crate) certificate: String,
    pub(crate) key: String,
    config: Arc<ServerConfig>,
}

impl SelfSigned {
    /// For these names; `change` sets the rest.
    pub(crate) fn of(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Self {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let chain = vec![CertificateDer::from(certificate.der().to_vec())];
        let der = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, der)
            .unwrap();
        Self { certificate: certificate.pem(), key: key.serialize_pem(), config: Arc::new(config) }
    }
}

impl Fake {
    /// Speaks plain HTTP.
    pub(crate) fn plain(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        Self::start(None, answer)
    }

    /// Speaks TLS with a certificate for its own address.
    pub(crate) fn secure(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(&SelfSigned::of(&["127.0.0.1"], |_| {}), answer)
    }

    /// Speaks TLS with this certificate.
    pub(crate) fn with(own: &SelfSigned, answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let mut fake = Self::start(Some(own.config.clone()), answer);
        fake.certificate.clone_from(&own.certificate);
        fake
    }

    fn start(tls: Option<Arc<ServerConfig>>, answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let (answer, ears) = (Arc::new(answer), heard.clone());
        let scheme = if tls.is_some() { "https" } else { "http" };
        spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, ears, tls) = (answer.clone(), ears.clone(), tls.clone());
                spawn(move || match tls {
                    Some(config) => {
                        let connection = ServerConnection::new(config).unwrap();
                        serve(StreamOwned::new(connection, stream), &*answer, &ears);
                    }
                    None => serve(stream, &*answer, &ears),
                });
            }
        });
        Self { address, scheme, heard, certificate: String::new() }
    }

    /// Its address with scheme.
    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// The heads of all requests so far, in small letters.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

/// Listens and never answers.
pub(crate) fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// A whole answer.
pub(crate) fn http(status: &str, content_type: &str, body: &str) -> Reply {
    let length = body.len();
    Reply::Bytes(
        format!("HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n{body}").into(),
    )
}

/// What an API server says when it refuses.
pub(crate) fn refusal(code: u16, reason: &str, message: &str) -> Reply {
    let body = serde_json::json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
        "reason": reason, "message": message});
    http(&format!("{code} {reason}"), "application/json", &body.to_string())
}

fn serve(mut stream: impl Read + Write, answer: &(impl Fn(&str) -> Reply + ?Sized), heard: &Mutex<Vec<String>>) {
    while let Some(head) = head_of(&mut stream) {
        let small = head.to_ascii_lowercase();
        let length = small.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        if stream.read_exact(&mut body).is_err() {
            return;
        }
        heard.lock().unwrap().push(small);
        let went_well = match answer(&head) {
            Reply::Bytes(bytes) => stream.write_all(&bytes).and_then(|()| stream.flush()).is_ok(),
            Reply::Endless(bytes) => {
                while stream.write_all(&bytes).is_ok() {}
                false
            }
            Reply::Close => false,
        };
        if !went_well {
            return;
        }
    }
}

fn head_of(stream: &mut impl Read) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return None,
        }
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

/// Host and port of a web server that calls whatever it hears a bad request.
pub(crate) fn blunt() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let heard = stream.read(&mut [0; 4096]);
            let _they_may_be_gone = heard.and_then(|_| stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
        }
    });
    host
}

/// Ends a connection with a reset rather than an end.
pub(crate) fn resetting() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    spawn(move || {
        for stream in listener.incoming().flatten() {
            // What is unread when a socket is closed makes the system send a reset.
            std::thread::sleep(Duration::from_millis(50));
            drop::<TcpStream>(stream);
        }
    });
    url
}
