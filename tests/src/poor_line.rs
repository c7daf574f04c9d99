use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use corridor_core::SeededEntropy;

use crate::draw::draw;

/// How a line is poor.
#[derive(Debug, Clone)]
pub struct LineFaults {
    /// Draws where each connection ends, and how.
    pub seed: u64,
    /// Bytes a connection carries, both ways together, before it ends, between these; for ever when `None`.
    pub cut_after: Option<RangeInclusive<u64>>,
    /// One connection in so many does not end but stalls: it stays open, and nothing comes any more. None when 0.
    pub stalls_one_in: u32,
    /// By how much every piece is late.
    pub delay: Duration,
    /// Bytes a second in each direction; as fast as it goes when `None`.
    pub bytes_per_second: Option<u64>,
}

impl LineFaults {
    /// A line without faults.
    pub const NONE: Self = Self {
        seed: 0,
        cut_after: None,
        stalls_one_in: 0,
        delay: Duration::ZERO,
        bytes_per_second: None,
    };
}

/// A line to a service that is cut, stalls and crawls: a TCP proxy on a port of its own. Bytes keep their order, as TCP promises.
/// Closed when dropped.
#[derive(Debug)]
pub struct PoorLine {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    target: Mutex<SocketAddr>,
    faults: Mutex<LineFaults>,
    open: Mutex<Vec<TcpStream>>,
    is_closed: AtomicBool,
    connections: AtomicU64,
    cuts: AtomicU64,
    stalls: AtomicU64,
    carried: AtomicU64,
}

/// Bytes carried at a time.
const PIECE: usize = 16 * 1024;

/// How often a thread that waits looks whether the line was closed.
const GLANCE: Duration = Duration::from_millis(50);

impl PoorLine {
    /// A line to `target`.
    ///
    /// # Panics
    /// When no port is free.
    pub fn start(target: SocketAddr, faults: LineFaults) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            target: Mutex::new(target),
            faults: Mutex::new(faults),
            open: Mutex::new(Vec::new()),
            is_closed: AtomicBool::new(false),
            connections: AtomicU64::new(0),
            cuts: AtomicU64::new(0),
            stalls: AtomicU64::new(0),
            carried: AtomicU64::new(0),
        });
        let accepting = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Self {
            shared,
            address,
            accepting: Some(accepting),
        }
    }

    /// Where clients connect.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Has connections from now on go to another service, as one that was started again on another port.
    pub fn set_target(&self, target: SocketAddr) {
        *lock(&self.shared.target) = target;
    }

    /// Other faults, for connections from now on.
    pub fn set_faults(&self, faults: LineFaults) {
        *lock(&self.shared.faults) = faults;
    }

    /// Cuts every connection that is open.
    pub fn cut(&self) {
        for stream in lock(&self.shared.open).drain(..) {
            if stream.shutdown(Shutdown::Both).is_ok() {
                self.shared.cuts.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Connections that were cut.
    pub fn cuts(&self) -> u64 {
        self.shared.cuts.load(Ordering::Relaxed)
    }

    /// Connections that stalled.
    pub fn stalls(&self) -> u64 {
        self.shared.stalls.load(Ordering::Relaxed)
    }

    /// Bytes carried, both ways together.
    pub fn carried(&self) -> u64 {
        self.shared.carried.load(Ordering::Relaxed)
    }
}

impl Drop for PoorLine {
    fn drop(&mut self) {
        self.shared.is_closed.store(true, Ordering::Relaxed);
        self.cut();
        // Wakes the thread that waits for a connection.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            drop(accepting.join());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while let Ok((client, _)) = listener.accept() {
        if shared.is_closed.load(Ordering::Relaxed) {
            break;
        }
        let number = shared.connections.fetch_add(1, Ordering::Relaxed);
        let target = *lock(&shared.target);
        // Nobody there: the client's connection is closed, as a port nobody listens on would.
        if let Ok(server) = TcpStream::connect(target) {
            drop(carry(number, client, server, shared));
        }
    }
}

/// Both directions of a connection, and what they may still carry.
struct Connection {
    faults: LineFaults,
    left: Mutex<u64>,
    stalls: bool,
    has_ended: AtomicBool,
    shared: Arc<Shared>,
}

fn carry(number: u64, client: TcpStream, server: TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    let faults = lock(&shared.faults).clone();
    let mut entropy = SeededEntropy::new(faults.seed, &format!("connection {number}"));
    let left = faults
        .cut_after
        .as_ref()
        .map_or(u64::MAX, |range| draw(&mut entropy, *range.start(), *range.end()));
    let stalls = faults.stalls_one_in > 0 && draw(&mut entropy, 1, faults.stalls_one_in.into()) == 1;
    let connection = Arc::new(Connection {
        faults,
        left: Mutex::new(left),
        stalls,
        has_ended: AtomicBool::new(false),
        shared: Arc::clone(shared),
    });
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(GLANCE))?;
    }
    {
        let mut open = lock(&shared.open);
        // Those that ended are of no use any more.
        open.retain(|stream| stream.peer_addr().is_ok());
        open.push(client.try_clone()?);
        open.push(server.try_clone()?);
    }
    let directions = [(client.try_clone()?, server.try_clone()?), (server, client)];
    for (from, to) in directions {
        let connection = Arc::clone(&connection);
        std::thread::spawn(move || connection.carry_one_way(from, to));
    }
    Ok(())
}

impl Connection {
    fn carry_one_way(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut piece = vec![0; PIECE];
        loop {
            let read = match from.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error)
                    if error.kind() == io::ErrorKind::WouldBlock
                        || error.kind() == io::ErrorKind::TimedOut =>
                {
                    if self.is_over() {
                        break;
                    }
                    continue;
                }
                Err(_) => break,
            };
            let wanted = u64::try_from(read).expect("a piece is small");
            let before = {
                // Counted in one step with what is left: whoever meets the end knows of all that was carried before.
                let mut left = lock(&self.left);
                let before = *left;
                *left = before.saturating_sub(wanted);
                self.shared
                    .carried
                    .fetch_add(before.min(wanted), Ordering::Relaxed);
                before
            };
            let taken = usize::try_from(before.min(wanted)).expect("a piece is small");
            self.wait_for(taken);
            if to.write_all(&piece[..taken]).is_err() {
                break;
            }
            if taken < read {
                self.end();
                break;
            }
        }
        drop(from.shutdown(Shutdown::Both));
        drop(to.shutdown(Shutdown::Both));
    }

    /// The time the line takes.
    fn wait_for(&self, bytes: usize) {
        let mut wait = self.faults.delay;
        if let Some(rate) = self.faults.bytes_per_second {
            let nanoseconds = u64::try_from(bytes).expect("a piece is small") * 1_000_000_000 / rate.max(1);
            wait += Duration::from_nanos(nanoseconds);
        }
        if !wait.is_zero() {
            std::thread::sleep(wait);
        }
    }

    fn is_over(&self) -> bool {
        self.shared.is_closed.load(Ordering::Relaxed)
            || (self.has_ended.load(Ordering::Relaxed) && !self.stalls)
    }

    /// The connection has carried all it may: it is cut, or stays open and silent until the line is closed.
    fn end(&self) {
        let is_first = !self.has_ended.swap(true, Ordering::Relaxed);
        if is_first {
            let count = if self.stalls {
                &self.shared.stalls
            } else {
                &self.shared.cuts
            };
            count.fetch_add(1, Ordering::Relaxed);
        }
        while self.stalls && !self.shared.is_closed.load(Ordering::Relaxed) {
            std::thread::sleep(GLANCE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service that gives back what it gets.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                std::thread::spawn(move || {
                    let mut piece = [0; 1000];
                    while let Ok(read @ 1..) = stream.read(&mut piece) {
                        if stream.write_all(&piece[..read]).is_err() {
                            break;
                        }
                    }
                });
            }
        });
        address
    }

    /// What comes back of `bytes` over a connection, until it ends or nothing comes for a while.
    fn send(line: &PoorLine, bytes: &[u8]) -> (Vec<u8>, bool) {
        let mut stream = TcpStream::connect(line.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let mut sending = stream.try_clone().unwrap();
        let all = bytes.to_vec();
        let sender = std::thread::spawn(move || drop(sending.write_all(&all)));
        let mut back = Vec::new();
        let mut piece = [0; 4096];
        let has_stalled = loop {
            if back.len() == bytes.len() {
                break false;
            }
            match stream.read(&mut piece) {
                Ok(0) => break false,
                Ok(read) => back.extend_from_slice(&piece[..read]),
                Err(error) => break error.kind() == io::ErrorKind::WouldBlock,
            }
        };
        drop(stream.shutdown(Shutdown::Both));
        sender.join().unwrap();
        (back, has_stalled)
    }

    fn bytes(count: u32) -> Vec<u8> {
        (0..count)
            .map(|place| u8::try_from(place % 251).unwrap())
            .collect()
    }

    #[test]
    fn a_line_without_faults_carries_everything() {
        let line = PoorLine::start(echo(), LineFaults::NONE);
        let sent = bytes(1_000_000);
        assert!(send(&line, &sent) == (sent.clone(), false));
        assert_eq!((line.cuts(), line.stalls(), line.carried()), (0, 0, 2_000_000));
    }

    #[test]
    fn each_connection_is_cut_after_as_many_bytes_as_its_seed_says() {
        let faults = LineFaults {
            seed: 7,
            cut_after: Some(10_000..=200_000),
            ..LineFaults::NONE
        };
        let lengths = || -> Vec<u64> {
            let line = PoorLine::start(echo(), faults.clone());
            let sent = bytes(1_000_000);
            let carried = (0..5)
                .map(|_| {
                    let before = line.carried();
                    let (back, has_stalled) = send(&line, &sent);
                    assert!(
                        !has_stalled && sent.starts_with(&back),
                        "what came is a beginning of what was sent"
                    );
                    line.carried() - before
                })
                .collect();
            assert_eq!((line.cuts(), line.stalls()), (5, 0));
            carried
        };
        let first = lengths();
        assert!(
            first.iter().all(|length| (10_000..=200_000).contains(length)),
            "{first:?}"
        );
        assert!(first.windows(2).any(|pair| pair[0] != pair[1]), "{first:?}");
        assert_eq!(first, lengths());
    }

    #[test]
    fn a_stalled_connection_stays_open_and_silent() {
        let faults = LineFaults {
            cut_after: Some(5000..=5000),
            stalls_one_in: 1,
            ..LineFaults::NONE
        };
        let line = PoorLine::start(echo(), faults);
        let (back, has_stalled) = send(&line, &bytes(100_000));
        assert!(has_stalled && back.len() <= 5000, "{} bytes", back.len());
        assert_eq!((line.cuts(), line.stalls()), (0, 1));
    }
}
