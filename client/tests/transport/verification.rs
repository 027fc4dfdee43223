//! Verification of the server's certificate: another name, the function for names, none; the key log.

use std::sync::{Arc, Mutex};

use dunlin_client::transport::{
    KeyLog, NameVerifier, Roots, ServerVerification, TlsConnector, TlsError, TlsOptions,
    TlsOptionsError, TlsVersion, open,
};

use crate::authority::Authority;
use crate::server::{Behaviour, Server};
use crate::{open_tls, read_greeting, tls_failure, tls_options, transport_options};

#[tokio::test]
async fn another_server_name_is_sent_and_looked_for_in_the_certificate() {
    let authority = Authority::new("Test CA");
    let server = Server::start(&authority.issues(&["iot.example"]), Behaviour::default()).await;
    let mut tls = tls_options(&authority);
    tls.server_name = Some("iot.example".into());

    let options = transport_options("localhost", server.address, Some(&tls));
    let (mut transport, _) = open_tls(&options).await;
    assert_eq!(read_greeting(&mut transport).await, "iot.example 0\n");

    // The error is about the name that was looked for.
    tls.server_name = Some("other.example".into());
    let options = transport_options("iot.example", server.address, Some(&tls));
    let TlsError::NameMismatch { wanted, presented } = tls_failure(&options).await else {
        panic!()
    };
    assert_eq!(
        (wanted.as_str(), presented),
        ("other.example", vec!["iot.example".to_owned()])
    );

    tls.server_name = Some("not a name".into());
    let error = TlsConnector::new(&tls).unwrap_err();
    assert_eq!(
        error,
        TlsOptionsError::InvalidServerName {
            name: "not a name".into()
        }
    );
}

#[tokio::test]
async fn without_verification_any_certificate_is_accepted_and_the_result_says_so() {
    let authority = Authority::new("Test CA");
    let server = Server::start(
        &authority.issues_for_year(&["elsewhere"], 2001),
        Behaviour::default(),
    )
    .await;
    // No authority, another name, and expired.
    let mut tls = TlsOptions {
        verification: ServerVerification::Disabled,
        ..TlsOptions::default()
    };
    for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
        tls.min_version = version;
        let options = transport_options("localhost", server.address, Some(&tls));
        let (_transport, info) = open_tls(&options).await;
        assert!(!info.is_verified);
        assert_eq!(info.certificate.unwrap().subject, "elsewhere");
    }

    tls.verification = ServerVerification::Full;
    let options = transport_options("localhost", server.address, Some(&tls));
    assert!(open(&options).await.is_err());
}

#[tokio::test]
async fn an_unverified_server_over_tls_1_2_is_connected_to() {
    let authority = Authority::new("Test CA");
    let behaviour = Behaviour {
        versions: &crate::ONLY_1_2,
        ..Behaviour::default()
    };
    let server = Server::start(&authority.issues(&["elsewhere"]), behaviour).await;
    let tls = TlsOptions {
        verification: ServerVerification::Disabled,
        ..TlsOptions::default()
    };
    let (_transport, info) =
        open_tls(&transport_options("localhost", server.address, Some(&tls))).await;
    assert_eq!(info.version, TlsVersion::V1_2);
}

#[tokio::test]
async fn the_function_for_names_is_asked_only_about_the_name() {
    let authority = Authority::new("Test CA");
    // Common Name `localhost`, and no Subject Alternative Name.
    let server = Server::start(&authority.issues_as("localhost", &[]), Behaviour::default()).await;
    let mut tls = tls_options(&authority);
    let fails = async |tls: &TlsOptions| {
        tls_failure(&transport_options("localhost", server.address, Some(tls))).await
    };
    assert!(matches!(fails(&tls).await, TlsError::NameMismatch { .. }));

    tls.verification = ServerVerification::OrName(NameVerifier::common_name());
    let options = transport_options("localhost", server.address, Some(&tls));
    let (_transport, info) = open_tls(&options).await;
    assert!(info.is_verified);

    // Another host is another name.
    let options = transport_options("iot.example", server.address, Some(&tls));
    assert!(matches!(
        tls_failure(&options).await,
        TlsError::NameMismatch { .. }
    ));

    // Whatever it would say, the authority is checked.
    let asked = Arc::new(Mutex::new(Vec::new()));
    let record = asked.clone();
    tls.verification = ServerVerification::OrName(NameVerifier::new(move |names| {
        record
            .lock()
            .unwrap()
            .push((names.host.to_owned(), names.common_name.map(str::to_owned)));
        true
    }));
    let options = transport_options("iot.example", server.address, Some(&tls));
    open_tls(&options).await;
    let seen = ("iot.example".to_owned(), Some("localhost".to_owned()));
    assert_eq!(*asked.lock().unwrap(), [seen]);
    tls.roots = Roots::WebPki;
    assert!(matches!(fails(&tls).await, TlsError::UnknownIssuer { .. }));
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_common_name_does_not_count_beside_an_alternative_name() {
    let authority = Authority::new("Test CA");
    let identity = authority.issues_as("localhost", &["other.example"]);
    let server = Server::start(&identity, Behaviour::default()).await;
    let mut tls = tls_options(&authority);
    tls.verification = ServerVerification::OrName(NameVerifier::common_name());

    let options = transport_options("localhost", server.address, Some(&tls));

    assert!(matches!(
        tls_failure(&options).await,
        TlsError::NameMismatch { .. }
    ));
}

#[tokio::test]
async fn a_key_log_has_the_secrets_of_each_connection() {
    let authority = Authority::new("Test CA");
    let server = Server::start(&authority.issues(&["localhost"]), Behaviour::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.log");
    std::fs::write(&path, "# earlier\n").unwrap();
    let mut tls = tls_options(&authority);
    tls.key_log = Some(KeyLog::to_file(&path).unwrap());

    let options = transport_options("localhost", server.address, Some(&tls));
    open_tls(&options).await;

    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        text.starts_with("# earlier\n"),
        "an existing file is appended to"
    );
    for label in [
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET ",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET ",
        "CLIENT_TRAFFIC_SECRET_0 ",
        "SERVER_TRAFFIC_SECRET_0 ",
    ] {
        let line = text.lines().find(|line| line.starts_with(label)).unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!((words.len(), words[1].len()), (3, 64), "{line}");
    }
    assert_eq!(tls.key_log.unwrap().fault(), None);
}

#[tokio::test]
async fn a_key_log_is_for_its_owner_alone_and_a_missing_folder_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.log");
    KeyLog::to_file(&path).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let error = KeyLog::to_file(folder.path().join("missing/keys.log")).unwrap_err();
    assert!(matches!(error, TlsOptionsError::KeyLog { .. }), "{error:?}");
}

/// With both libraries compiled in, the options choose.
#[cfg(all(feature = "aws-lc", feature = "ring"))]
#[tokio::test]
async fn each_library_for_cryptography_connects() {
    use dunlin_client::transport::Cryptography;
    let authority = Authority::new("Test CA");
    // The key of the client is read by the default library, and also signs for the other one.
    let devices = Authority::new("Devices");
    let device = crate::client_certificate(&devices.issues(&["lamp-7"]));
    let behaviour = Behaviour {
        clients_of: Some(devices),
        ..Behaviour::default()
    };
    let server = Server::start(&authority.issues(&["localhost"]), behaviour).await;
    assert_eq!(Cryptography::default(), Cryptography::AwsLc);
    for cryptography in [Cryptography::AwsLc, Cryptography::Ring] {
        let tls = TlsOptions {
            cryptography,
            client_certificate: Some(device.clone()),
            ..tls_options(&authority)
        };
        let options = transport_options("localhost", server.address, Some(&tls));
        let (mut transport, info) = open_tls(&options).await;
        assert!(info.is_verified);
        assert_eq!(read_greeting(&mut transport).await, "localhost 1\n");
    }
}

/// The machine of a test may have no authorities at all.
#[cfg(feature = "platform-roots")]
#[test]
fn the_authorities_of_the_system_are_read_or_there_are_none() {
    use dunlin_client::transport::CaBundle;
    match CaBundle::from_platform() {
        Ok(bundle) => {
            let roots = Roots::WebPkiAnd(bundle);
            TlsConnector::new(&TlsOptions {
                roots,
                ..TlsOptions::default()
            })
            .unwrap();
        }
        Err(error) => assert_eq!(error, TlsOptionsError::NoRoots),
    }
}
