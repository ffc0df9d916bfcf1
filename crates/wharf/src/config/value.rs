//! What a setting can hold, and how it is read from text and from TOML.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use wharf_model::Secret;
use wharf_store::db::url_without_password;

use super::mail;

/// The shape of a setting.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// Any text without control characters.
    Text,
    /// An address such as `http://127.0.0.1:7304`.
    Url,
    /// An IP address.
    Ip,
    /// `true` or `false`.
    Bool,
    /// A whole number in these bounds.
    Count(u64, u64),
    /// A number of bytes in these bounds, such as `512MiB`.
    Bytes(u64, u64),
    /// A time in these bounds of seconds, such as `30s` or `2h`.
    Time(u64, u64),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// The URL of a database. It may hold a password and is shown without.
    Database,
    /// The URL of a mail server. It may hold a password and is shown without.
    MailServer,
    /// Several texts; in an environment variable separated by commas.
    List,
}

/// What a setting holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    Number(u64),
    Bool(bool),
    Time(Duration),
    List(Vec<String>),
    Hidden(Hidden),
}

/// A URL that is shown without its password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Hidden {
    url: String,
    shown: String,
}

impl Hidden {
    pub(crate) fn secret(&self) -> Secret {
        Secret::new(self.url.clone())
    }
}

impl fmt::Display for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hidden({self})")
    }
}

impl Kind {
    /// Reads a value as a person, a flag or an environment variable writes it.
    pub(crate) fn read(self, text: &str) -> Result<Value, String> {
        let text = text.trim();
        // Never with the text, which may hold a password.
        let shown = match self {
            Self::Database => Some(url_without_password(text).map_err(|error| error.to_string())),
            Self::MailServer => Some(mail::shown(text).map_err(str::to_owned)),
            _ => None,
        };
        if let Some(shown) = shown {
            let shown = shown.map_err(|error| format!("cannot be used: {error}"))?;
            let url = text.to_owned();
            return Ok(Value::Hidden(Hidden { url, shown }));
        }
        let found = || format!("{}, not {text:?}", self.wanted());
        let value = match self {
            Self::Text => plain(text).map(Value::Text),
            Self::Url => url(text).map(Value::Text),
            Self::Ip => ip(text).map(|ip| Value::Text(ip.to_string())),
            Self::Bool => boolean(text).map(Value::Bool),
            Self::Count(min, max) => number(text)
                .filter(|n| (min..=max).contains(n))
                .map(Value::Number),
            Self::Bytes(min, max) => bytes(text)
                .filter(|n| (min..=max).contains(n))
                .map(Value::Number),
            Self::Time(min, max) => duration(text)
                .filter(|time| (Duration::from_secs(min)..=Duration::from_secs(max)).contains(time))
                .map(Value::Time),
            Self::Choice(words) => words
                .iter()
                .find(|word| word.eq_ignore_ascii_case(text))
                .map(|word| Value::Text((*word).into())),
            Self::Database | Self::MailServer => None,
            Self::List => text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(plain)
                .collect::<Option<_>>()
                .map(Value::List),
        };
        value.ok_or_else(found)
    }

    /// Reads a value from a configuration file.
    pub(crate) fn read_toml(self, value: &toml::Value) -> Result<Value, String> {
        match (self, value) {
            (Self::Database | Self::MailServer, toml::Value::String(text)) => self.read(text),
            (Self::List, toml::Value::Array(items)) => {
                let texts = items.iter().map(|item| item.as_str().and_then(plain));
                let texts: Option<Vec<String>> = texts.collect();
                texts.map(Value::List).ok_or_else(|| self.wanted())
            }
            (Self::Bool, toml::Value::Boolean(value)) => Ok(Value::Bool(*value)),
            (Self::Database | Self::MailServer, _) => Err(self.wanted()),
            (Self::List | Self::Bool, _) => Err(format!("{}, not {value}", self.wanted())),
            (_, toml::Value::String(text)) => self.read(text),
            (Self::Count(..) | Self::Bytes(..) | Self::Time(..), toml::Value::Integer(number)) => {
                self.read(&number.to_string())
            }
            _ => Err(format!("{}, not {value}", self.wanted())),
        }
    }

    /// What it should be, in words.
    fn wanted(self) -> String {
        match self {
            Self::Text => "should be a text without control characters".into(),
            Self::Url => "should be an address such as http://127.0.0.1:7304".into(),
            Self::Ip => "should be an IP address such as 127.0.0.1".into(),
            Self::Bool => "should be true or false".into(),
            Self::Count(min, max) => format!("should be a whole number from {min} to {max}"),
            Self::Bytes(min, max) => {
                format!(
                    "should be a size from {} to {}, such as 512MiB",
                    size(min),
                    size(max)
                )
            }
            Self::Time(min, max) => {
                format!("should be a time from {min}s to {max}s, such as 90s or 2m")
            }
            Self::Choice(words) => format!("should be one of {}", words.join(", ")),
            Self::Database => "should be the URL of a database".into(),
            Self::MailServer => "should be the URL of a mail server".into(),
            Self::List => "should be a list of texts".into(),
        }
    }
}

/// As it can be read again by [`Kind::read`], save for a password.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Time(time) if time.subsec_millis() == 0 => write!(f, "{}s", time.as_secs()),
            Self::Time(time) => write!(f, "{}ms", time.as_millis()),
            Self::List(items) => f.write_str(&items.join(",")),
            Self::Hidden(url) => write!(f, "{url}"),
        }
    }
}

impl Value {
    /// As it stands in a configuration file.
    pub(crate) fn to_toml(&self) -> toml_edit::Value {
        match self {
            Self::Number(number) => i64::try_from(*number).unwrap_or(i64::MAX).into(),
            Self::Bool(value) => (*value).into(),
            Self::List(items) => items.iter().collect::<toml_edit::Array>().into(),
            Self::Hidden(url) => url.url.as_str().into(),
            Self::Text(_) | Self::Time(_) => self.to_string().into(),
        }
    }

    /// As it stands in an answer for programs.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Number(number) => (*number).into(),
            Self::Bool(value) => (*value).into(),
            Self::List(items) => items.clone().into(),
            Self::Text(_) | Self::Time(_) | Self::Hidden(_) => self.to_string().into(),
        }
    }
}

/// A time such as `500ms`, `30s`, `30`, `2m`, `1h` or `7d`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let (digits, unit) = split_unit(text)?;
    let number: f64 = digits
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite())?;
    let seconds = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86400.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number * seconds).ok()
}

fn bytes(text: &str) -> Option<u64> {
    let (digits, unit) = split_unit(text)?;
    let number: u64 = digits.parse().ok()?;
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => KIB,
        "m" | "mib" => KIB * KIB,
        "g" | "gib" => KIB * KIB * KIB,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// A number of bytes in the largest unit that shows it exactly.
fn size(bytes: u64) -> String {
    let units = [("GiB", KIB * KIB * KIB), ("MiB", KIB * KIB), ("KiB", KIB)];
    let unit = units
        .iter()
        .find(|unit| bytes >= unit.1 && bytes.is_multiple_of(unit.1));
    unit.map_or_else(
        || format!("{bytes}B"),
        |unit| format!("{}{}", bytes / unit.1, unit.0),
    )
}

const KIB: u64 = 1024;

fn split_unit(text: &str) -> Option<(&str, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(end)?;
    (!digits.is_empty()).then_some((digits, unit.trim()))
}

fn plain(text: &str) -> Option<String> {
    (!text.chars().any(char::is_control)).then(|| text.to_owned())
}

fn url(text: &str) -> Option<String> {
    let text = plain(text)?;
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"))?;
    (!rest.is_empty() && !rest.starts_with('/')).then(|| text.trim_end_matches('/').to_owned())
}

/// `localhost` is allowed for the address that it always means.
fn ip(text: &str) -> Option<IpAddr> {
    if text.eq_ignore_ascii_case("localhost") {
        return Some(IpAddr::from([127, 0, 0, 1]));
    }
    text.trim_start_matches('[')
        .trim_end_matches(']')
        .parse()
        .ok()
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok()
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" | "" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_have_units() {
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration("1.5"), Some(Duration::from_millis(1500)));
        assert_eq!(duration("2m"), Some(Duration::from_secs(120)));
        assert_eq!(duration("1h"), Some(Duration::from_secs(3600)));
        for wrong in [
            "",
            "s",
            "-1s",
            "1 fortnight",
            "1e9",
            "..",
            "9".repeat(400).as_str(),
        ] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
        assert_eq!(bytes("1GiB"), Some(1 << 30));
        assert_eq!(bytes("64k"), Some(65536));
        assert_eq!(bytes("99999999999999999999"), None);
    }

    #[test]
    fn values_keep_to_their_bounds() {
        let port = Kind::Count(0, 65535);
        assert_eq!(port.read(" 7304 "), Ok(Value::Number(7304)));
        assert_eq!(
            port.read("65536"),
            Err("should be a whole number from 0 to 65535, not \"65536\"".into())
        );
        assert!(Kind::Time(1, 3600).read("0s").is_err());
        assert!(Kind::Bytes(1024, 1 << 30).read("2GiB").is_err());
        assert_eq!(
            Kind::Choice(&["json", "pretty"]).read("JSON"),
            Ok(Value::Text("json".into()))
        );
        assert!(Kind::Text.read("a\u{1b}[31m").is_err());
    }

    #[test]
    fn what_is_shown_can_be_read_again() {
        for (kind, text) in [
            (Kind::Time(0, 9999), "90s"),
            (Kind::Time(0, 9999), "1500ms"),
            (Kind::List, "a,b"),
            (Kind::Bool, "true"),
            (Kind::Count(0, 10), "7"),
            (Kind::Ip, "::1"),
            (Kind::Url, "http://h:1"),
        ] {
            assert_eq!(kind.read(text).unwrap().to_string(), text);
        }
        assert_eq!(Kind::Ip.read("localhost").unwrap().to_string(), "127.0.0.1");
    }
}
