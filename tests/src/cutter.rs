//! `Cutter`: a TCP proxy between a client and a server whose connections can be cut.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// TCP proxy that forwards connections to a server until they are cut. Dropping it stops it.
#[derive(Debug)]
pub struct Cutter {
    address: SocketAddr,
    cuts: watch::Sender<u32>,
    is_blocked: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Cutter {
    /// Starts a proxy for `server` on a free port.
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (cuts, cut) = watch::channel(0);
        let is_blocked = Arc::new(AtomicBool::new(false));
        let blocks = Arc::clone(&is_blocked);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if blocks.load(Ordering::SeqCst) {
                    continue;
                }
                tokio::spawn(pass_on(client, server, cut.clone()));
            }
        });
        Self {
            address,
            cuts,
            is_blocked,
            task,
        }
    }

    /// Address that clients connect to.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes all connections, and each new one until [`unblock`](Self::unblock).
    pub fn block(&self) {
        self.is_blocked.store(true, Ordering::SeqCst);
        self.cut();
    }

    /// Forwards new connections again.
    pub fn unblock(&self) {
        self.is_blocked.store(false, Ordering::SeqCst);
    }

    /// Closes all connections at once, also in the middle of a packet. New ones are forwarded.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass_on(mut client: TcpStream, server: SocketAddr, mut cut: watch::Receiver<u32>) {
    cut.mark_unchanged();
    let Ok(mut server) = TcpStream::connect(server).await else {
        return;
    };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = cut.changed() => {}
    }
}
