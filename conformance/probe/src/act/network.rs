//! Steps that reach for the network.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixStream};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType, ipproto, socket as open_socket};

use super::step::{self, DONE, Done, Failure, Outcome, Parameters, Step};

pub(super) const STEPS: &[Step] = &[
    Step::new("connect:HOST:PORT", connect),
    Step::new("bind:PORT", bind),
    Step::new("socket:KIND", socket),
    Step::new("abstract:NAME", connect_abstract),
    Step::new("unix:PATH", connect_unix),
];

fn connect(parameters: Parameters<'_>) -> Outcome {
    let [host, port] = parameters.last()?;
    let address = SocketAddr::new(resolved(step::text(host)?)?, step::number(port)?);
    match TcpStream::connect_timeout(&address, Duration::from_secs(1)) {
        Ok(_) => Ok(Done::Value(address.to_string().into())),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            Err(io::Error::from_raw_os_error(libc::ETIMEDOUT).into())
        }
        Err(error) => Err(error.into()),
    }
}

/// An address as it is, and the first one of a name in `/etc/hosts`. The resolver of the C library
/// is not asked: it loads parts of itself, which a static program cannot count on.
fn resolved(host: &str) -> io::Result<IpAddr> {
    if let Ok(address) = host.trim_matches(['[', ']']).parse() {
        return Ok(address);
    }
    let hosts = String::from_utf8_lossy(&fs::read("/etc/hosts")?).into_owned();
    let lines = hosts.lines().map(|line| line.split('#').next().unwrap_or_default());
    let mut addresses = lines.filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let address = words.next()?.parse().ok()?;
        words.any(|name| name.eq_ignore_ascii_case(host)).then_some(address)
    });
    addresses.next().ok_or_else(|| io::Error::other("EAI_NONAME"))
}

fn bind(parameters: Parameters<'_>) -> Outcome {
    let listener = TcpListener::bind(("0.0.0.0".parse::<IpAddr>().map_err(|_| Failure::Form)?, parameters.number()?))?;
    let port = listener.local_addr()?.port();
    // It stays open, so that someone can connect to it.
    std::mem::forget(listener);
    Ok(Done::Value(port.into()))
}

fn socket(parameters: Parameters<'_>) -> Outcome {
    let (family, kind, protocol) = match parameters.one()? {
        b"raw" => (AddressFamily::INET, SocketType::RAW, Some(ipproto::ICMP)),
        b"packet" => (AddressFamily::PACKET, SocketType::RAW, None),
        b"udp" => (AddressFamily::INET, SocketType::DGRAM, None),
        _ => return Err(Failure::Form),
    };
    open_socket(family, kind, protocol)?;
    DONE
}

fn connect_abstract(parameters: Parameters<'_>) -> Outcome {
    UnixStream::connect_addr(&UnixAddr::from_abstract_name(parameters.one()?)?)?;
    DONE
}

fn connect_unix(parameters: Parameters<'_>) -> Outcome {
    UnixStream::connect(parameters.path()?)?;
    DONE
}
