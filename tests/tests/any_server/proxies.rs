//! Through proxies of Debian: microsocks for SOCKS5, tinyproxy for HTTP.

use dunlin_tests::{LocalProxy, Tool, dunlin};

use super::network::{Served, fails};

/// `dunlin pub` to the sandbox through the proxy with this URL.
fn through(served: &Served, url: &str) -> Tool {
    served.publish_with_ca("localhost").args(["--proxy", url])
}

#[tokio::test]
async fn socks5_carries_the_connection_and_resolves_the_name() {
    let Some(proxy) = LocalProxy::microsocks(false).await else {
        return;
    };
    let served = Served::start().await;
    let address = proxy.address();
    for scheme in ["socks5h", "socks5", "SOCKS5H"] {
        let run = through(&served, &format!("{scheme}://{address}"))
            .run()
            .await;
        run.exits(0);
    }

    // The variable is used for servers elsewhere. The proxy, and not this computer, looks for the name.
    let run = dunlin(["pub", "-t", "a", "-m", "x", "--reconnect=0"])
        .args(["-H", "mqtt://iot.invalid", "--timeout", "20s"])
        .env("ALL_PROXY", format!("socks5h://{address}"));
    let from = format!("via socks5h://{address} (from ALL_PROXY)");
    fails(
        &run.run().await,
        3,
        "E-PROXY",
        &[
            "the proxy refused the connection: ",
            "(SOCKS reply 0x0",
            &from,
        ],
    );

    // A port that nobody listens on is told by the proxy.
    let run = dunlin([
        "pub",
        "-t",
        "a",
        "-m",
        "x",
        "-H",
        "mqtt://localhost:1",
        "--reconnect=0",
    ])
    .args(["--proxy", &format!("socks5h://{address}")]);
    fails(
        &run.run().await,
        3,
        "E-PROXY",
        &["the server refused the connection (SOCKS reply 0x05)"],
    );
}

#[tokio::test]
async fn socks5_with_user_name_and_password() {
    let Some(proxy) = LocalProxy::microsocks(true).await else {
        return;
    };
    let served = Served::start().await;
    let address = proxy.address();
    let (user, password) = (LocalProxy::USER, LocalProxy::PASSWORD);
    through(&served, &format!("socks5h://{user}:{password}@{address}"))
        .run()
        .await
        .exits(0);

    let run = through(&served, &format!("socks5h://{address}"))
        .run()
        .await;
    fails(
        &run,
        3,
        "E-PROXY",
        &[
            "none of the offered authentication methods",
            "USER:PASSWORD",
        ],
    );
    let run = through(&served, &format!("socks5h://{user}:canary@{address}"))
        .run()
        .await;
    fails(&run, 3, "E-PROXY", &["it refused user name and password"]);
    assert!(!run.stderr.contains("canary"), "{}", run.stderr);
}

#[tokio::test]
async fn http_connect_with_and_without_a_password() {
    let Some(proxy) = LocalProxy::tinyproxy(false).await else {
        return;
    };
    let served = Served::start().await;
    through(&served, &format!("http://{}", proxy.address()))
        .run()
        .await
        .exits(0);
    let Some(proxy) = LocalProxy::tinyproxy(true).await else {
        return;
    };
    let (address, user, password) = (proxy.address(), LocalProxy::USER, LocalProxy::PASSWORD);
    through(&served, &format!("http://{user}:{password}@{address}"))
        .run()
        .await
        .exits(0);
    let run = through(&served, &format!("http://{address}")).run().await;
    fails(&run, 3, "E-PROXY", &["407", "USER:PASSWORD"]);
}
