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

/// A port that leads to another one, as long as the link lets it.
pub struct Proxy {
    pub port: u16,
    link: watch::Sender<Link>,
    task: AbortHandle,
}

impl Proxy {
    /// In front of `target`, and `link` to begin with.
    pub fn before(target: u16, link: Link) -> Self {
        let port = free_port();
        let (link, watched) = watch::channel(link);
        let task = tokio::spawn(listen(port, target, watched)).abort_handle();
        Self { port, link, task }
    }

    pub fn set(&self, link: Link) {
        self.link.send_replace(link);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.link.send_replace(Link::Cut);
        self.task.abort();
    }
}

async fn listen(port: u16, target: u16, mut link: watch::Receiver<Link>) {
    loop {
        if link.wait_for(|link| *link != Link::Cut).await.is_err() {
            return;
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let mut cut = link.clone();
        let accepting = async {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(carry(client, target, link.clone()));
            }
        };
        tokio::select! {
            () = accepting => {}
            _ = cut.wait_for(|link| *link == Link::Cut) => {}
        }
    }
}

/// Carries one connection until an end closes it, or the link is cut.
async fn carry(client: TcpStream, target: u16, link: watch::Receiver<Link>) {
    let mut cut = link.clone();
    let carrying = async {
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let ((from_client, to_client), (from_server, to_server)) =
            (client.into_split(), server.into_split());
        tokio::try_join!(
            pump(from_client, to_server, link.clone()),
            pump(from_server, to_client, link),
        )
    };
    tokio::select! {
        // A connection that breaks is what may happen to it.
        _ = carrying => {}
        _ = cut.wait_for(|link| *link == Link::Cut) => {}
    }
}

async fn pump(
    mut from: tcp::OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    mut link: watch::Receiver<Link>,
) -> std::io::Result<()> {
    let mut piece = vec![0; 64 * 1024];
    loop {
        let length = from.read(&mut piece).await?;
        let now = *link.borrow();
        if let Link::Slow(delay) = now {
            tokio::time::sleep(delay).await;
        }
        // Whoever holds the other end is gone: so is this connection.
        link.wait_for(|link| *link != Link::Silent).await.map_err(std::io::Error::other)?;
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&piece[..length]).await?;
    }
}
