//! An entry as text, in the form that is read.

use std::fmt::Write as _;

use super::check::risk_name;
use super::entry::{CommonOption, Duration, Entry, Example, Place, Raise};
use crate::analysis::TimeoutClass;

impl Entry {
    /// A file with this entry alone. Reading it gives the same entry.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text = format!("category = {}\n\n[[command]]\n", quoted(&self.category));
        for (key, value) in self.plain(None) {
            let _ = writeln!(text, "{key} = {value}");
        }
        let lists = [
            ("common_options", options(&self.common_options, "  ")),
            ("raises", raises(&self.raises, "  ")),
        ];
        for (key, lines) in lists {
            list(&mut text, key, &lines);
        }
        if !self.related.is_empty() {
            let _ = writeln!(text, "related = {}", texts(&self.related));
        }
        list(&mut text, "examples", &examples(&self.examples, "  "));
        self.next_steps_to(&mut text);
        let subs: String = self
            .subcommands
            .iter()
            .map(|sub| sub.inline(self))
            .collect();
        list(&mut text, "subcommands", &subs);
        text
    }

    /// Keys with a single value. What a subcommand has from its parent is left out.
    fn plain(&self, parent: Option<&Self>) -> Vec<(&'static str, String)> {
        let (duration, timeout) = parent
            .map_or((Duration::default(), TimeoutClass::default()), |parent| {
                (parent.duration, parent.timeout_class)
            });
        let mut members = vec![
            ("name", quoted(&self.name)),
            ("description", quoted(&self.description)),
            ("output_format", quoted(&self.output_format)),
            ("risk", quoted(risk_name(self.risk))),
        ];
        if self.duration != duration {
            members.push(("duration", quoted(duration_name(self.duration))));
        }
        if self.timeout_class != timeout {
            members.push(("timeout_class", quoted(timeout_name(self.timeout_class))));
        }
        if self.interactive {
            members.push(("interactive", "true".to_owned()));
        }
        members
    }

    fn inline(&self, parent: &Self) -> String {
        let mut members: Vec<String> = self
            .plain(Some(parent))
            .into_iter()
            .map(|(key, value)| format!("{key} = {value}"))
            .collect();
        for (key, lines) in [
            ("common_options", options(&self.common_options, "    ")),
            ("raises", raises(&self.raises, "    ")),
            ("examples", examples(&self.examples, "    ")),
        ] {
            if !lines.is_empty() {
                members.push(format!("{key} = [\n{lines}  ]"));
            }
        }
        format!("  {{ {} }},\n", members.join(", "))
    }

    fn next_steps_to(&self, text: &mut String) {
        let steps = [
            ("success", &self.next_steps.success),
            ("failure", &self.next_steps.failure),
        ];
        let given: Vec<String> = steps
            .iter()
            .filter(|(_, steps)| !steps.is_empty())
            .map(|(key, steps)| format!("{key} = {}", texts(steps)))
            .collect();
        if !given.is_empty() {
            let _ = writeln!(text, "next_steps = {{ {} }}", given.join(", "));
        }
    }
}

fn list(text: &mut String, key: &str, lines: &str) {
    if !lines.is_empty() {
        let _ = write!(text, "{key} = [\n{lines}]\n");
    }
}

fn options(options: &[CommonOption], indent: &str) -> String {
    let pairs = options.iter();
    pairs
        .map(|option| line(indent, "flag", &option.flag, &option.description))
        .collect()
}

fn examples(examples: &[Example], indent: &str) -> String {
    let pairs = examples.iter();
    pairs
        .map(|example| line(indent, "command", &example.command, &example.description))
        .collect()
}

fn line(indent: &str, key: &str, text: &str, description: &str) -> String {
    let (text, description) = (quoted(text), quoted(description));
    format!("{indent}{{ {key} = {text}, description = {description} }},\n")
}

fn raises(raises: &[Raise], indent: &str) -> String {
    raises.iter().map(|raise| raised(raise, indent)).collect()
}

fn raised(raise: &Raise, indent: &str) -> String {
    let places: Vec<String> = raise
        .places
        .iter()
        .map(|place| place_name(*place).to_owned())
        .collect();
    let mut members: Vec<String> = [
        ("flags", &raise.flags),
        ("operands", &raise.operands),
        ("places", &places),
    ]
    .iter()
    .filter(|(_, names)| !names.is_empty())
    .map(|(key, names)| format!("{key} = {}", texts(names)))
    .collect();
    members.push(format!("risk = {}", quoted(risk_name(raise.risk))));
    members.push(format!("reason = {}", quoted(&raise.reason)));
    format!("{indent}{{ {} }},\n", members.join(", "))
}

fn texts(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", texts.join(", "))
}

/// A basic string: what must not stand in one is escaped.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

const fn duration_name(duration: Duration) -> &'static str {
    match duration {
        Duration::Instant => "instant",
        Duration::Short => "short",
        Duration::Long => "long",
        Duration::Open => "open",
    }
}

const fn timeout_name(class: TimeoutClass) -> &'static str {
    match class {
        TimeoutClass::Default => "default",
        TimeoutClass::ServerStart => "server_start",
        TimeoutClass::PackageManager => "package_manager",
        TimeoutClass::Container => "container",
    }
}

const fn place_name(place: Place) -> &'static str {
    match place {
        Place::Root => "root",
        Place::System => "system",
        Place::Device => "device",
        Place::HomeRoot => "home_root",
        Place::Home => "home",
        Place::Outside => "outside",
        Place::TreeRoot => "tree_root",
        Place::TreeGit => "tree_git",
    }
}
