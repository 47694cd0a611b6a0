//! The client of `GET /_emulator/health`, for the health check of a container that has neither a shell nor curl.

use http::{
    Uri,
    uri::{Authority, Scheme},
};
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

/// The longest wait for a connection, and for each part of the response.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The most bytes of a status line that are read.
const MAX_STATUS_LINE: u64 = 256;

/// Asks the emulator at this URL, of which only host and port count. The error says why it is not ready.
pub(crate) fn check(url: &str) -> Result<(), String> {
    let authority = authority(url).ok_or("give the address of the http endpoint, such as http://127.0.0.1:7788")?;
    let status = status_line(&authority).map_err(|error| format!("{authority} does not respond: {error}"))?;
    match status.split(' ').nth(1) {
        Some("200") => Ok(()),
        Some(status) if status.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err(format!("{authority} is not ready: its status is {status}"))
        }
        _ => Err(format!("{authority} does not speak HTTP")),
    }
}

/// The host and port of an http URL; `None` if it is another one, or has a user name.
fn authority(url: &str) -> Option<Authority> {
    let parts = url.parse::<Uri>().ok()?.into_parts();
    let authority = parts.authority.filter(|authority| !authority.as_str().contains('@'));
    authority.filter(|_| parts.scheme.is_some_and(|scheme| scheme == Scheme::HTTP))
}

/// Sends the request, and reads the first line of the response.
fn status_line(authority: &Authority) -> io::Result<String> {
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let mut stream = connect(host, authority.port_u16().unwrap_or(80))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let request = format!("GET /_emulator/health HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream.take(MAX_STATUS_LINE)).read_line(&mut line)?;
    Ok(line)
}

/// Connects to the first address of the host that accepts.
fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut failure = io::Error::from(io::ErrorKind::NotFound);
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, TIMEOUT) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}
