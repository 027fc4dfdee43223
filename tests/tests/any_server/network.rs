//! Flags of addresses and of TLS: `-4`, `--bind`, `--insecure`, `--sni`, `--tls-min`, `--keylog`.

use std::fs;

use dunlin_sandbox::{Sandbox, SandboxOptions};
use dunlin_tests::{Finished, Mosquitto, Tool, dunlin};
use tempfile::TempDir;

/// Sandbox that accepts every client.
pub(super) struct Served {
    pub(super) sandbox: Sandbox,
    folder: TempDir,
}

impl Served {
    pub(super) async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let options = SandboxOptions {
            port: 0,
            plain_port: Some(0),
            state_dir: Some(folder.path().into()),
            anonymous: true,
            ..SandboxOptions::default()
        };
        let sandbox = Sandbox::start(options).await.unwrap();
        Self { sandbox, folder }
    }

    /// `dunlin pub` of one message to this host.
    pub(super) fn publish(&self, host: &str) -> Tool {
        let port = self.sandbox.port();
        dunlin(["pub", "-t", "a", "-m", "x", "-q", "1", "--reconnect=0"])
            .args(["-H", &format!("mqtts://{host}:{port}")])
            .args(["--timeout", "10s", "--alpn", "mqtt"])
    }

    /// The same with the CA of the sandbox.
    pub(super) fn publish_with_ca(&self, host: &str) -> Tool {
        self.publish(host)
            .args(["--ca".as_ref(), self.sandbox.ca_path().as_os_str()])
    }
}

/// Checks exit code, error id and words of a failed run.
#[track_caller]
pub(super) fn fails(run: &Finished, code: i32, id: &str, words: &[&str]) {
    run.exits(code);
    let line = run.error_line();
    for word in [&[format!("error[{id}]: ").as_str()], words].concat() {
        assert!(
            line.contains(word),
            "{word:?} is missing in\n{}",
            run.stderr
        );
    }
}

#[tokio::test]
async fn an_untrusted_server_is_accepted_with_insecure_and_a_warning() {
    let served = Served::start().await;
    let run = served.publish("localhost").run().await;
    fails(&run, 4, "E-TLS-CA", &[]);

    let run = served.publish("localhost").args(["--insecure"]).run().await;
    run.exits(0);
    let line = run.error_line();
    assert!(
        line.contains("warning: --insecure: THE SERVER'S CERTIFICATE IS NOT VERIFIED"),
        "{line}"
    );
}

#[tokio::test]
async fn insecure_is_refused_for_aws_iot_unless_it_is_confirmed() {
    let host = "a1b2c3-ats.iot.eu-west-1.amazonaws.com";
    let at_aws = || {
        dunlin(["pub", "-t", "a", "-m", "x", "-H", host, "--insecure"]).args([
            "--reconnect=0",
            "--connect-to",
            "127.0.0.1:1",
        ])
    };
    fails(
        &at_aws().run().await,
        2,
        "E-USAGE",
        &["--insecure is refused for AWS IoT", "--yes-really"],
    );
    // A profile confirms nothing; here the confirmation lets it get as far as the closed port.
    fails(
        &at_aws().args(["--yes-really"]).run().await,
        3,
        "E-REFUSED",
        &["NOT VERIFIED"],
    );
    // The name in the certificate counts as well as the host.
    let run = dunlin([
        "pub",
        "-t",
        "a",
        "-m",
        "x",
        "-H",
        "mqtts://localhost:1",
        "--insecure",
    ]);
    fails(
        &run.args(["--sni", host]).run().await,
        2,
        "E-USAGE",
        &["refused for AWS IoT"],
    );
    let run = dunlin([
        "pub",
        "-t",
        "a",
        "-m",
        "x",
        "-H",
        "localhost",
        "--yes-really",
    ]);
    run.run().await.exits(2);
}

#[tokio::test]
async fn another_name_is_asked_for_with_sni() {
    let served = Served::start().await;
    // The certificate of the sandbox is for localhost and its addresses.
    let other = || {
        served
            .publish_with_ca("iot.example")
            .args(["--connect-to", "127.0.0.1"])
    };
    fails(&other().run().await, 4, "E-TLS-NAME", &["iot.example"]);
    other().args(["--sni", "localhost"]).run().await.exits(0);

    let run = served
        .publish_with_ca("localhost")
        .args(["--sni", "iot.example"])
        .run()
        .await;
    fails(&run, 4, "E-TLS-NAME", &["iot.example"]);
    let run = served
        .publish_with_ca("localhost")
        .args(["--sni", "no name"])
        .run()
        .await;
    fails(
        &run,
        2,
        "E-USAGE",
        &["--sni: \"no name\" is neither a host name nor an IP address"],
    );
}

#[tokio::test]
async fn the_lowest_version_of_tls_is_chosen() {
    let served = Served::start().await;
    for version in ["1.2", "1.3"] {
        let run = served
            .publish_with_ca("localhost")
            .args(["--tls-min", version])
            .run()
            .await;
        run.exits(0);
    }
    let run = served
        .publish_with_ca("localhost")
        .args(["--tls-min", "1.1"])
        .run()
        .await;
    fails(&run, 2, "E-USAGE", &["1.2, 1.3"]);
}

#[tokio::test]
async fn flags_of_tls_ask_for_tls_and_are_refused_without_it() {
    let served = Served::start().await;
    let plain = served.sandbox.plain_port().unwrap();
    for flags in [
        &["--insecure"][..],
        &["--sni", "a"],
        &["--tls-min", "1.3"],
        &["--keylog", "k"],
    ] {
        let run = dunlin(["pub", "-t", "a", "-m", "x"])
            .args(["-H", &format!("mqtt://localhost:{plain}")])
            .args(flags)
            .run()
            .await;
        fails(&run, 2, "E-USAGE", &[&format!("{} is for TLS", flags[0])]);
    }
    // Without a scheme they choose TLS.
    let port = served.sandbox.port();
    let run = dunlin(["pub", "-t", "a", "-m", "x", "--insecure", "--alpn=mqtt"]);
    run.args(["-H", &format!("localhost:{port}")])
        .run()
        .await
        .exits(0);
}

#[tokio::test]
async fn a_key_log_is_written_for_the_flag_and_for_the_variable() {
    let served = Served::start().await;
    let path = served.folder.path().join("keys.log");
    let run = served
        .publish_with_ca("localhost")
        .args(["--keylog".as_ref(), path.as_os_str()]);
    run.run().await.exits(0);
    let by_flag = fs::read_to_string(&path).unwrap();
    assert!(by_flag.contains("CLIENT_TRAFFIC_SECRET_0 "), "{by_flag}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    let run = served
        .publish_with_ca("localhost")
        .env("SSLKEYLOGFILE", &path);
    run.run().await.exits(0);
    let both = fs::read_to_string(&path).unwrap();
    assert!(both.len() > by_flag.len() && both.starts_with(&by_flag));

    // A file that can't be opened is an error for the flag, and a warning for the variable.
    let missing = served.folder.path().join("missing/keys.log");
    let run = served
        .publish_with_ca("localhost")
        .args(["--keylog".as_ref(), missing.as_os_str()]);
    fails(
        &run.run().await,
        2,
        "E-USAGE",
        &["--keylog: cannot write to"],
    );
    let run = served
        .publish_with_ca("localhost")
        .env("SSLKEYLOGFILE", &missing)
        .run()
        .await;
    run.exits(0);
    assert!(
        run.error_line()
            .contains("warning: SSLKEYLOGFILE is ignored"),
        "{}",
        run.stderr
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_for_the_key_log_is_a_warning() {
    let served = Served::start().await;
    let run = served
        .publish_with_ca("localhost")
        .args(["--keylog", "/dev/full"])
        .run()
        .await;
    run.exits(0);
    assert!(
        run.error_line()
            .contains("warning: --keylog: cannot write to /dev/full"),
        "{}",
        run.stderr
    );
}

#[tokio::test]
async fn addresses_are_chosen_by_ip_version_and_local_address() {
    let served = Served::start().await;
    let here = |flags: &[&str]| served.publish_with_ca("127.0.0.1").args(flags);
    here(&["-4"]).run().await.exits(0);
    here(&["--bind", "127.0.0.1"]).run().await.exits(0);

    for (flags, words) in [
        (
            &["-6"][..],
            "--endpoint 127.0.0.1 is an address of IPv4, and -6 asks for IPv6",
        ),
        (
            &["-A", "::1"],
            "--endpoint 127.0.0.1 is an address of IPv4, and --bind asks for IPv6",
        ),
        (
            &["-6", "-A", "127.0.0.1"],
            "--bind 127.0.0.1 is an address of IPv4, and -6 asks for IPv6",
        ),
        (
            &["--bind", "192.0.2.1"],
            "--bind: this computer has no address 192.0.2.1",
        ),
        (&["-4", "-6"], "cannot be used with"),
        (&["--bind", "eth0"], "eth0"),
    ] {
        fails(&here(flags).run().await, 2, "E-USAGE", &[words]);
    }
    let run = served
        .publish("localhost")
        .args(["-4", "--connect-to", "[::1]"])
        .run()
        .await;
    fails(
        &run,
        2,
        "E-USAGE",
        &["--connect-to ::1 is an address of IPv6"],
    );
}

/// A QoS 1 message there and back through the socket of mosquitto.
#[cfg(unix)]
#[tokio::test]
async fn a_server_is_reached_by_its_unix_domain_socket() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    let at = |endpoint: String, verb: &str| {
        dunlin([verb, "-H", &endpoint, "-u", Mosquitto::USER])
            .env("DUNLIN_PASSWORD", Mosquitto::PASSWORD)
            // A variable for other servers isn't used here.
            .env("ALL_PROXY", "http://127.0.0.1:1")
    };
    let path = broker.unix_socket().display().to_string();
    for endpoint in [format!("unix:{path}"), format!("unix://{path}")] {
        let message = ["-t", "a/b", "-q", "1", "-r", "-m", "hello"];
        at(endpoint.clone(), "pub")
            .args(message)
            .run()
            .await
            .exits(0);
        let run = at(endpoint, "sub")
            .args(["-t", "a/b", "-C", "1", "-W", "20s"])
            .run()
            .await;
        run.exits(0);
        assert_eq!(run.stdout, "hello\n");
    }

    // Events name the socket, not a host that isn't connected to.
    let held = ["--duration", "1ms"];
    let run = at(format!("unix:{path}"), "connect").args(held).run().await;
    run.exits(0);
    let attempt = format!("attempt       unix:{path}  client id");
    assert!(run.stdout.contains(&attempt), "{}", run.stdout);
    let run = at(format!("unix:{path}"), "connect")
        .args(held)
        .args(["--json"])
        .run()
        .await;
    let attempt = format!(r#""event":"attempt","endpoint":"unix:{path}","port":null,"#);
    assert!(run.stdout.contains(&attempt), "{}", run.stdout);

    // Errors: no socket, and flags without a meaning.
    let publish = |endpoint: &str| at(endpoint.to_owned(), "pub").args(["-t", "a", "-m", "x"]);
    let missing = format!("unix:{path}.missing");
    let run = publish(&missing).run().await;
    fails(
        &run,
        3,
        "E-REFUSED",
        &[&missing, "the server is not running"],
    );
    for flags in [
        &["--port", "1"][..],
        &["-4"],
        &["--proxy", "http://p:1"],
        &["--ca", "a"],
    ] {
        let run = publish(&format!("unix:{path}")).args(flags).run().await;
        fails(&run, 2, "E-USAGE", &[flags[0]]);
    }
    let run = publish("unix://host/path").run().await;
    fails(&run, 2, "E-ENDPOINT", &["unix:/PATH"]);
}
