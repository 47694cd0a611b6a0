//! Faults, and the sequences in which the attempts of a call meet them.

use crate::{
    reply::{End, Reply, documented, response},
    request::RawRequest,
    rule::Rule,
    support::operation::Operation,
};
use std::{iter, sync::Arc};

/// A fault, with its documented consequence.
#[derive(Clone)]
pub(crate) struct Fault {
    pub(crate) name: String,
    pub(crate) effect: Effect,
    pub(crate) rule: Rule,
}

/// The effect of a fault on a request.
#[derive(Clone)]
pub(crate) enum Effect {
    /// No connection is established.
    NoConnection,
    /// A fault of the emulator, as text. The other back ends imitate it.
    Emulated {
        text: &'static str,
        /// The service executes the request.
        executes: bool,
    },
    /// A reply to each request.
    Reply(Arc<dyn Fn(&RawRequest) -> Reply + Send + Sync>),
}

/// A row of a constant table: its name, the reply to each request, and the documented consequence.
pub(crate) type Row = (&'static str, fn(&RawRequest) -> Reply, Rule);

/// Returns the faults of a constant table.
pub(crate) fn faults(table: &[Row]) -> Vec<Fault> {
    let fault = |&(name, reply, rule): &Row| Fault::new(name, rule, reply);
    table.iter().map(fault).collect()
}

impl Fault {
    pub(crate) fn new(
        name: impl Into<String>,
        rule: Rule,
        reply: impl Fn(&RawRequest) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            effect: Effect::Reply(Arc::new(reply)),
            rule,
        }
    }

    /// Returns the consequence for an operation. An empty body is whole, whatever part of it is cut off.
    fn rule(&self, operation: Operation) -> Rule {
        match self.effect {
            Effect::Emulated {
                text: "truncated-body", ..
            } if !operation.has_result() => Rule::Harmless,
            _ => self.rule,
        }
    }
}

impl Effect {
    /// Returns the reply to a request; `None` without a connection.
    pub(crate) fn reply(&self, request: &RawRequest) -> Option<Reply> {
        match self {
            Self::NoConnection => None,
            Self::Emulated { text, .. } => Some(imitated(text, request)),
            Self::Reply(reply) => Some(reply(request)),
        }
    }
}

/// The page of a gateway.
const PAGE: &str = "<html><head><title>Error</title></head><body><h1>Error</h1></body></html>";

/// Returns the reply of an emulator with a fault.
fn imitated(fault: &str, request: &RawRequest) -> Reply {
    let mut parts = fault.split(',').map(|part| part.split_once('=').unwrap_or((part, "")));
    let (effect, value) = parts.next().unwrap();
    let (mut code, mut headers, mut after_commit) = (None, String::new(), false);
    for (name, value) in parts {
        match name {
            "code" => code = Some(value),
            "retry-after" => headers = format!("retry-after: {value}\r\n"),
            "after-commit" => after_commit = true,
            _ => panic!("{fault}"),
        }
    }
    match effect {
        "status" if after_commit && code.is_none() => response(value.parse().unwrap(), &headers, PAGE),
        "status" => {
            let code = code.unwrap_or("Injected");
            let body = format!(r#"{{"error":{{"code":"{code}","message":"An injected error."}}}}"#);
            response(value.parse().unwrap(), &headers, body)
        }
        "html-body" => response(502, &headers, PAGE),
        "latency" => documented(request),
        "reset-before-commit" | "reset-after-commit" => Reply::bytes("").then(End::Reset),
        "truncated-body" => {
            let len = request.documented().1.len();
            documented(request).without_last(len / 2).then(End::Close)
        }
        _ => panic!("{fault}"),
    }
}

/// The faults that the attempts of a call meet.
#[derive(Clone)]
pub(crate) struct Script {
    first: Fault,
    /// Of the second attempt and of all that follow.
    rest: Option<Fault>,
}

impl Script {
    /// The first attempt meets a fault.
    pub(crate) fn once(fault: &Fault) -> Self {
        Self {
            first: fault.clone(),
            rest: None,
        }
    }

    /// Every attempt meets a fault.
    pub(crate) fn always(fault: &Fault) -> Self {
        Self::two(fault, fault)
    }

    /// The first attempt meets one fault, and the following attempts another.
    pub(crate) fn two(first: &Fault, rest: &Fault) -> Self {
        Self {
            first: first.clone(),
            rest: Some(rest.clone()),
        }
    }

    pub(crate) fn name(&self) -> String {
        match &self.rest {
            None => format!("{} once", self.first.name),
            Some(rest) => format!("{}, then {}", self.first.name, rest.name),
        }
    }

    /// Returns the fault of an attempt, the first of which is 0.
    pub(crate) fn fault(&self, attempt: usize) -> Option<&Fault> {
        if attempt == 0 {
            Some(&self.first)
        } else {
            self.rest.as_ref()
        }
    }

    pub(crate) fn faults(&self) -> impl Iterator<Item = &Fault> {
        iter::once(&self.first).chain(&self.rest)
    }

    /// Returns the rules for the attempts.
    pub(crate) fn rules(&self, operation: Operation) -> impl Iterator<Item = Rule> {
        (0..).map(move |attempt| {
            let fault = self.fault(attempt);
            fault.map_or(Rule::Harmless, |fault| fault.rule(operation))
        })
    }
}
