//! Checks that several requests share, collecting everything that is wrong.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use wharf_api::FieldError;
use wharf_engine::shell::valid_env_name;
use wharf_model::{CommandText, Secret, SessionId, Target};

use crate::error::Failure;
use crate::middleware::log::neutral;

/// The longest path that the system takes.
pub(crate) const MAX_PATH_BYTES: usize = 4095;
/// Variables in one request.
pub(crate) const MAX_VARIABLES: usize = 1024;

/// Everything that is wrong with a request until now.
#[derive(Default)]
pub(crate) struct Fields(Vec<FieldError>);

impl Fields {
    /// Notes that `field` is wrong.
    pub(crate) fn wrong(&mut self, field: &str, message: impl Into<String>) {
        self.0.push(FieldError {
            field: field.to_owned(),
            message: message.into(),
        });
    }

    /// Fails with everything that was wrong.
    pub(crate) fn check(self) -> Result<(), Failure> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Failure::invalid(self.0))
        }
    }

    /// The command's text.
    pub(crate) fn command(&mut self, text: &str) -> Option<CommandText> {
        CommandText::parse(text)
            .map_err(|error| self.wrong("command", error.to_string()))
            .ok()
    }

    /// A session's id.
    pub(crate) fn session(&mut self, field: &str, id: Option<&str>) -> Option<SessionId> {
        SessionId::parse(id?)
            .map_err(|error| self.wrong(field, error.to_string()))
            .ok()
    }

    /// A directory.
    pub(crate) fn directory(&mut self, field: &str, path: Option<String>) -> Option<PathBuf> {
        let path = path?;
        if path.is_empty() {
            self.wrong(field, "must not be empty");
        } else if path.len() > MAX_PATH_BYTES {
            self.wrong(field, format!("must have at most {MAX_PATH_BYTES} bytes"));
        } else if path.contains('\0') {
            self.wrong(field, "must not hold a NUL character");
        } else {
            return Some(PathBuf::from(path));
        }
        None
    }

    /// Environment variables. Any value but one with a NUL is legal.
    pub(crate) fn variables(
        &mut self,
        env: Option<BTreeMap<String, String>>,
    ) -> Vec<(String, Secret)> {
        let env = env.unwrap_or_default();
        if env.len() > MAX_VARIABLES {
            self.wrong(
                "env",
                format!("must hold at most {MAX_VARIABLES} variables"),
            );
            return Vec::new();
        }
        let mut variables = Vec::with_capacity(env.len());
        for (name, value) in env {
            let field = || format!("env.{}", neutral(&name));
            if !valid_env_name(&name) {
                self.wrong(
                    &field(),
                    "must be named with letters, digits and _, no digit first",
                );
            } else if value.contains('\0') {
                self.wrong(&field(), "must not hold a NUL character");
            } else {
                variables.push((name, Secret::new(value)));
            }
        }
        variables
    }

    /// Seconds within a range.
    pub(crate) fn seconds(
        &mut self,
        field: &str,
        seconds: Option<f64>,
        range: std::ops::RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let time = Duration::try_from_secs_f64(seconds?).ok();
        let time = time.filter(|time| range.contains(time));
        if time.is_none() {
            let (least, most) = (range.start().as_secs(), range.end().as_secs());
            self.wrong(field, format!("must be {least} to {most} seconds"));
        }
        time
    }

    /// Where to run: `local`, `ssh://[USER@]HOST[:PORT]`.
    pub(crate) fn target(&mut self, target: Option<&str>) -> Target {
        match target.map_or(Ok(Target::Local), Target::parse) {
            Ok(target) => target,
            Err(error) => {
                self.wrong("target", error.to_string());
                Target::Local
            }
        }
    }

    /// A text of 1 to `most` bytes.
    pub(crate) fn short(
        &mut self,
        field: &str,
        text: Option<String>,
        most: usize,
    ) -> Option<String> {
        let text = text?;
        if (1..=most).contains(&text.len()) {
            return Some(text);
        }
        self.wrong(field, format!("must have 1 to {most} bytes"));
        None
    }
}
