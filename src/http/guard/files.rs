//! The files that the rules are made of: read, and looked at again.

use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{GuardError, Rules};
use crate::{
    config::as_text,
    http::config::{Source, WebConfig, WebConfigError},
};

/// A file, and what would be different if it had changed.
#[derive(Debug)]
pub(super) struct Seen {
    path: PathBuf,
    stamp: Option<(SystemTime, u64)>,
}

impl Seen {
    fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), stamp: Self::stamp(path) }
    }

    pub(super) fn is_same(&self) -> bool {
        Self::stamp(&self.path) == self.stamp
    }

    fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
        let file = fs::metadata(path).ok()?;
        Some((file.modified().ok()?, file.len()))
    }
}

/// The rules, and the files to watch for other ones. Each file is looked at
/// before it is read, so that a change in between is seen next time; and the
/// files of a configuration that cannot be used are watched too, since it is
/// often one of them that is still to come.
pub(super) fn load(path: &Path) -> (Result<Rules, GuardError>, Vec<Seen>) {
    let mut seen = vec![Seen::new(path)];
    let config = match read(path) {
        Ok(config) => config,
        Err(error) => return (Err(error.into()), seen),
    };
    seen.extend(files(&config).map(Seen::new));
    (Rules::new(config), seen)
}

fn read(path: &Path) -> Result<WebConfig, WebConfigError> {
    let name = path.display().to_string();
    match as_text(fs::read_to_string(path)) {
        Ok(text) => WebConfig::parse(&text, &name, path.parent().unwrap_or(Path::new("."))),
        Err(source) => Err(WebConfigError::Read { path: name, source }),
    }
}

fn files(config: &WebConfig) -> impl Iterator<Item = &Path> {
    let sources = config.tls.iter().flat_map(|tls| [Some(&tls.certificate), Some(&tls.key), tls.client_ca.as_ref()]);
    sources.flatten().filter_map(|source| if let Source::File(path) = source { Some(path.as_path()) } else { None })
}
