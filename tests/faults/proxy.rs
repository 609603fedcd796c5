//! A network between the service and what it needs, which can be cut, fall silent, and be slow.

use std::{net::Ipv4Addr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp},
    sync::watch,
    task::AbortHandle,
};

use crate::servers::free_port;

/// How the network is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// As if it were not there.
    Open,
    /// Every piece takes this much longer.
    Slow(Duration),
    /// What is sent gets lost, until it gets through after all: nobody is told.
    Silent,
    /// Connections are broken, and none can be had.
    Cut,
}

/// The network, and where it leads.
#[derive(Debug, Clone, Copy)]
struct Way {
    link: Link,
    target: u16,
}

/// A port that leads to another one, as long as the link lets it.
pub struct Proxy {
    pub port: u16,
    way: watch::Sender<Way>,
    task: AbortHandle,
}

impl Proxy {
    /// In front of `target`, and `link` to begin with.
    pub fn before(target: u16, link: Link) -> Self {
        let port = free_port();
        let (way, watched) = watch::channel(Way { link, target });
        let task = tokio::spawn(listen(port, watched)).abort_handle();
        Self { port, way, task }
    }

    pub fn set(&self, link: Link) {
        self.way.send_modify(|way| way.link = link);
    }

    /// Leads to another port; connections to the one before are broken.
    pub fn lead_to(&self, target: u16) {
        self.way.send_modify(|way| way.target = target);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.set(Link::Cut);
        self.task.abort();
    }
}

async fn listen(port: u16, mut way: watch::Receiver<Way>) {
    loop {
        if way.wait_for(|way| way.link != Link::Cut).await.is_err() {
            return;
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let mut cut = way.clone();
        let accepting = async {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(carry(client, way.clone()));
            }
        };
        tokio::select! {
            () = accepting => {}
            _ = cut.wait_for(|way| way.link == Link::Cut) => {}
        }
    }
}

/// Carries one connection until an end closes it, or it leads there no more.
async fn carry(client: TcpStream, way: watch::Receiver<Way>) {
    let mut cut = way.clone();
    let target = way.borrow().target;
    let carrying = async {
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let ((from_client, to_client), (from_server, to_server)) =
            (client.into_split(), server.into_split());
        tokio::try_join!(
            pump(from_client, to_server, way.clone()),
            pump(from_server, to_client, way),
        )
    };
    tokio::select! {
        // A connection that breaks is what may happen to it.
        _ = carrying => {}
        _ = cut.wait_for(|way| way.link == Link::Cut || way.target != target) => {}
    }
}

async fn pump(
    mut from: tcp::OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    mut way: watch::Receiver<Way>,
) -> std::io::Result<()> {
    let mut piece = vec![0; 64 * 1024];
    loop {
        let length = from.read(&mut piece).await?;
        let now = way.borrow().link;
        if let Link::Slow(delay) = now {
            tokio::time::sleep(delay).await;
        }
        // Whoever holds the other end is gone: so is this connection.
        way.wait_for(|way| way.link != Link::Silent).await.map_err(std::io::Error::other)?;
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&piece[..length]).await?;
    }
}
