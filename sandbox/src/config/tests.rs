//! Config files: one that says everything, and one line for each mistake.

use super::*;
use std::time::Duration;

use crate::authorizer::{Lambda, Program, Signing};
use crate::denial::Denial;

fn parse(text: &str) -> Result<SandboxOptions, ConfigError> {
    SandboxOptions::from_toml(text, Path::new("/etc/dunlin/sandbox.toml"))
}

fn refusal(text: &str) -> String {
    let text = parse(text).unwrap_err().to_string();
    text.strip_prefix("/etc/dunlin/sandbox.toml:")
        .expect("path and line")
        .to_owned()
}

#[test]
fn a_file_may_say_everything_or_nothing() {
    let nothing = parse("").unwrap();
    assert!(nothing.authorizers.is_empty() && nothing.port == 8883 && nothing.demo);
    // Each key has another value than its default.
    let all = parse(
        r#"
        port = 0
        profile = "mqtt5"
        time_scale = 60
        max_connections = 10000
        demo = false
        strict_arns = "eu-west-1:123456789012"
        deny = { connect = "close", operation = "disconnect" }
        faults = ["delay=500ms", "no-puback"]
        ws = 8080
        wss = { port = 8443, refusal = "403" }
        http = 8081
        https = 8444
        all = true
        custom_auth_x509 = true
        key = [{ id = "AKID", secret = "s3cret" }]
        [[certificate]]
        thing = "lamp-7"
        policies = ['{"Version": "2012-10-17", "Statement": []}']
        [[thing]]
        name = "lamp-7"
        type = "Lamp"
        attributes = { site = "north" }
        [[authorizer]]
        name = "A"
        status = "inactive"
        lambda.url = "http://localhost:9000"
        [[authorizer]]
        name = "B"
        token_key_name = "tok"
        default = true
        lambda.exec = ["python3", "b.py"]
        "#,
    );
    let all = all.unwrap();
    assert_eq!(
        (all.port, all.profile, all.time_scale),
        (0, Profile::Mqtt5, 60)
    );
    assert_eq!((all.max_connections, all.demo), (10_000, false));
    assert_eq!((all.ws_port, all.wss_port), (Some(8080), Some(8443)));
    assert_eq!((all.http_port, all.https_port), (Some(8081), Some(8444)));
    assert_eq!(all.websocket_refusal, WebSocketRefusal::Forbidden);
    assert!(all.all_on_one_port);
    assert_eq!(all.access_keys[0].id, "AKID");
    assert!(!format!("{:?}", all.access_keys).contains("s3cret"));
    let certificates = all.client_certificates.unwrap();
    assert!(certificates.with_authorizer);
    assert_eq!(certificates.policies[0].thing, "lamp-7");
    let thing = &certificates.things[0];
    assert_eq!(
        (&*thing.name, thing.thing_type.as_deref()),
        ("lamp-7", Some("Lamp"))
    );
    assert_eq!(thing.attributes["site"], "north");
    assert_eq!(
        all.strict_arns.unwrap().to_string(),
        "eu-west-1:123456789012"
    );
    assert_eq!(
        all.denials,
        Denials {
            connect: Denial::Close,
            operation: Denial::Disconnect,
            ..Denials::default()
        }
    );
    assert_eq!(all.faults[0], Fault::Delay(Duration::from_millis(500)));
    assert_eq!(all.default_authorizer.as_deref(), Some("B"));
    let [a, b] = all.authorizers.as_slice() else {
        panic!("two")
    };
    // A token key name without keys means a token that nobody verifies.
    assert!(!a.active && b.active && !b.signing.is_required());
    assert_eq!(b.signing.token_key_name(), Some("tok"));
    assert!(
        // The program runs in the folder of the config file.
        matches!(&b.lambda, Lambda::Exec(Program { folder: Some(folder), .. })
        if folder == Path::new("/etc/dunlin"))
    );
}

#[test]
fn the_folder_of_a_bare_file_name_is_the_current_one() {
    let text = "[[authorizer]]\nname = 'A'\nlambda.exec = ['sh']";
    let here = std::env::current_dir().unwrap();
    for (path, folder) in [
        // The parent of a bare file name is the empty path, which isn't a folder.
        ("sandbox.toml", here.clone()),
        ("./sandbox.toml", here.clone()),
        ("conf/sandbox.toml", here.join("conf")),
    ] {
        let config = SandboxOptions::from_toml(text, Path::new(path)).unwrap();
        let Lambda::Exec(program) = &config.authorizers[0].lambda else {
            panic!("a program")
        };
        assert_eq!(program.folder.as_ref(), Some(&folder), "{path}");
    }
}

#[test]
fn signing_is_on_where_keys_are_given_and_every_key_counts() {
    let dir = tempfile::tempdir().unwrap();
    let pem = || {
        let size = rcgen::RsaKeySize::_2048;
        rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size)
            .unwrap()
            .public_key_pem()
    };
    // One key by its file and one inline.
    fs::write(dir.path().join("one.pem"), pem()).unwrap();
    let text = format!(
        "[[authorizer]]\nname = 'A'\ntoken_key_name = 'tok'\npublic_keys = ['one.pem', '''{}''']\n\
         lambda.static = {{ isAuthenticated = false }}",
        pem()
    );
    let config = SandboxOptions::from_toml(&text, &dir.path().join("sandbox.toml")).unwrap();
    let Signing::Required {
        public_keys,
        token_key_name,
    } = &config.authorizers[0].signing
    else {
        panic!("signing")
    };
    assert_eq!((public_keys.len(), token_key_name.as_str()), (2, "tok"));
}

#[test]
fn a_handler_is_a_file_or_a_name_of_aws_in_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    for file in ["handler.py", "index.js", "lambda_function.py"] {
        fs::write(dir.path().join(file), "").unwrap();
    }
    let path = dir.path().join("sandbox.toml");
    for (keys, file, function) in [
        (
            "handler = 'handler.check', runtime = 'python3.13'",
            "handler.py",
            "check",
        ),
        ("handler = 'handler.check'", "handler.py", "check"),
        ("handler = 'handler.py:check'", "handler.py", "check"),
        ("handler = 'index.js'", "index.js", "handler"),
        ("runtime = 'node'", "index.js", "handler"),
        (
            "runtime = 'python', code = '.'",
            "lambda_function.py",
            "lambda_handler",
        ),
    ] {
        let text = format!(
            "[[authorizer]]\nname = 'A'\nlambda = {{ {keys}, timeout = 30, concurrency = 2, env = ['A=b'] }}"
        );
        let config = SandboxOptions::from_toml(&text, &path).unwrap();
        let Authorizer {
            lambda: Lambda::Handler(handler),
            limits,
            ..
        } = &config.authorizers[0]
        else {
            panic!("a handler: {keys}")
        };
        assert_eq!(
            (handler.file.as_path(), handler.function.as_str()),
            (Path::new(file), function)
        );
        assert_eq!(
            (limits.concurrency, limits.timeout),
            (2, Duration::from_secs(30))
        );
    }
}

#[test]
fn each_mistake_is_told_with_its_line_and_key() {
    let authorizer = |rest: &str| {
        refusal(&format!(
            "[[authorizer]]\nname = 'A'\nlambda.url = 'http://localhost'\n{rest}"
        ))
    };
    for (found, expected) in [
        (
            // Types, unknown keys and syntax: errors of the TOML library.
            refusal("port = 'x'"),
            "1: port: invalid type: string \"x\", expected u16",
        ),
        (
            refusal("\nprot = 1"),
            "2: unknown field `prot`, expected one of",
        ),
        (refusal("port = "), "1: port: "),
        (
            // Values with a grammar or range of their own.
            refusal("deny.connect = 'shrug'"),
            "1: deny.connect: \"shrug\" isn't known; there are: reason-code",
        ),
        (
            refusal("time_scale = 0"),
            "1: time_scale: it must be 1 to 1000",
        ),
        (
            refusal("max_connections = 0"),
            "1: max_connections: it must be 1 to 1000000",
        ),
        (
            refusal("strict_arns = 'here'"),
            "1: strict_arns: write it as REGION:ACCOUNT",
        ),
        (
            refusal("faults = [\n'no-such']"),
            "2: faults: unknown fault \"no-such\"",
        ),
        (authorizer("signing = true"), "2: token_key_name: "),
        (
            // A key that is missing has no line of its own: the line is that of the authorizer's
            // name.
            authorizer("signing = true\ntoken_key_name = 't'"),
            "2: public_key: ",
        ),
        (
            authorizer("public_key = 'x'\nsigning = false"),
            "4: public_key: ",
        ),
        (
            authorizer("token_key_name = 'a b'"),
            "4: token_key_name: it must be 1 to 128 ",
        ),
        (
            authorizer("public_key = '/no/such.pem'\ntoken_key_name = 't'"),
            "4: public_key: /no/such.pem: ",
        ),
        (
            authorizer("status = 'on'"),
            "4: status: unknown variant `on`, expected `active` or `inactive`",
        ),
        (
            authorizer("[[authorizer]]\nname = 'A'\nlambda.url = 'http://x'"),
            "5: name: ",
        ),
        (
            authorizer(
                "default = true\n[[authorizer]]\nname = 'B'\ndefault = true\nlambda.url = 'http://x'",
            ),
            "6: default: \"A\" is the default already",
        ),
        (
            refusal("[[authorizer]]\nname = 'A b'\nlambda.exec = ['x']"),
            "2: name: it must be 1 to 128 ",
        ),
        (
            refusal("[[authorizer]]\nname = 'A'\nlambda.exec = []"),
            "3: lambda: ",
        ),
        (
            refusal("[[authorizer]]\nname = 'A'\nlambda.url = 'https://x'"),
            "3: lambda: write it as http://",
        ),
        (
            refusal("[[authorizer]]\nname = 'A'\nlambda.static = '/no/a.json'"),
            "3: lambda: /no/a.json: ",
        ),
        (
            refusal("[[authorizer]]\nname = 'A'\nlambda.static = { isAuthenticated = true }"),
            "3: lambda: principalId is missing; policyDocuments is missing",
        ),
        (
            // Lambdas: an unknown kind, two kinds, and keys of another kind.
            refusal("[[authorizer]]\nname = 'A'\nlambda.run = 'x'"),
            "3: unknown field `run`, expected one of `static`, `exec`, `url`",
        ),
        (
            refusal("[[authorizer]]\nname = 'A'\nlambda.url = 'http://x'\nlambda.exec = ['x']"),
            "3: lambda.url: a Lambda is exactly one of static, exec, handler and url",
        ),
        (
            refusal("[[authorizer]]\nname = 'A'\nlambda.exec = ['sh']\nlambda.timeout = '2h'"),
            "3: lambda.exec: timeout must be 100ms to 1h",
        ),
        (
            refusal("[[authorizer]]\nname = 'A'\nlambda = { exec = ['sh'], concurrency = 0 }"),
            "3: lambda: concurrency must be 1 to 1000",
        ),
        (
            refusal("[[authorizer]]\nname = 'A'\nlambda = { url = 'http://x', env = ['A'] }"),
            "3: lambda: env is for exec and handler",
        ),
        (
            refusal("[[authorizer]]\nname = 'A'\nlambda = { exec = ['sh'], env = ['=x'] }"),
            "3: lambda: env \"=x\": write NAME to pass",
        ),
        (
            refusal("[[authorizer]]\nname = 'A'\nlambda = { runtime = 'ruby' }"),
            "3: lambda: the runtime \"ruby\" isn't known",
        ),
        (
            refusal("[[authorizer]]\nname = 'A'\nlambda.code = '/no/such'\nlambda.handler = 'a.b'"),
            "3: lambda: there is no folder /no/such",
        ),
        (
            refusal("[[authorizer]]\nname = 'A'\nlambda = {}"),
            "3: lambda: a Lambda is exactly one",
        ),
        (
            refusal("[[authorizer]]\nname = 'A'"),
            "1: missing field `lambda`",
        ),
    ] {
        assert!(found.starts_with(expected), "{found}\n{expected}");
    }
}
