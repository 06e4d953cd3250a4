//! The objects of a release, and what a kubelet makes of them for a container:
//! arguments, environment and mounted files.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Instant,
};

use aws_sim::Sim;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::Value;
use tempfile::TempDir;

use super::kubelet::Pod;
use crate::support::{Exporter, ID, KEY};

/// What proves a service account.
const TOKEN: &str = "service-account-token";

/// The objects of a release, and the volumes of its pods.
pub(super) struct Cluster {
    objects: Vec<Value>,
    is_on_pod_identity: bool,
    folder: TempDir,
    pub(super) authority: Authority,
}

/// A certificate for the server, and one for whoever scrapes.
pub(super) struct Authority {
    pub(super) ca: String,
    server: (String, String),
    pub(super) client: (String, String),
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

pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
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

    pub(super) fn pod(&self) -> &Value {
        &self.stateful_set()["spec"]["template"]["spec"]
    }

    pub(super) fn container(&self) -> &Value {
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
        environment.push(("AWS_ENDPOINT_URL".to_owned(), sim.endpoint()));
        environment.extend(self.identity(ordinal, sim).map(|(key, value)| (key.to_owned(), value)));
        let flags: Vec<_> = arguments.iter().map(String::as_str).collect();
        let environment: Vec<_> = environment.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        Pod::new(Exporter::listening(&flags, &environment), self, volumes)
    }
}

/// Writes a file of a volume: `..data` is a link to a folder, and the file one into it.
pub(super) fn write(target: &Path, key: &str, content: &str) {
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
