//! A wire to the API server that is as long as wanted: it passes bytes on as they are, so that TLS is untouched, holds them
//! up for half a round trip each way, and counts them.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

const CHUNK: usize = 64 * 1024;

/// Bytes that went over a wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    /// To the server.
    pub(super) sent: u64,
    /// From the server.
    pub(super) received: u64,
}

/// A wire; it lasts as long as this process.
pub(super) struct Wire {
    /// Where clients connect to.
    pub(super) address: SocketAddr,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Counters {
    sent: AtomicU64,
    received: AtomicU64,
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    ToServer,
    ToClient,
}

/// Bytes on their way, and when they arrive; none at the end.
type Parcel = (Instant, Option<Vec<u8>>);

impl Wire {
    /// Lays a wire to `server`.
    pub(super) fn lay(server: SocketAddr, round_trip: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (address, counters) = (listener.local_addr()?, Arc::new(Counters::default()));
        let own = counters.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // A client that is gone already, or a server that is, shows at the client's next read.
                let _ended = connect(&client, server, round_trip, &own);
            }
        });
        Ok(Self { address, counters })
    }

    /// What went over it since this was asked last.
    pub(super) fn take(&self) -> Traffic {
        Traffic {
            sent: self.counters.sent.swap(0, Ordering::Relaxed),
            received: self.counters.received.swap(0, Ordering::Relaxed),
        }
    }
}

fn connect(client: &TcpStream, server: SocketAddr, round_trip: Duration, counters: &Arc<Counters>) -> io::Result<()> {
    let server = TcpStream::connect(server)?;
    server.set_nodelay(true)?;
    client.set_nodelay(true)?;
    // On a wire of this length, the client could not have sent anything before its connection was made.
    let connected = Instant::now() + round_trip;
    for (way, from, to) in [(Way::ToServer, client, &server), (Way::ToClient, &server, client)] {
        let (from, to, counters) = (from.try_clone()?, to.try_clone()?, counters.clone());
        let (parcels, arriving) = mpsc::channel();
        let earliest = if way == Way::ToServer { connected } else { Instant::now() };
        thread::spawn(move || take_up(from, way, earliest, round_trip / 2, &counters, &parcels));
        thread::spawn(move || deliver(to, &arriving));
    }
    Ok(())
}

fn take_up(
    mut from: TcpStream,
    way: Way,
    earliest: Instant,
    travel: Duration,
    counters: &Counters,
    parcels: &Sender<Parcel>,
) {
    let mut chunk = vec![0; CHUNK];
    loop {
        let length = from.read(&mut chunk).unwrap_or_default();
        let counter = if way == Way::ToServer { &counters.sent } else { &counters.received };
        counter.fetch_add(length as u64, Ordering::Relaxed);
        let bytes = (length > 0).then(|| chunk[..length].to_vec());
        let arrives = Instant::now().max(earliest) + travel;
        if parcels.send((arrives, bytes)).is_err() || length == 0 {
            return;
        }
    }
}

fn deliver(mut to: TcpStream, parcels: &Receiver<Parcel>) {
    while let Ok((arrives, bytes)) = parcels.recv() {
        thread::sleep(arrives.saturating_duration_since(Instant::now()));
        let delivered = match bytes {
            Some(bytes) => to.write_all(&bytes),
            None => to.shutdown(Shutdown::Write),
        };
        if delivered.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wire_passes_bytes_on_counts_them_and_takes_its_time() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = server.local_addr().unwrap();
        thread::spawn(move || {
            let (mut connection, _) = server.accept().unwrap();
            let mut question = [0; 4];
            connection.read_exact(&mut question).unwrap();
            connection.write_all(b"answer").unwrap();
        });
        let round_trip = Duration::from_millis(40);
        let wire = Wire::lay(address, round_trip).unwrap();
        let begun = Instant::now();
        let mut client = TcpStream::connect(wire.address).unwrap();
        client.write_all(b"what").unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "answer");
        // One round trip to connect, one for question and answer.
        assert!(begun.elapsed() >= 2 * round_trip, "{:?}", begun.elapsed());
        assert_eq!(wire.take(), Traffic { sent: 4, received: 6 });
        assert_eq!(wire.take(), Traffic::default());
    }
}
