//! A client that costs the emulator little: it never sleeps, as the emulator's core would have to wake it for every
//! response.

use crate::support::ToSign;
use aws_lc_rs::hmac;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;
use std::{
    error::Error,
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    str,
    time::{Duration, Instant},
};
use time::{OffsetDateTime, macros::format_description};

/// Connections to one emulator, each with a token request of its identity.
pub(crate) struct Client {
    connections: Vec<Connection>,
}

struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    received: Vec<u8>,
}

impl Client {
    /// Opens connections, creates an identity over each, and signs its token request.
    pub(crate) fn connect(host: &str, access_key: &str, connections: usize) -> Result<Self, Box<dyn Error>> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &BASE64_STANDARD.decode(access_key)?);
        let connections = (0..connections).map(|_| Connection::open(host, &key));
        Ok(Self {
            connections: connections.collect::<Result<_, _>>()?,
        })
    }

    /// Keeps a request in progress on every connection until the time is over, and returns the number of responses.
    pub(crate) fn replay(&mut self, time: Duration) -> Result<u32, Box<dyn Error>> {
        let started = Instant::now();
        let mut responses = 0;
        for connection in &mut self.connections {
            connection.send()?;
        }
        while started.elapsed() < time {
            for connection in &mut self.connections {
                if connection.poll("200 OK")?.is_some() {
                    connection.send()?;
                    responses += 1;
                }
            }
        }
        for connection in &mut self.connections {
            connection.wait("200 OK")?;
            responses += 1;
        }
        Ok(responses)
    }
}

impl Connection {
    fn open(host: &str, key: &hmac::Key) -> Result<Self, Box<dyn Error>> {
        let stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut connection = Self {
            stream,
            request: signed("/identities?api-version=2023-10-01", host, "{}", key)?,
            received: Vec::new(),
        };
        connection.send()?;
        let created: Value = serde_json::from_str(&connection.wait("201 Created")?)?;
        let id = created.pointer("/identity/id").and_then(Value::as_str);
        let id = id.ok_or("the response has no id")?.replace(':', "%3A");
        let target = format!("/identities/{id}/:issueAccessToken?api-version=2023-10-01");
        connection.request = signed(&target, host, r#"{"scopes":["chat"]}"#, key)?;
        Ok(connection)
    }

    /// Sends the request, which fits into the buffer of a socket that has nothing else to send.
    fn send(&mut self) -> Result<(), Box<dyn Error>> {
        self.received.clear();
        Ok(self.stream.write_all(&self.request)?)
    }

    /// Reads what has arrived, and returns the body of the response if that is all of it.
    fn poll(&mut self, status: &str) -> Result<Option<&str>, Box<dyn Error>> {
        match self.stream.read_to_end(&mut self.received) {
            Ok(_) => Err("the emulator closed the connection".into()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => body(&self.received, status),
            Err(error) => Err(error.into()),
        }
    }

    fn wait(&mut self, status: &str) -> Result<String, Box<dyn Error>> {
        loop {
            if let Some(body) = self.poll(status)? {
                return Ok(body.to_owned());
            }
        }
    }
}

/// The body of a response, which must have this status; `None` if the response is not complete.
fn body<'a>(response: &'a [u8], status: &str) -> Result<Option<&'a str>, Box<dyn Error>> {
    let Some((head, body)) = str::from_utf8(response)?.split_once("\r\n\r\n") else {
        return Ok(None);
    };
    if head.lines().next().and_then(|line| line.strip_prefix("HTTP/1.1 ")) != Some(status) {
        return Err(format!("expected {status}, not {head}").into());
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.ok_or("the response has no length")?.parse()?;
    Ok((body.len() == length).then_some(body))
}

/// The bytes of a `POST` request, with the headers that clients send.
fn signed(target: &str, host: &str, body: &str, key: &hmac::Key) -> Result<Vec<u8>, Box<dyn Error>> {
    let format =
        format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    let date = OffsetDateTime::now_utc().format(format)?;
    let to_sign = ToSign {
        method: "POST",
        target,
        date: &date,
        host,
        body,
    };
    let (hash, authorization, length) = (to_sign.content_sha256(), to_sign.authorization(key), body.len());
    let head = [
        &format!("POST {target} HTTP/1.1"),
        &format!("host: {host}"),
        "accept: application/json",
        "content-type: application/json",
        &format!("content-length: {length}"),
        "user-agent: acs_identity_emulator-bench",
        "x-ms-client-request-id: 5b4f1d2c-1f1f-4f7a-9c6e-0c3e5d1c9a70",
        "x-ms-return-client-request-id: true",
        &format!("x-ms-date: {date}"),
        &format!("x-ms-content-sha256: {hash}"),
        &format!("authorization: {authorization}"),
    ];
    Ok(format!("{}\r\n\r\n{body}", head.join("\r\n")).into_bytes())
}
