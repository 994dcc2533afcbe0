//! An OpenID provider that others wrote, on loopback: `oidc-provider`, installed below the build folder.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use crate::python::run;

/// The package and its version, as npm names them.
const PACKAGE: &str = "oidc-provider@9.13.3";

/// A running provider. Dropping it stops it.
pub(super) struct Provider {
    folder: PathBuf,
    pub(super) port: u16,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Drop for Provider {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Installs the package, once for all tests.
fn installed() -> PathBuf {
    static DONE: OnceLock<PathBuf> = OnceLock::new();
    DONE.get_or_init(install).clone()
}

fn install() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("oidc-check");
    std::fs::create_dir_all(&folder).unwrap();
    let done = folder.join("installed");
    if !std::fs::read_to_string(&done).is_ok_and(|package| package == PACKAGE) {
        run(Command::new("npm")
            .args(["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"])
            .arg(&folder)
            .arg(PACKAGE));
        std::fs::write(done, PACKAGE).unwrap();
    }
    folder
}

impl Provider {
    /// Starts one whose only key signs with `algorithm`; `None` where this machine has no Node.js.
    pub(super) fn start(algorithm: &str) -> Option<Self> {
        if !has("node") || !has("npm") {
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Some(Self::listening(installed(), port, "first", algorithm))
    }

    fn listening(folder: PathBuf, port: u16, key: &str, algorithm: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/oidc_provider.mjs");
        let mut child = Command::new("node")
            .arg(script)
            .arg(&folder)
            .args([&port.to_string(), key, algorithm])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut provider = Self { folder, port, child, input, output };
        provider.line("listening");
        provider
    }

    /// The same provider with another key and without the old one.
    pub(super) fn rotated(self, algorithm: &str) -> Self {
        let (folder, port) = (self.folder.clone(), self.port);
        drop(self);
        Self::listening(folder, port, "second", algorithm)
    }

    /// The `iss` of its tokens.
    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A token of an analyst for a resource.
    pub(super) fn token(&mut self, analyst: &str, resource: &str) -> String {
        writeln!(self.input, "{analyst} {resource}").unwrap();
        let token = self.line("token ");
        assert_eq!(token.split('.').count(), 3, "{analyst} got no token: {token}");
        token
    }

    /// A token that is bound to the key of a proof for [`Self::endpoint`].
    pub(super) fn bound_token(&mut self, analyst: &str, resource: &str, proof: &str) -> String {
        self.token(analyst, &format!("{resource} {}", proof.trim()))
    }

    /// Where tokens are got.
    pub(super) fn endpoint(&self) -> String {
        format!("{}/token", self.url())
    }

    /// The rest of the next line that begins so; the provider says other things as well.
    fn line(&mut self, word: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "the provider has ended");
            if let Some(rest) = line.strip_prefix(word) {
                return rest.trim().to_owned();
            }
        }
    }
}
