//! Faults as text: `status=503,retry-after=2,times=3`.

use crate::{
    faults::{Fault, InvalidFault, fault::EffectName, injected::check},
    operation::Operation,
};
use serde::de::{Deserialize, IntoDeserializer, value};
use std::{
    fmt::{self, Display, Formatter},
    mem,
    str::FromStr,
};

/// The parts that may follow an effect, in any order.
pub(crate) const MODIFIERS: &str = "status=N (of html-body), code=NAME, retry-after=SECONDS, after-commit, times=N, share=0.05 or \
                         operation=NAME";

impl FromStr for Fault {
    type Err = InvalidFault;

    /// Reads an effect and its modifiers, separated by commas.
    fn from_str(text: &str) -> Result<Self, InvalidFault> {
        let mut parts = text.split(',').map(|part| match part.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (part, None),
        });
        let mut fault = effect(parts.next().unwrap_or_default())?;
        for (name, value) in parts {
            modify(&mut fault, name, value)?;
        }
        check(&fault)?;
        Ok(fault)
    }
}

/// The effects with which a fault begins, as a list.
pub(crate) fn effects() -> String {
    let [first @ .., last] = EffectName::ALL.map(|effect| match effect {
        EffectName::Status => "status=N",
        EffectName::Latency => "latency=250ms",
        effect => effect.text(),
    });
    format!("{} or {last}", first.join(", "))
}

fn effect((name, value): (&str, Option<&str>)) -> Result<Fault, InvalidFault> {
    let effect = EffectName::ALL.into_iter().find(|effect| effect.text() == name);
    match (effect, value) {
        (Some(effect @ EffectName::Status), Some(status)) => Ok(Fault {
            status: Some(number(name, status)?),
            ..Fault::new(effect)
        }),
        (Some(effect @ EffectName::Latency), Some(latency)) => Ok(Fault {
            milliseconds: Some(milliseconds(latency)?),
            ..Fault::new(effect)
        }),
        (None | Some(EffectName::Status | EffectName::Latency), _) | (_, Some(_)) => {
            let message = format!("a fault cannot begin with `{name}`: begin with {}", effects());
            Err(InvalidFault::new(message))
        }
        (Some(effect), None) => Ok(Fault::new(effect)),
    }
}

fn modify(fault: &mut Fault, name: &str, value: Option<&str>) -> Result<(), InvalidFault> {
    let is_repeated = match (name, value) {
        ("status", Some(value)) => fault.status.replace(number(name, value)?).is_some(),
        ("code", Some(value)) => fault.code.replace(value.to_owned()).is_some(),
        ("after-commit", None) => mem::replace(&mut fault.after_commit, true),
        ("retry-after", Some(value)) => fault.retry_after_seconds.replace(number(name, value)?).is_some(),
        ("times", Some(value)) => fault.times.replace(number(name, value)?).is_some(),
        ("share", Some(value)) => fault.share.replace(number(name, value)?).is_some(),
        ("operation", Some(value)) => fault.operation.replace(operation(value)?).is_some(),
        _ => {
            let message = format!("`{name}` cannot follow the effect of a fault: write {MODIFIERS}");
            return Err(InvalidFault::new(message));
        }
    };
    if is_repeated {
        return Err(InvalidFault::new(format!(
            "`{name}` occurs twice in a fault: write it once"
        )));
    }
    Ok(())
}

fn number<T: FromStr>(name: &str, text: &str) -> Result<T, InvalidFault> {
    let not_a_number = |_| InvalidFault::new(format!("`{text}` is no number for `{name}` of a fault"));
    text.parse().map_err(not_a_number)
}

fn milliseconds(text: &str) -> Result<u64, InvalidFault> {
    let units = [("ms", 1), ("s", 1000), ("min", 60 * 1000)];
    let parse = |(unit, factor)| Some(text.strip_suffix(unit)?.parse::<u64>().ok()?.saturating_mul(factor));
    let no_unit = || InvalidFault::new(format!("`{text}` is no latency: write 250ms, 2s or 1min"));
    units.into_iter().find_map(parse).ok_or_else(no_unit)
}

fn operation(name: &str) -> Result<Operation, InvalidFault> {
    let name: value::StrDeserializer<'_, value::Error> = name.into_deserializer();
    // The error lists all operations.
    Operation::deserialize(name).map_err(|error| InvalidFault::new(format!("no operation of a fault: {error}")))
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.effect.text())?;
        if let Some(status) = self.status {
            f.write_str(if self.effect == EffectName::Status {
                "="
            } else {
                ",status="
            })?;
            write!(f, "{status}")?;
        }
        if let Some(milliseconds) = self.milliseconds {
            write!(f, "={milliseconds}ms")?;
        }
        if let Some(code) = &self.code {
            write!(f, ",code={code}")?;
        }
        if let Some(seconds) = self.retry_after_seconds {
            write!(f, ",retry-after={seconds}")?;
        }
        if self.after_commit {
            f.write_str(",after-commit")?;
        }
        if let Some(times) = self.times {
            write!(f, ",times={times}")?;
        }
        if let Some(share) = self.share {
            write!(f, ",share={share}")?;
        }
        if let Some(operation) = self.operation {
            write!(f, ",operation={operation}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn text_and_rust_say_the_same() {
        let all = [
            ("status=503", Fault::status(503)),
            (
                "status=429,retry-after=2,times=3,share=0.5,operation=issueToken",
                Fault::status(429)
                    .retry_after(Duration::from_millis(1500))
                    .times(3)
                    .share(0.5)
                    .operation(Operation::IssueToken),
            ),
            ("latency=250ms", Fault::latency(Duration::from_millis(250))),
            ("reset-before-commit", Fault::reset_before_commit()),
            ("reset-after-commit,share=0.05", Fault::reset_after_commit().share(0.05)),
            ("truncated-body,times=1", Fault::truncated_body().times(1)),
            ("html-body", Fault::html_body()),
            ("status=503,after-commit", Fault::status(503).after_commit()),
            (
                "status=409,code=IdentityNotOwned",
                Fault::status(409).code("IdentityNotOwned"),
            ),
            (
                "status=503,code=A b-c.d/e,retry-after=1,after-commit,times=1",
                Fault::status(503)
                    .times(1)
                    .after_commit()
                    .retry_after(Duration::from_secs(1))
                    .code("A b-c.d/e"),
            ),
            (
                "html-body,status=503,retry-after=2,operation=createIdentity",
                Fault::html_body()
                    .with_status(503)
                    .retry_after(Duration::from_secs(2))
                    .operation(Operation::CreateIdentity),
            ),
        ];
        for (text, fault) in all {
            assert_eq!(fault.to_string(), text);
            assert_eq!(text.parse(), Ok(fault));
        }
        for (text, milliseconds) in [("latency=2s", 2000), ("latency=10min", 600_000)] {
            assert_eq!(text.parse(), Ok(Fault::latency(Duration::from_millis(milliseconds))));
        }
    }

    #[test]
    fn a_refusal_says_what_to_write() {
        for (text, remedy) in [
            ("", "begin with status=N"),
            ("times=3", "begin with status=N"),
            ("status", "begin with status=N"),
            ("html-body=1", "begin with status=N"),
            ("status=x", "`x` is no number for `status`"),
            ("status=200", "give one from 400 to 599"),
            ("status=600", "give one from 400 to 599"),
            ("status=503,times", "retry-after=SECONDS, after-commit, times=N"),
            ("status=503,html-body", "retry-after=SECONDS, after-commit, times=N"),
            ("status=503,", "retry-after=SECONDS, after-commit, times=N"),
            (
                "status=503,after-commit=1",
                "retry-after=SECONDS, after-commit, times=N",
            ),
            ("after-commit", "begin with status=N"),
            ("status=503,times=1,times=2", "write it once"),
            ("status=503,status=504", "write it once"),
            ("status=503,code=A,code=A", "write it once"),
            ("html-body,status=503,status=503", "write it once"),
            ("status=503,after-commit,after-commit", "write it once"),
            ("html-body,after-commit", "inject a status"),
            ("html-body,status=200", "give one from 400 to 599"),
            ("html-body,status=x", "`x` is no number for `status`"),
            ("html-body,code=A", "inject a status"),
            ("reset-before-commit,code=A", "inject a status"),
            ("status=503,code", "code=NAME"),
            ("status=503,code=", "1 to 100 printable ASCII characters"),
            ("status=503,code=A\u{7f}", "1 to 100 printable ASCII characters"),
            ("status=503,code=Ä", "1 to 100 printable ASCII characters"),
            ("status=503,code=A\"", "1 to 100 printable ASCII characters"),
            ("status=503,code='A'", "1 to 100 printable ASCII characters"),
            ("latency=1s,after-commit", "inject a status"),
            ("reset-before-commit,after-commit", "inject a status"),
            ("reset-after-commit,after-commit", "inject a status"),
            ("truncated-body,after-commit", "inject a status"),
            ("truncated-body,retry-after=1", "inject one of these"),
            ("latency=1s,status=503", "inject a second fault"),
            ("status=503,times=0", "give a number from 1 on"),
            ("status=503,times=-1", "`-1` is no number for `times`"),
            ("html-body,share=2", "from 0 to 1"),
            ("html-body,share=NaN", "from 0 to 1"),
            ("html-body,operation=create", "expected one of `createIdentity`, "),
            ("latency=250", "write 250ms, 2s or 1min"),
            ("latency=0ms", "1 to 600000 milliseconds"),
            ("latency=11min", "1 to 600000 milliseconds"),
            ("latency=18446744073709551615min", "1 to 600000 milliseconds"),
        ] {
            let error = text.parse::<Fault>().unwrap_err().to_string();
            assert!(error.contains(remedy), "{text}: {error}");
        }
        let (longest, longer) = ("A".repeat(100), "A".repeat(101));
        assert!(format!("status=503,code={longest}").parse::<Fault>().is_ok());
        assert!(format!("status=503,code={longer}").parse::<Fault>().is_err());
    }
}
