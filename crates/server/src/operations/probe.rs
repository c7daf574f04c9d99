use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// Why a service is not well, as a probe from outside finds it.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// It does not answer.
    #[error("nothing answers at {address}")]
    Silent {
        /// Where it was asked.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// It answers that it is not well, or something else answers.
    #[error("{address} answers: {answer}")]
    NotWell {
        /// Where it was asked.
        address: SocketAddr,
        /// What it said.
        answer: String,
    },
}

/// How long a service may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Asks the endpoint of a service on this machine whether it takes calls, or with `storage`, whether it can store uploads and
/// runs; gives its answer.
///
/// # Errors
/// When it is not well, or does not answer.
pub fn probe(listen: SocketAddr, storage: bool) -> Result<String, ProbeError> {
    let address = reachable(listen);
    let path = if storage { "/readyz/storage" } else { "/readyz" };
    let answer = ask(address, path).map_err(|source| ProbeError::Silent { address, source })?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status_line = head.lines().next().unwrap_or_default();
    if status_line.starts_with("HTTP/1.1 200 ") {
        return Ok(body.trim_end().to_owned());
    }
    let said = if status_line.starts_with("HTTP/1.1 503 ") {
        body
    } else {
        status_line
    };
    Err(ProbeError::NotWell {
        address,
        answer: said.trim_end().chars().take(100).collect(),
    })
}

/// A service that listens on every address is asked on this machine's own.
const fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        IpAddr::V4(_) | IpAddr::V6(_) => listen.ip(),
    };
    SocketAddr::new(ip, listen.port())
}

fn ask(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    // What answers may be something else, with much to say.
    stream.take(16 << 10).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
