//! `Cutter`: a wire between a client and a server that can be cut.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Passes on to a server whatever is sent to [`address`](Self::address), until it is cut. Ends when
/// dropped.
#[derive(Debug)]
pub struct Cutter {
    address: SocketAddr,
    cuts: watch::Sender<u32>,
    is_blocked: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Cutter {
    /// A wire to `server`.
    pub async fn to(server: SocketAddr) -> Self {
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

    /// Cuts every connection that there is, and every new one until [`unblock`](Self::unblock).
    pub fn block(&self) {
        self.is_blocked.store(true, Ordering::SeqCst);
        self.cut();
    }

    /// New connections are passed on again.
    pub fn unblock(&self) {
        self.is_blocked.store(false, Ordering::SeqCst);
    }

    /// Cuts every connection that there is, in the middle of whatever it carries. New ones are
    /// passed on.
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
