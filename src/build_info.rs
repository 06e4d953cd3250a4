//! What this binary was built from, as the build script found it.

/// The facts of one build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Build {
    /// The version of the package.
    pub version: &'static str,
    /// The commit, shortened; `unknown` outside a checkout.
    pub revision: &'static str,
    /// The compiler's version.
    pub rustc: &'static str,
    /// The operating system built for.
    pub os: &'static str,
    /// The processor built for.
    pub arch: &'static str,
}

/// This build.
pub const BUILD: Build = Build {
    version: env!("CARGO_PKG_VERSION"),
    revision: env!("BUILD_REVISION"),
    rustc: env!("BUILD_RUSTC"),
    os: std::env::consts::OS,
    arch: std::env::consts::ARCH,
};

/// What `--version` prints.
pub const VERSION: &str =
    concat!(env!("CARGO_PKG_VERSION"), " (revision ", env!("BUILD_REVISION"), ", rustc ", env!("BUILD_RUSTC"), ")");
