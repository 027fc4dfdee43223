//! Client certificates: haproxy asks for them and selects ALPN protocols, as AWS IoT Core does.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use dunlin_sandbox::{Answer, Authorizer, DEMO_POLICY, Lambda, Sandbox, SandboxOptions};
use dunlin_test_support::authority::Authority;
use dunlin_tests::{LocalProxy, Program, Tool, dunlin};
use tempfile::TempDir;

use super::network::{Served, fails};

const AWS_HOST: &str = "a1b2c3-ats.iot.eu-west-1.amazonaws.com";

/// A certificate authority, and files of certificates that it has issued.
struct Files {
    folder: TempDir,
}

impl Files {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let authority = Authority::new("Test CA");
        let files = Self { folder };
        files.write("ca.pem", &authority.pem());
        let server = authority.issues(&[AWS_HOST]);
        files.write(
            "server.pem",
            &(server.certificate_pem() + &server.key_pem()),
        );
        let device = authority.issues(&["lamp-7"]);
        files.write("device.pem", &device.certificate_pem());
        files.write("device.key", &device.key_pem());
        let other = Authority::new("Another CA").issues(&["lamp-7"]);
        files.write("other.pem", &(other.certificate_pem() + &other.key_pem()));
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// haproxy that asks for a client certificate, in front of a server without TLS. `alpn` are words
    /// of its `bind` line, `rule` refuses connections.
    async fn haproxy(&self, alpn: &str, rule: &str, server_port: u16) -> Option<LocalProxy> {
        let file = |name| self.path(name).display().to_string();
        let config = format!(
            "global\n  maxconn 50\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 30s\n\
             \x20 timeout server 30s\nlisten mqtt\n  bind 127.0.0.1:PORT ssl crt {} ca-file {} verify \
             required {alpn}\n  {rule}\n  server mqtt 127.0.0.1:{server_port}\n",
            file("server.pem"),
            file("ca.pem"),
        );
        LocalProxy::haproxy(&config).await
    }

    /// `dunlin pub` to the host of AWS, which haproxy stands for.
    fn publish(&self, endpoint: &str, proxy: &LocalProxy) -> Tool {
        dunlin([
            "pub",
            "-t",
            "a",
            "-m",
            "x",
            "-q",
            "1",
            "--reconnect=0",
            "--timeout=20s",
        ])
        .args(["-H", endpoint, "--connect-to", &proxy.address().to_string()])
        .args(["--ca".as_ref(), self.path("ca.pem").as_os_str()])
    }

    /// The same with the certificate of the device.
    fn publish_as_device(&self, endpoint: &str, proxy: &LocalProxy) -> Tool {
        self.publish(endpoint, proxy)
            .args(["--cert".as_ref(), self.path("device.pem").as_os_str()])
            .args(["--key".as_ref(), self.path("device.key").as_os_str()])
    }
}

/// Rules of haproxy: the ALPN protocol must be this one, or there must be none.
fn only_alpn(name: &str) -> String {
    format!("tcp-request content reject unless {{ ssl_fc_alpn {name} }}")
}
const NO_ALPN: &str = "tcp-request content reject if { ssl_fc_alpn -m found }";

#[tokio::test]
async fn a_client_certificate_offers_x_amzn_mqtt_ca_on_443_and_nothing_on_8883() {
    let (served, files) = (Served::start().await, Files::new());
    let plain = served.sandbox.plain_port().unwrap();
    let rule = only_alpn("x-amzn-mqtt-ca");
    let Some(proxy) = files
        .haproxy("alpn mqtt,x-amzn-mqtt-ca", &rule, plain)
        .await
    else {
        return;
    };
    let on_443 = format!("{AWS_HOST}:443");
    files
        .publish_as_device(&on_443, &proxy)
        .run()
        .await
        .exits(0);
    // The rule does what it says.
    let run = files
        .publish_as_device(&on_443, &proxy)
        .args(["--alpn", "mqtt"])
        .run()
        .await;
    fails(&run, 5, "E-HANGUP", &[]);

    // The default port for a certificate is 8883.
    let Some(proxy) = files
        .haproxy("alpn mqtt,x-amzn-mqtt-ca", NO_ALPN, plain)
        .await
    else {
        return;
    };
    let run = files.publish_as_device(AWS_HOST, &proxy);
    run.run().await.exits(0);
    let run = files
        .publish_as_device(AWS_HOST, &proxy)
        .args(["--dry-run"])
        .run()
        .await;
    run.exits(0);
    assert!(
        run.stdout.contains("8883") || run.stderr.contains("8883"),
        "{}\n{}",
        run.stdout,
        run.stderr
    );
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_refuses_clients_without_a_good_one() {
    let (served, files) = (Served::start().await, Files::new());
    let plain = served.sandbox.plain_port().unwrap();
    let Some(proxy) = files.haproxy("", "", plain).await else {
        return;
    };
    let endpoint = format!("mqtts://{AWS_HOST}");
    let run = files.publish(&endpoint, &proxy).run().await;
    fails(&run, 4, "E-TLS-HANDSHAKE", &[]);
    let other = files.path("other.pem");
    let run = files
        .publish(&endpoint, &proxy)
        .args([
            "--cert".as_ref(),
            other.as_os_str(),
            "--key".as_ref(),
            other.as_os_str(),
        ])
        .run()
        .await;
    fails(&run, 4, "E-TLS-HANDSHAKE", &[]);
}

/// Authentication type CUSTOM_AUTH_X509 of AWS IoT Core: both are there.
#[tokio::test]
async fn a_custom_authorizer_and_a_client_certificate_go_together() {
    let files = Files::new();
    let lambda = Lambda::Password {
        username: "demo".into(),
        password: "s3cret".into(),
        answer: Answer::allow("device", DEMO_POLICY.into()),
    };
    let options = SandboxOptions {
        port: 0,
        plain_port: Some(0),
        state_dir: Some(files.folder.path().into()),
        authorizers: vec![Authorizer::new("Password", lambda)],
        ..SandboxOptions::default()
    };
    let sandbox = Sandbox::start(options).await.unwrap();
    let rule = only_alpn("mqtt");
    let plain = sandbox.plain_port().unwrap();
    let Some(proxy) = files
        .haproxy("alpn mqtt,x-amzn-mqtt-ca", &rule, plain)
        .await
    else {
        return;
    };
    let publish = |password: &str| {
        files
            .publish_as_device(AWS_HOST, &proxy)
            .args(["--authorizer-name", "Password", "--auth-username", "demo"])
            .env("DUNLIN_AUTH_PASSWORD", password)
            .args(["-i", "mqtt5-sample-1", "-t", "test/topic"])
    };
    publish("s3cret").run().await.exits(0);
    fails(&publish("wrong").run().await, 5, "E-AUTH-DENIED", &[]);
}

#[tokio::test]
async fn an_encrypted_key_is_opened_with_its_password() {
    let (served, files) = (Served::start().await, Files::new());
    let plain = served.sandbox.plain_port().unwrap();
    let (Some(openssl), Some(proxy)) =
        (Program::OpenSsl.find(), files.haproxy("", "", plain).await)
    else {
        return;
    };
    let encrypted = files.path("encrypted.key");
    let status = Command::new(openssl)
        .args(["pkcs8", "-topk8", "-passout", "pass:s3cret", "-in"])
        .arg(files.path("device.key"))
        .arg("-out")
        .arg(&encrypted)
        .status()
        .unwrap();
    assert!(status.success());
    files.write("password", "s3cret\n");
    files.write("wrong", "canary\n");
    let endpoint = format!("mqtts://{AWS_HOST}");
    let publish = || {
        files
            .publish(&endpoint, &proxy)
            .args(["--cert".as_ref(), files.path("device.pem").as_os_str()])
            .args(["--key".as_ref(), encrypted.as_os_str()])
    };
    let with =
        |name: &str| publish().args(["--key-password-file".as_ref(), files.path(name).as_os_str()]);

    with("password").run().await.exits(0);

    let run = with("wrong").run().await;
    fails(
        &run,
        2,
        "E-USAGE",
        &["the password for the private key in", "is wrong"],
    );
    assert!(!run.stderr.contains("canary"), "{}", run.stderr);
    let run = publish().run().await;
    fails(
        &run,
        2,
        "E-USAGE",
        &["is encrypted", "--key-password-file FILE, or --ask"],
    );
    let run = with("missing").run().await;
    fails(&run, 2, "E-USAGE", &["--key-password-file"]);
}

#[tokio::test]
async fn the_public_authorities_are_trusted_beside_a_private_one() {
    let served = Served::start().await;
    served
        .publish_with_ca("localhost")
        .args(["--public-ca"])
        .run()
        .await
        .exits(0);
    // The error counts both.
    let other = Files::new();
    let run = served
        .publish("localhost")
        .args(["--ca".as_ref(), other.path("ca.pem").as_os_str()])
        .args(["--public-ca"])
        .run()
        .await;
    fails(&run, 4, "E-TLS-CA", &[]);
}

#[tokio::test]
async fn the_authorities_of_this_computer_take_the_place_of_others() {
    let served = Served::start().await;
    let other = Files::new();
    // The variable of the system's authorities stands for them; the CA of the environment is wrong.
    let publish = || {
        served
            .publish("localhost")
            .env("DUNLIN_CA", other.path("ca.pem").to_str().unwrap())
            .env("SSL_CERT_FILE", served.sandbox.ca_path().to_str().unwrap())
    };
    fails(&publish().run().await, 4, "E-TLS-CA", &[]);
    for flag in ["--platform-roots", "--tls-use-os-certs"] {
        publish().args([flag]).run().await.exits(0);
    }
    let run = publish()
        .args(["--platform-roots", "--ca"])
        .args([served.sandbox.ca_path()])
        .run()
        .await;
    fails(&run, 2, "E-USAGE", &["contradict each other"]);
}

#[tokio::test]
async fn a_common_name_counts_only_where_it_is_allowed() {
    let (served, folder) = (Served::start().await, TempDir::new().unwrap());
    let authority = Authority::new("Test CA");
    let server = authority.issues_as("localhost", &[]);
    let path = |name: &str| folder.path().join(name);
    fs::write(path("ca.pem"), authority.pem()).unwrap();
    let chain = server.certificate_pem() + &server.key_pem();
    fs::write(path("server.pem"), chain).unwrap();
    let config = format!(
        "global\n  maxconn 50\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 30s\n\
         \x20 timeout server 30s\nlisten mqtt\n  bind 127.0.0.1:PORT ssl crt {}\n  server mqtt \
         127.0.0.1:{}\n",
        path("server.pem").display(),
        served.sandbox.plain_port().unwrap(),
    );
    let Some(proxy) = LocalProxy::haproxy(&config).await else {
        return;
    };
    let publish = || {
        dunlin(["pub", "-t", "a", "-m", "x", "-q", "1", "--reconnect=0"])
            .args(["--timeout=20s", "-H"])
            .args([format!("mqtts://localhost:{}", proxy.address().port())])
            .args(["--ca".as_ref(), path("ca.pem").as_os_str()])
    };
    fails(&publish().run().await, 4, "E-TLS-NAME", &[]);
    let run = publish().args(["--allow-common-name"]).run().await;
    run.exits(0);
    assert!(
        run.stderr.contains("can pose as the server"),
        "{}",
        run.stderr
    );
}
