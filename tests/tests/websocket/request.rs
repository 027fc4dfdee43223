//! Requests: path, headers, and the three ways in which an authorizer's parameters are sent.

use dunlin_test_support::websocket::{WebSocketServer, header};
use dunlin_tests::{Tool, dunlin};

use crate::{CANARY, accepts_connect, connect, until_end};

/// Base64 of 256 bytes, the size of an RSA-2048 signature.
fn signature() -> String {
    format!("{}+w==", "+/v7".repeat(85))
}

/// The same in a URL.
fn encoded_signature() -> String {
    format!("{}%2Bw%3D%3D", "%2B%2Fv7".repeat(85))
}

/// Adds an authorizer with a token and a signature in the environment, and a user name.
fn with_token(tool: Tool) -> Tool {
    tool.args(["--authorizer-name=MyAuth", "--auth-username=alice"])
        .args(["--auth-token-key-name=tokenKey"])
        .env("DUNLIN_AUTH_TOKEN", format!("{CANARY}+x"))
        .env("DUNLIN_AUTH_SIGNATURE", signature())
        .env("DUNLIN_AUTH_PASSWORD", "s3cret")
}

/// Runs the tool against one connection; returns what the server saw of request and CONNECT.
async fn seen(server: &WebSocketServer, tool: Tool) -> (String, String) {
    let (run, seen) = tokio::join!(tool.run(), async {
        let mut peer = server.accepts().await;
        let connect = accepts_connect(&mut peer).await;
        let request = peer.request.clone();
        until_end(peer).await;
        (request, connect)
    });
    run.exits(0);
    let output = format!("{}{}", run.stdout, run.stderr);
    assert!(!output.contains(CANARY), "{output}");
    let (request, connect) = seen;
    (request, String::from_utf8_lossy(&connect).into_owned())
}

#[tokio::test]
async fn the_parameters_are_sent_in_the_user_name_the_headers_or_the_query() {
    let server = WebSocketServer::start().await;

    let tool = with_token(connect(&server));
    let (request, packet) = seen(&server, tool).await;
    assert!(request.starts_with("GET /mqtt HTTP/1.1\r\n"));
    assert!(packet.contains("alice?x-amz-customauthorizer-name=MyAuth&"));

    let tool = with_token(connect(&server)).args(["--authorizer-as=headers"]);
    let (request, packet) = seen(&server, tool).await;
    assert_eq!(
        header(&request, "x-amz-customauthorizer-name"),
        Some("MyAuth")
    );
    let signature = header(&request, "x-amz-customauthorizer-signature");
    assert_eq!(signature, Some(self::signature().as_str()));
    assert_eq!(header(&request, "tokenKey"), Some("canary-7f3a+x"));
    assert!(packet.contains("alice") && packet.contains("s3cret"));
    assert!(!packet.contains('?'), "{packet}");

    let tool = with_token(connect(&server)).args(["--authorizer-as=query"]);
    let (request, packet) = seen(&server, tool).await;
    let line = format!(
        "GET /mqtt?x-amz-customauthorizer-name=MyAuth&x-amz-customauthorizer-signature={}\
         &tokenKey=canary-7f3a%2Bx HTTP/1.1",
        encoded_signature()
    );
    assert_eq!(request.lines().next(), Some(line.as_str()));
    assert!(packet.contains("alice") && !packet.contains('?'));
}

#[tokio::test]
async fn a_command_brings_fresh_values_for_the_query() {
    let server = WebSocketServer::start().await;
    let tool = connect(&server)
        .args(["--authorizer-name=MyAuth", "--auth-token-key-name=t"])
        .args(["--authorizer-as=query"])
        .args([r#"--auth-cmd=echo '{"token": "canary-7f3a", "password": "pw"}'"#]);

    let (request, packet) = seen(&server, tool).await;

    let line = request.lines().next().unwrap();
    assert_eq!(
        line,
        "GET /mqtt?x-amz-customauthorizer-name=MyAuth&t=canary-7f3a HTTP/1.1"
    );
    assert!(packet.contains("pw") && !packet.contains(CANARY));
}

#[tokio::test]
async fn headers_come_from_flags_and_files_and_are_never_printed() {
    let server = WebSocketServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("headers");
    std::fs::write(&file, format!("X-A={CANARY}\nX-B: {CANARY}\n")).unwrap();

    for tool in [
        connect(&server).args([
            "--ws-header",
            "X-A=canary-7f3a",
            "--ws-header=X-B: canary-7f3a",
        ]),
        connect(&server).args(["--ws-header-file", file.to_str().unwrap()]),
    ] {
        let tool = tool.args(["-v", "--packets", "--json"]);
        let (request, _) = seen(&server, tool).await;
        assert_eq!(header(&request, "X-A"), Some(CANARY));
        assert_eq!(header(&request, "X-B"), Some(CANARY));
    }
}

#[tokio::test]
async fn a_dry_run_and_the_json_lines_say_the_transport() {
    let server = WebSocketServer::start().await;
    let run = with_token(connect(&server))
        .args(["--dry-run", "--authorizer-as=query"])
        .run()
        .await;
    run.exits(0);
    assert!(run.stdout.contains("(WebSocket over TCP without TLS)"));
    assert!(!run.stdout.contains(CANARY), "{}", run.stdout);

    let (run, ()) = tokio::join!(connect(&server).args(["--json"]).run(), async {
        let mut peer = server.accepts().await;
        accepts_connect(&mut peer).await;
        until_end(peer).await;
    });
    assert!(
        run.stdout.contains("\"transport\":\"ws\""),
        "{}",
        run.stdout
    );
}

#[tokio::test]
async fn flags_of_websocket_need_websocket() {
    for flag in ["--ws-header=X=canary-7f3a", "--authorizer-as=query"] {
        let run = dunlin(["connect", "-H", "mqtt://localhost", flag])
            .run()
            .await;
        run.exits(2);
        assert!(run.stderr.contains("is for WebSocket"), "{}", run.stderr);
        assert!(!run.stderr.contains(CANARY), "{}", run.stderr);
    }
    // Neither does a header that can't be sent, and its value isn't printed.
    for header in ["X Y=canary-7f3a", "canary-7f3a", "Upgrade=canary-7f3a"] {
        let run = dunlin(["connect", "-H", "ws://localhost", "--ws-header", header])
            .run()
            .await;
        run.exits(2);
        assert!(!run.stderr.contains(CANARY), "{}", run.stderr);
    }
}

#[tokio::test]
async fn auth_username_prints_headers_and_query() {
    let print = |way: &str| with_token(dunlin(["auth", "username", "--as", way])).run();
    let (headers, query, connect) =
        tokio::join!(print("headers"), print("query"), print("connect"));
    assert_eq!(
        headers.stdout,
        format!(
            "x-amz-customauthorizer-name: MyAuth\nx-amz-customauthorizer-signature: {}\n\
             tokenKey: canary-7f3a+x\n",
            signature()
        )
    );
    assert_eq!(
        query.stdout,
        format!(
            "/mqtt?x-amz-customauthorizer-name=MyAuth&x-amz-customauthorizer-signature={}\
             &tokenKey=canary-7f3a%2Bx\n",
            encoded_signature()
        )
    );
    assert!(connect.stdout.starts_with("alice?x-amz-"));
    let redacted = with_token(dunlin(["auth", "username", "--as=query", "--redacted"]))
        .run()
        .await;
    assert!(!redacted.stdout.contains(CANARY), "{}", redacted.stdout);
    for run in [headers, query, connect, redacted] {
        run.exits(0);
    }
}
