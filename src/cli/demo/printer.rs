//! A receipt printer without a printer: listens like one on the network, understands ESC/POS, keeps the paper.

use crate::print::paper::page::Page;
use crate::print::paper::{Model, Paper};
use anyhow::Context as _;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// Pages that may wait to be looked at.
const PAGES_MAX: usize = 16;

/// Serves one connection after another, as a printer at port 9100 does, until the process ends.
pub(super) struct Printer {
    address: SocketAddr,
    pages: Receiver<Page>,
}

impl Printer {
    pub(super) fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port for the printer")?;
        let address = listener.local_addr()?;
        let (sender, pages) = sync_channel(PAGES_MAX);
        std::thread::Builder::new().name("paper".to_owned()).spawn(move || {
            let mut paper = Paper::new(Model::FULL);
            for stream in listener.incoming().flatten() {
                serve(stream, &mut paper, &sender);
            }
        })?;
        Ok(Self { address, pages })
    }

    pub(super) fn address(&self) -> String {
        format!("tcp://{}", self.address)
    }

    /// The next page that was cut off.
    pub(super) fn page(&self, limit: Duration) -> anyhow::Result<Page> {
        self.pages.recv_timeout(limit).context("no card came out of the printer")
    }
}

fn serve(mut stream: TcpStream, paper: &mut Paper, pages: &SyncSender<Page>) {
    let mut buffer = [0; 1024];
    // A connection that breaks is the daemon's to notice; the printer waits for the next.
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        let replies = paper.push(buffer.get(..count).unwrap_or_default());
        if stream.write_all(&replies).is_err() {
            return;
        }
        for page in paper.take_pages() {
            if pages.send(page).is_err() {
                return;
            }
        }
    }
}
