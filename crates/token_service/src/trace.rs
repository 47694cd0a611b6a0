//! The trace of a request, by [W3C Trace Context](https://www.w3.org/TR/trace-context-2/): read from the caller's headers, and
//! sent to Azure Communication Services and the sidecar.

use async_trait::async_trait;
use axum::http::HeaderMap;
use azure_core::http::{
    Context, Request,
    policies::{Policy, PolicyResult},
};
use client_core::call::next_policy;
use std::sync::Arc;
use uuid::Uuid;

pub(crate) const TRACEPARENT: &str = "traceparent";
pub(crate) const TRACESTATE: &str = "tracestate";

/// Optional white space around a value (RFC 9110, section 5.6.3).
const OPTIONAL_WHITESPACE: [char; 2] = [' ', '\t'];

/// The flags that the specification defines: the caller may have recorded the trace, and its id is random.
const SAMPLED: u8 = 0b01;
const RANDOM: u8 = 0b10;

/// The limits of `tracestate`. A longer one loses its long members first, and then its last ones.
const MAX_STATE_MEMBERS: usize = 32;
const MAX_STATE_BYTES: usize = 512;
const LONG_MEMBER_BYTES: usize = 128;

/// The longest key and the longest value of a member.
const MAX_PART_BYTES: usize = 256;

tokio::task_local! {
    /// The trace of the request that a task works for. Work of no request has none.
    static CURRENT: Option<Trace>;
}

/// The trace of a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Trace {
    /// 32 hexadecimal digits in small letters.
    id: String,
    flags: u8,
    /// The members of `tracestate`, without white space.
    state: Option<String>,
}

impl Trace {
    /// Reads the trace of a request. Starts one if the headers have none, several or a malformed one.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Self::parse(headers).unwrap_or_else(|| Self {
            id: Uuid::new_v4().simple().to_string(),
            flags: RANDOM,
            state: None,
        })
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Runs a request's work in this trace.
    pub(crate) fn scope<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(Some(self), work)
    }

    fn parse(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return None;
        };
        let (id, flags) = parse_traceparent(value.to_str().ok()?)?;
        Some(Self {
            id: id.to_owned(),
            flags,
            state: parse_tracestate(headers),
        })
    }

    /// Returns the header of one attempt, whose id is new.
    fn traceparent(&self) -> String {
        // The variant of a UUID is in these bits, so they are never all zero.
        let (_, parent_id) = Uuid::new_v4().as_u64_pair();
        format!("00-{}-{parent_id:016x}-{:02x}", self.id, self.flags)
    }
}

/// Keeps the trace of the current task in another task.
pub(crate) fn in_current_trace<F: Future>(work: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(CURRENT.try_with(Clone::clone).unwrap_or_default(), work)
}

/// Reads the id and the known flags. Fields that later versions may append are ignored.
fn parse_traceparent(text: &str) -> Option<(&str, u8)> {
    let mut fields = text.trim_matches(OPTIONAL_WHITESPACE).splitn(5, '-');
    let version = hex(fields.next()?, 2)?;
    let id = hex(fields.next()?, 32).filter(|id| is_not_zero(id))?;
    hex(fields.next()?, 16).filter(|id| is_not_zero(id))?;
    let flags = u8::from_str_radix(hex(fields.next()?, 2)?, 16).ok()?;
    let is_known = match version {
        "00" => fields.next().is_none(),
        version => version != "ff",
    };
    is_known.then_some((id, flags & (SAMPLED | RANDOM)))
}

/// Returns a field of this many hexadecimal digits in small letters.
fn hex(field: &str, digits: usize) -> Option<&str> {
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (field.len() == digits && field.bytes().all(is_hex)).then_some(field)
}

fn is_not_zero(id: &str) -> bool {
    id.bytes().any(|byte| byte != b'0')
}

/// Reads and bounds the members of all headers. Returns `None` without members, or if one is malformed.
fn parse_tracestate(headers: &HeaderMap) -> Option<String> {
    let mut members: Vec<(&str, &str)> = Vec::new();
    for header in headers.get_all(TRACESTATE) {
        for member in header.to_str().ok()?.split(',') {
            let member = member.trim_matches(OPTIONAL_WHITESPACE);
            if member.is_empty() {
                continue;
            }
            let key = key_of(member)?;
            if members.len() == MAX_STATE_MEMBERS || members.iter().any(|(other, _)| *other == key) {
                return None;
            }
            members.push((key, member));
        }
    }
    let length = |members: &[(&str, &str)]| members.iter().map(|(_, member)| member.len() + 1).sum::<usize>();
    if length(&members) > MAX_STATE_BYTES + 1 {
        members.retain(|(_, member)| member.len() <= LONG_MEMBER_BYTES);
    }
    while length(&members) > MAX_STATE_BYTES + 1 {
        members.pop();
    }
    let members: Vec<_> = members.into_iter().map(|(_, member)| member).collect();
    (!members.is_empty()).then(|| members.join(","))
}

/// Returns the key of a member, if it is well-formed.
fn key_of(member: &str) -> Option<&str> {
    let (key, value) = member.split_once('=')?;
    let is_of_key = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(&byte);
    let starts_well = key.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit());
    let is_key = starts_well && key.len() <= MAX_PART_BYTES && key.bytes().all(is_of_key);
    // A header's text has no other control characters.
    let is_value = !value.is_empty() && value.len() <= MAX_PART_BYTES && !value.contains(['=', '\t']);
    (is_key && is_value).then_some(key)
}

/// Sends the trace of a caller's request with each attempt of a call: `traceparent`, with an id that is new for each attempt,
/// and `tracestate`. Calls that no request has caused, such as those of the sweep, have none.
///
/// Add it to the policies of each attempt. A client with a tracer provider sends the headers of its own spans, and needs no
/// such policy:
///
/// ```
/// use azure_communication_identity::CommunicationIdentityClientOptions;
/// use std::sync::Arc;
/// use token_service::TraceHeaders;
///
/// let mut options = CommunicationIdentityClientOptions::default();
/// options.client_options.per_try_policies.push(Arc::new(TraceHeaders));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TraceHeaders;

#[async_trait]
impl Policy for TraceHeaders {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        if let Ok(Some(trace)) = CURRENT.try_with(Clone::clone) {
            request.insert_header(TRACEPARENT, trace.traceparent());
            if let Some(state) = trace.state {
                request.insert_header(TRACESTATE, state);
            }
        }
        let (policy, next) = next_policy(next)?;
        policy.send(ctx, request, next).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;

    /// The ids of the specification's test suite, <https://github.com/w3c/trace-context/tree/main/test>, from which these rows
    /// are.
    const ID: &str = "12345678901234567890123456789012";
    const VALID: &str = "00-12345678901234567890123456789012-1234567890123456-01";

    fn headers<'a>(values: impl IntoIterator<Item = (&'a str, &'a str)>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in values {
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        headers
    }

    /// Returns the state that is sent for these values of `tracestate`.
    fn state(values: &[&str]) -> Option<String> {
        let states = values.iter().map(|value| (TRACESTATE, *value));
        let trace = Trace::of(&headers([(TRACEPARENT, VALID)].into_iter().chain(states)));
        assert_eq!(trace.id(), ID, "tracestate never affects traceparent: {values:?}");
        trace.state
    }

    #[test]
    fn valid_traceparent_is_continued() {
        for (text, flags) in [
            (VALID, 1),
            ("00-12345678901234567890123456789012-1234567890123456-00", 0),
            ("00-12345678901234567890123456789012-1234567890123456-02", 2),
            ("00-12345678901234567890123456789012-1234567890123456-ff", 3),
            ("cc-12345678901234567890123456789012-1234567890123456-01", 1),
            (
                "cc-12345678901234567890123456789012-1234567890123456-01-what-the-future-will-be-like",
                1,
            ),
            (" 00-12345678901234567890123456789012-1234567890123456-01", 1),
            ("\t00-12345678901234567890123456789012-1234567890123456-01", 1),
            ("00-12345678901234567890123456789012-1234567890123456-01 ", 1),
            ("\t 00-12345678901234567890123456789012-1234567890123456-01 \t", 1),
        ] {
            let trace = Trace::of(&headers([("TraceParent", text)]));
            let sent = [trace.traceparent(), trace.traceparent()];
            assert_ne!(sent[0], sent[1], "each attempt has an id of its own");
            for sent in sent {
                let parts: Vec<_> = sent.split('-').collect();
                assert_eq!((parts[0], parts[1], parts.len()), ("00", ID, 4), "{text}: {sent}");
                assert_ne!(parts[2], "1234567890123456", "{text}");
                assert!(hex(parts[2], 16).is_some_and(is_not_zero), "{text}: {sent}");
                assert_eq!(parts[3], format!("{flags:02x}"), "{text}");
            }
        }
    }

    #[test]
    fn malformed_traceparent_starts_a_trace() {
        for texts in [
            &[][..],
            &[""],
            &[VALID, VALID],
            &["00-12345678901234567890123456789011-1234567890123456-01", VALID],
            &["00-12345678901234567890123456789012-1234567890123456-01."],
            &["00-12345678901234567890123456789012-1234567890123456-01-what-the-future-will-be-like"],
            &["00-12345678901234567890123456789012-1234567890123456-01-"],
            &["cc-12345678901234567890123456789012-1234567890123456-01.what-the-future-will-be-like"],
            &["ff-12345678901234567890123456789012-1234567890123456-01"],
            &[".0-12345678901234567890123456789012-1234567890123456-01"],
            &["0.-12345678901234567890123456789012-1234567890123456-01"],
            &["000-12345678901234567890123456789012-1234567890123456-01"],
            &["0000-12345678901234567890123456789012-1234567890123456-01"],
            &["0-12345678901234567890123456789012-1234567890123456-01"],
            &["00-00000000000000000000000000000000-1234567890123456-01"],
            &["00-.2345678901234567890123456789012-1234567890123456-01"],
            &["00-1234567890123456789012345678901.-1234567890123456-01"],
            &["00-123456789012345678901234567890123-1234567890123456-01"],
            &["00-1234567890123456789012345678901-1234567890123456-01"],
            &["00-12345678901234567890123456789012-0000000000000000-01"],
            &["00-12345678901234567890123456789012-.234567890123456-01"],
            &["00-12345678901234567890123456789012-123456789012345.-01"],
            &["00-12345678901234567890123456789012-12345678901234567-01"],
            &["00-12345678901234567890123456789012-123456789012345-01"],
            &["00-12345678901234567890123456789012-1234567890123456-.0"],
            &["00-12345678901234567890123456789012-1234567890123456-0."],
            &["00-12345678901234567890123456789012-1234567890123456-001"],
            &["00-12345678901234567890123456789012-1234567890123456-1"],
            &["00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"],
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-00F067AA0BA902B7-01"],
        ] {
            let mut headers = headers(texts.iter().map(|text| (TRACEPARENT, *text)));
            headers.insert(TRACESTATE, "foo=1".parse().unwrap());
            let (trace, other) = (Trace::of(&headers), Trace::of(&headers));
            assert_ne!(trace.id, other.id, "{texts:?}");
            assert!(hex(&trace.id, 32).is_some_and(is_not_zero), "{texts:?}: {trace:?}");
            assert!(!texts.iter().any(|text| text.contains(&trace.id)), "{texts:?}");
            // Not sampled, and random as by level 2 of the specification.
            assert_eq!((trace.flags, trace.state), (2, None), "{texts:?}");
        }
    }

    #[test]
    fn valid_tracestate_is_forwarded() {
        let key = "abcdefghijklmnopqrstuvwxyz0123456789_-*/";
        let tenant = format!("{key}@a-z0-9_-*/");
        let value: String = (' '..='~').filter(|char| !",=".contains(*char)).collect();
        let longest = format!("{}=1", "z".repeat(256));
        let (with_key, with_tenant) = (format!("{key}={value}"), format!("{tenant}={value}"));
        let members = |from: usize, to: usize| -> Vec<_> { (from..=to).map(|n| format!("bar{n:02}={n:02}")).collect() };
        let tens = [members(1, 10), members(11, 20), members(21, 30), members(31, 32)].map(|ten| ten.join(","));
        for (values, sent) in [
            (&["foo=1,bar=2"][..], "foo=1,bar=2"),
            (&["foo=1", ""], "foo=1"),
            (&["", "foo=1"], "foo=1"),
            (
                &["foo=1,bar=2", "rojo=1,congo=2", "baz=3"],
                "foo=1,bar=2,rojo=1,congo=2,baz=3",
            ),
            (&[&with_key], &with_key),
            (&[&with_tenant], &with_tenant),
            (&["foo=1 \t , \t bar=2, \t baz=3"], "foo=1,bar=2,baz=3"),
            (&["foo=1\t \t,\t \tbar=2,\t \tbaz=3"], "foo=1,bar=2,baz=3"),
            (&[" foo=1"], "foo=1"),
            (&["\t foo=1 \t"], "foo=1"),
            (&["foo= 1"], "foo= 1"),
            (&["foo=1", &longest], &format!("foo=1,{longest}")),
            (&[&tens[0], &tens[1], &tens[2], &tens[3]], &members(1, 32).join(",")),
        ] {
            assert_eq!(state(values).as_deref(), Some(sent), "{values:?}");
        }
        for values in [&[][..], &[""], &[" \t", ","]] {
            assert_eq!(state(values), None, "{values:?}");
        }
    }

    #[test]
    fn malformed_tracestate_is_dropped() {
        let too_long = [format!("{}=1", "z".repeat(257)), format!("z={}", "1".repeat(257))];
        let too_many: Vec<_> = (1..=33).map(|number| format!("bar{number}={number}")).collect();
        for values in [
            &["foo=1,foo=1"][..],
            &["foo=1,foo=2"],
            &["foo=1", "foo=2"],
            &["foo =1"],
            &["FOO=1"],
            &["foo.bar=1"],
            &["@foo=1,bar=2"],
            &["foo=bar=baz"],
            &["foo=,bar=3"],
            &["=1"],
            &["foo"],
            &["foo=\t1"],
            &["foo=1", &too_long[0]],
            &["foo=1", &too_long[1]],
            &[&too_many.join(",")],
        ] {
            assert_eq!(state(values), None, "{values:?}");
        }
    }

    #[test]
    fn long_tracestate_loses_whole_members() {
        let member = |key: char, bytes: usize| format!("{key}={}", "1".repeat(bytes - 2));
        let state_of = |members: &[String]| state(&[&members.join(",")]);
        let full = [member('a', 127), member('b', 128), member('d', 128), member('e', 126)];
        let sent = full.join(",");
        assert_eq!((sent.len(), state_of(&full).as_deref()), (512, Some(&*sent)));
        let [a, b, d, _] = full;
        let too_much = [a.clone(), b.clone(), member('c', 129), d.clone(), member('e', 128)];
        let sent = [a, b, d].join(",");
        assert_eq!(
            state_of(&too_much),
            Some(sent),
            "the long one goes first, and then the last"
        );
    }

    #[tokio::test]
    async fn spawned_task_keeps_the_trace() {
        let current = || CURRENT.try_with(Clone::clone).ok().flatten().map(|trace| trace.id);
        let trace = Trace::of(&headers([(TRACEPARENT, VALID)]));
        let work = async {
            assert_eq!(current().as_deref(), Some(ID));
            let spawned = tokio::spawn(in_current_trace(async move { current() }));
            assert_eq!(spawned.await.unwrap().as_deref(), Some(ID));
        };
        trace.scope(work).await;
        assert_eq!(in_current_trace(async move { current() }).await, None);
    }
}
