//! A kubelet, as far as a container has anything of it: arguments, environment,
//! mounted files, probes, and the signal at the end.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use aws_sim::Sim;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Exporter, ID, KEY, Samples};

/// The password of tests/deploy/values/passwords.yaml.
const PASSWORD: &str = "prometheus:correct horse";

/// What proves a service account.
const TOKEN: &str = "service-account-token";

/// The objects of a release, and the volumes of its pods.
pub(super) struct Cluster {
    objects: Vec<Value>,
    is_on_pod_identity: bool,
    folder: TempDir,
    authority: Authority,
}

/// A certificate for the server, and one for whoever scrapes.
struct Authority {
    ca: String,
    server: (String, String),
    client: (String, String),
}

/// A container that runs.
pub(super) struct Pod<'a> {
    exporter: Exporter,
    cluster: &'a Cluster,
    volumes: PathBuf,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let issue = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
            (certificate.pem(), key.serialize_pem())
        };
        Self { ca: issuer.pem(), server: issue("localhost"), client: issue("prometheus") }
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

// === impl Cluster ===

impl Cluster {
    /// The objects of these files.
    pub(super) fn of(files: &[PathBuf]) -> Self {
        let read = |file: &PathBuf| serde_saphyr::from_multiple::<Value>(&fs::read_to_string(file).unwrap()).unwrap();
        let objects = files.iter().flat_map(read).collect();
        let is_on_pod_identity = files[0].ends_with("pod-identity.yaml");
        Self { objects, is_on_pod_identity, folder: tempfile::tempdir().unwrap(), authority: Authority::new() }
    }

    fn stateful_set(&self) -> &Value {
        self.objects.iter().find(|object| object["kind"] == "StatefulSet").unwrap()
    }

    fn pod(&self) -> &Value {
        &self.stateful_set()["spec"]["template"]["spec"]
    }

    fn container(&self) -> &Value {
        &self.pod()["containers"][0]
    }

    pub(super) fn replicas(&self) -> u64 {
        self.stateful_set()["spec"]["replicas"].as_u64().unwrap()
    }

    /// Whether it has a configuration: all of those name both accounts.
    pub(super) fn is_of_an_organization(&self) -> bool {
        list(self.container(), "/args").iter().any(|arg| arg.as_str().unwrap().starts_with("--config.file="))
    }

    /// What a Secret or a ConfigMap holds, be it of the chart or of somebody else.
    fn contents(&self, name: &str) -> Vec<(String, String)> {
        let organization = "organization: {role_name: aws-mfa-exporter}\ncollectors: {root: {interval: 1s}}\n";
        let given: &[(&str, &str)] = match name {
            // kustomize makes it, of this file.
            "aws-mfa-exporter-config" => {
                &[("config.yml", include_str!("../../../deploy/kubernetes/example/config.yml"))]
            }
            "mfa-config" => &[("config.yml", organization), ("exporter.yml", organization)],
            "mfa-web" => &[("web.yml", "http_server_config: {headers: {X-Frame-Options: deny}}\n")],
            "aws-mfa-exporter-tls" => &[
                ("tls.crt", &self.authority.server.0),
                ("tls.key", &self.authority.server.1),
                ("ca.crt", &self.authority.ca),
            ],
            _ => &[],
        };
        let made = self.objects.iter().find(|one| text(one, "/metadata/name") == name && one["stringData"].is_object());
        let made = made.and_then(|one| one["stringData"].as_object()).into_iter().flatten();
        let made = made.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned()));
        given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).chain(made).collect()
    }

    /// Mounts the volumes of a pod, as a kubelet does it: each file is a link into a
    /// folder that is exchanged as a whole.
    fn mount(&self, ordinal: u64) -> PathBuf {
        let folder = self.folder.path().join(ordinal.to_string());
        for mount in list(self.container(), "/volumeMounts") {
            let name = text(mount, "/name");
            let target = self.here(ordinal, text(mount, "/mountPath"));
            fs::create_dir_all(&target).unwrap();
            let volume = list(self.pod(), "/volumes").iter().find(|volume| text(volume, "/name") == name);
            let Some(volume) = volume else { continue };
            let source = [text(volume, "/secret/secretName"), text(volume, "/configMap/name")].concat();
            for (key, content) in self.contents(&source) {
                write(&target, &key, &self.moved(ordinal, &content));
            }
        }
        folder
    }

    /// Where a path of the container is.
    fn here(&self, ordinal: u64, path: &str) -> PathBuf {
        self.folder.path().join(ordinal.to_string()).join(path.trim_start_matches('/'))
    }

    /// A text in which the paths of the mounts are those of this machine.
    fn moved(&self, ordinal: u64, text: &str) -> String {
        let folders = ["/etc/aws-mfa-exporter", "/var/lib/aws-mfa-exporter"];
        folders
            .iter()
            .fold(text.to_owned(), |text, path| text.replace(path, &self.here(ordinal, path).to_string_lossy()))
    }

    fn arguments(&self, ordinal: u64) -> Vec<String> {
        let port = &list(self.container(), "/ports")[0]["containerPort"];
        let listen = format!("--web.listen-address=:{port}");
        let args = list(self.container(), "/args").iter().map(|arg| arg.as_str().unwrap());
        assert_eq!(args.clone().filter(|arg| *arg == listen).count(), 1, "it listens on its port");
        // The harness takes a free one.
        args.filter(|arg| *arg != listen).map(|arg| self.moved(ordinal, arg)).collect()
    }

    fn environment(&self, ordinal: u64) -> Vec<(String, String)> {
        let pod = format!("{}-{ordinal}", text(self.stateful_set(), "/metadata/name"));
        let variables = list(self.container(), "/env").iter().map(|variable| {
            let value = match text(variable, "/valueFrom/fieldRef/fieldPath") {
                "metadata.name" => &pod,
                "" => text(variable, "/value"),
                other => panic!("no field {other}"),
            };
            (text(variable, "/name").to_owned(), value.to_owned())
        });
        variables.collect()
    }

    /// What EKS adds to a pod for its credentials: by OIDC where the service account
    /// names a role, by the Pod Identity agent in the set of that name; keys elsewhere.
    fn identity(&self, ordinal: u64, sim: &Sim) -> [(&'static str, String); 2] {
        let account = self.objects.iter().find(|object| object["kind"] == "ServiceAccount");
        let role = account.map_or("", |account| text(account, "/metadata/annotations/eks.amazonaws.com~1role-arn"));
        let token = self.here(ordinal, "/var/run/secrets/token");
        fs::create_dir_all(token.parent().unwrap()).unwrap();
        fs::write(&token, TOKEN).unwrap();
        let token = token.to_string_lossy().into_owned();
        if !role.is_empty() {
            sim.edit_sources(|sources| sources.web_identity_token = Some(TOKEN.into()));
            [("AWS_ROLE_ARN", role.to_owned()), ("AWS_WEB_IDENTITY_TOKEN_FILE", token)]
        } else if self.is_on_pod_identity {
            sim.edit_sources(|sources| {
                sources.container = Some(ID.into());
                sources.container_token = Some(TOKEN.into());
            });
            let agent = format!("{}/credentials", sim.endpoint());
            [("AWS_CONTAINER_CREDENTIALS_FULL_URI", agent), ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token)]
        } else {
            [("AWS_ACCESS_KEY_ID", KEY.to_owned()), ("AWS_SECRET_ACCESS_KEY", "x".to_owned())]
        }
    }

    /// Starts a pod's container.
    pub(super) fn start(&self, ordinal: u64, sim: &Sim) -> Pod<'_> {
        let volumes = self.mount(ordinal);
        let (arguments, mut environment) = (self.arguments(ordinal), self.environment(ordinal));
        for (key, value) in
            [("AWS_ENDPOINT_URL", &*sim.endpoint()), ("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", "x")]
        {
            environment.push((key.to_owned(), value.to_owned()));
        }
        let flags: Vec<_> = arguments.iter().map(String::as_str).collect();
        let environment: Vec<_> = environment.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        Pod { exporter: Exporter::listening(&flags, &environment), cluster: self, volumes }
    }
}

/// Writes a file of a volume: `..data` is a link to a folder, and the file one into it.
fn write(target: &Path, key: &str, content: &str) {
    let version = target.join(format!("..{:?}", Instant::now()).replace([' ', '{', '}', ':', ','], "_"));
    fs::create_dir(&version).unwrap();
    if let Ok(files) = fs::read_dir(target.join("..data")) {
        for file in files.map(Result::unwrap) {
            fs::copy(file.path(), version.join(file.file_name())).unwrap();
        }
    }
    fs::write(version.join(key), content).unwrap();
    symlink(version.file_name().unwrap(), target.join("..data_tmp")).unwrap();
    fs::rename(target.join("..data_tmp"), target.join("..data")).unwrap();
    let _ = symlink(Path::new("..data").join(key), target.join(key));
}

// === impl Pod ===

impl Pod<'_> {
    pub(super) fn log(&self) -> String {
        self.exporter.log()
    }

    pub(super) fn address(&self) -> &str {
        &self.exporter.address
    }

    fn is_tls(&self) -> bool {
        self.log().contains("tls=true")
    }

    /// An answer as whoever scrapes gets it, with password and client certificate.
    fn get(&self, path: &str) -> (u16, String) {
        let words = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {}\r\nConnection: close\r\n\r\n",
            base64(PASSWORD)
        );
        let mut stream = TcpStream::connect(&self.exporter.address).unwrap();
        let mut answer = Vec::new();
        if self.is_tls() {
            let mut stream = StreamOwned::new(self.client(), stream);
            stream.write_all(words.as_bytes()).unwrap();
            let _ = stream.read_to_end(&mut answer);
        } else {
            stream.write_all(words.as_bytes()).unwrap();
            stream.read_to_end(&mut answer).unwrap();
        }
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    fn client(&self) -> ClientConnection {
        let Authority { ca, client: (certificate, key), .. } = &self.cluster.authority;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = builder.with_root_certificates(roots).with_client_auth_cert(vec![certificate], key).unwrap();
        ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap()
    }

    /// The metrics, at the path that the arguments say.
    pub(super) fn scrape(&self) -> Samples {
        let mut arguments = list(self.cluster.container(), "/args").iter().filter_map(Value::as_str);
        let path = arguments.find_map(|arg| arg.strip_prefix("--web.telemetry-path="));
        let (status, body) = self.get(path.unwrap_or("/metrics"));
        // Nothing is published in the first moment.
        if status == 200 { Samples::parse(&body) } else { Samples::parse("") }
    }

    pub(super) fn wait_for(&self, what: &str, wanted: impl Fn(&Samples) -> bool) {
        let began = Instant::now();
        while !wanted(&self.scrape()) {
            assert!(began.elapsed() < super::SOON, "{what}\n{}\n{}", self.scrape(), self.log());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Both probes succeed as a kubelet makes them: without a password, whatever the
    /// certificate, and without one of its own.
    pub(super) fn is_probed(&self) {
        for probe in ["livenessProbe", "readinessProbe"] {
            let probe = &self.cluster.container()[probe];
            if probe["tcpSocket"].is_object() {
                assert!(TcpStream::connect(&self.exporter.address).is_ok());
                continue;
            }
            let mut curl = std::process::Command::new("curl");
            let scheme = text(probe, "/httpGet/scheme").to_lowercase();
            let scheme = if scheme.is_empty() { "http" } else { &scheme };
            let address = format!("{scheme}://{}{}", self.exporter.address, text(probe, "/httpGet/path"));
            let output = curl.args(["--silent", "--insecure", "--fail", "--max-time", "5", &address]).output().unwrap();
            assert!(output.status.success(), "{address}: {output:?}\n{}", self.log());
        }
    }

    /// Changes a file of a volume.
    pub(super) fn remount(&self, volume: &str, key: &str, content: &str) {
        write(&self.volumes.join("etc/aws-mfa-exporter").join(volume), key, content);
    }

    /// Kills it, as a node that goes down does.
    pub(super) fn is_killed(mut self) {
        self.exporter.signal("-KILL");
        self.exporter.wait();
    }

    /// SIGTERM; and it ends well before the kubelet would kill it, with its state kept.
    pub(super) fn stops_in_time(mut self) {
        let grace = self.cluster.pod()["terminationGracePeriodSeconds"].as_u64().unwrap();
        let began = Instant::now();
        self.exporter.signal("-TERM");
        assert_eq!(self.exporter.wait(), Some(0), "{}", self.log());
        assert!(began.elapsed() < Duration::from_secs(grace) / 2, "{:?}", began.elapsed());
        assert!(self.volumes.join("var/lib/aws-mfa-exporter/state.json").exists(), "{}", self.log());
    }
}

fn base64(text: &str) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = |chunk: &[u8]| {
        let bits =
            chunk.iter().chain([0, 0].iter()).take(3).fold(0_usize, |bits, byte| (bits << 8) | usize::from(*byte));
        let digit = |n: usize| if n <= chunk.len() { char::from(LETTERS[(bits >> (18 - 6 * n)) & 63]) } else { '=' };
        (0..4).map(digit).collect::<String>()
    };
    text.as_bytes().chunks(3).map(digits).collect()
}
