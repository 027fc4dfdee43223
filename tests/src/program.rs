//! Programs that tests need: where they are found, and what to install where one is missing.

use std::collections::HashSet;
use std::env;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// A program or a package that a test starts and that isn't part of this project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Program {
    /// The broker.
    Mosquitto,
    /// The tools `mosquitto_pub` and `mosquitto_sub`.
    MosquittoClients,
    /// The Python interpreter.
    Python,
    /// The Node.js runtime.
    Node,
    /// OpenSSL's command line.
    OpenSsl,
    /// The shell of the GNU project, at the version of Linux systems.
    Bash,
    /// The Z shell.
    Zsh,
    /// The fish shell.
    Fish,
    /// The formatter of man pages.
    Groff,
    /// Wireshark's command line.
    Tshark,
    /// A SOCKS5 proxy.
    Microsocks,
    /// An HTTP proxy.
    Tinyproxy,
    /// A proxy that ends TLS, selects ALPN protocols and asks for client certificates.
    Haproxy,
    /// The Python package paho-mqtt, in an environment of its own below `target/foreign`.
    PahoMqtt,
    /// AWS's SDK for Python, the package awsiotsdk, in the same environment.
    AwsIotSdk,
    /// AWS's SDK for Python, the package boto3, in the same environment.
    Boto3,
    /// AWS's SDK for JavaScript, version 3: the npm package @aws-sdk/client-iot-data-plane, below
    /// `target/foreign`.
    AwsSdkForJavaScript,
    /// The HTTP client.
    Curl,
    /// The browser.
    Chromium,
    /// The npm package mqtt, below `target/foreign`.
    MqttJs,
}

impl Program {
    /// The path of the program, or `None` if it isn't installed and its tests are to be skipped.
    ///
    /// In the second case one line on the terminal says what is missing and how to install it, once
    /// for each test executable. For the npm package the path is that of its `node_modules`
    /// folder.
    ///
    /// # Panics
    /// If the program is missing and the environment variable `CI` is `true`.
    #[must_use]
    pub fn find(self) -> Option<PathBuf> {
        let found = match self {
            Self::PahoMqtt => foreign("venv/bin/python")
                .filter(|_| foreign("venv/lib").is_some_and(|lib| contains_package(&lib, "paho"))),
            Self::AwsIotSdk => foreign("venv/bin/python").filter(|_| {
                foreign("venv/lib").is_some_and(|lib| contains_package(&lib, "awsiot"))
            }),
            Self::Boto3 => foreign("venv/bin/python")
                .filter(|_| foreign("venv/lib").is_some_and(|lib| contains_package(&lib, "boto3"))),
            Self::AwsSdkForJavaScript => foreign("node_modules")
                .filter(|modules| modules.join("@aws-sdk/client-iot-data-plane").exists()),
            Self::MqttJs => foreign("node_modules").filter(|modules| modules.join("mqtt").exists()),
            Self::Mosquitto
            | Self::MosquittoClients
            | Self::Python
            | Self::Node
            | Self::OpenSsl
            | Self::Bash
            | Self::Zsh
            | Self::Fish
            | Self::Groff
            | Self::Curl
            | Self::Chromium
            | Self::Microsocks
            | Self::Tinyproxy
            | Self::Haproxy
            | Self::Tshark => search(self.name()),
        };
        if found.is_none() {
            self.skip("isn't installed");
        }
        found
    }

    /// Says that tests are skipped since the installed version is too old, as [`find`](Self::find)
    /// does for a program that isn't installed.
    ///
    /// # Panics
    /// If the environment variable `CI` is `true`.
    pub fn skip_as_too_old(self) {
        self.skip("is too old here");
    }

    /// Returns `true` if the program is installed; otherwise says what to install, as [`find`](Self::find) does.
    #[must_use]
    pub fn is_installed(self) -> bool {
        self.find().is_some()
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Mosquitto => "mosquitto",
            Self::MosquittoClients => "mosquitto_pub",
            Self::Python => "python3",
            Self::Node => "node",
            Self::OpenSsl => "openssl",
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
            Self::Groff => "groff",
            Self::Microsocks => "microsocks",
            Self::Tinyproxy => "tinyproxy",
            Self::Haproxy => "haproxy",
            Self::Tshark => "tshark",
            Self::PahoMqtt => "paho-mqtt",
            Self::AwsIotSdk => "awsiotsdk",
            Self::Boto3 => "boto3",
            Self::AwsSdkForJavaScript => "@aws-sdk/client-iot-data-plane",
            Self::Curl => "curl",
            Self::Chromium => "chromium",
            Self::MqttJs => "MQTT.js",
        }
    }

    const fn how_to_install(self) -> &'static str {
        match self {
            Self::Mosquitto => "apt-get install mosquitto",
            Self::MosquittoClients => "apt-get install mosquitto-clients",
            Self::Python => "apt-get install python3",
            Self::Node => "apt-get install nodejs",
            Self::OpenSsl => "apt-get install openssl",
            Self::Bash => "apt-get install bash",
            Self::Zsh => "apt-get install zsh",
            Self::Fish => "apt-get install fish",
            Self::Groff => "apt-get install groff-base",
            Self::Microsocks => "apt-get install microsocks",
            Self::Tinyproxy => "apt-get install tinyproxy",
            Self::Haproxy => "apt-get install haproxy",
            Self::Tshark => "apt-get install tshark",
            Self::Curl => "apt-get install curl",
            Self::Chromium => "apt-get install chromium",
            Self::AwsIotSdk | Self::Boto3 | Self::AwsSdkForJavaScript => {
                ".ci/tools installs it into target/foreign"
            }
            Self::PahoMqtt => ".ci/tools installs it into target/foreign",
            Self::MqttJs => ".ci/tools installs it into target/foreign",
        }
    }

    /// Fails with `CI=true`; else says once why tests of this program are skipped. That is written
    /// straight to standard error: libtest keeps back what `eprintln!` prints in a test that passes.
    fn skip(self, reason: &str) {
        let (name, how) = (self.name(), self.how_to_install());
        let is_ci = env::var_os("CI").is_some_and(|ci| ci == "true");
        assert!(!is_ci, "{name} {reason}: {how}");
        static SAID: Mutex<Option<HashSet<Program>>> = Mutex::new(None);
        let mut said = SAID
            .lock()
            .expect("no test panics while it holds this lock");
        if said.get_or_insert_default().insert(self) {
            let line = format!(
                "skipped in {}: tests that need {name}, which {reason} ({how})\n",
                test_executable(),
            );
            // A terminal that has gone away is no reason to fail.
            let _: Result<_, _> = std::io::stderr().write_all(line.as_bytes());
        }
    }
}

/// The path of a program that every Unix system has, such as `sh`.
///
/// # Panics
/// If it isn't on the search path; the message names it.
#[must_use]
pub fn system_program(name: &str) -> PathBuf {
    search(name)
        .unwrap_or_else(|| panic!("the program {name} isn't installed, and this test needs it"))
}

/// The first file of that name on the search path or in a folder for servers, where the search path
/// of most users doesn't look.
pub(crate) fn search(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let usual = [
        "/usr/sbin",
        "/usr/local/sbin",
        "/usr/bin",
        "/opt/homebrew/sbin",
    ]
    .map(PathBuf::from);
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    env::split_paths(&path)
        .chain(usual)
        .map(|folder| folder.join(&file))
        .find(|program| program.is_file())
}

/// A path below `target/foreign`, where `.ci/run` installs other people's clients; `None` if it
/// doesn't exist.
fn foreign(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../target/foreign")
        .join(path);
    path.exists().then_some(path)
}

/// Returns `true` if `lib/python3.X/site-packages` has this package.
fn contains_package(lib: &Path, package: &str) -> bool {
    let versions = std::fs::read_dir(lib).into_iter().flatten().flatten();
    versions
        .into_iter()
        .any(|version| version.path().join("site-packages").join(package).exists())
}

/// The name of the running test file: `outage` for `target/debug/deps/outage-0123456789abcdef`.
fn test_executable() -> String {
    let path = env::current_exe().unwrap_or_default();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    stem.rsplit_once('-')
        .map_or(&*stem, |(name, _hash)| name)
        .to_owned()
}
