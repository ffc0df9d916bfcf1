//! A decision, shown to people: what is risky, where it stands in the command, what to do instead.

use owo_colors::Style;
use serde::Deserialize;
use wharf_api::Problem;

use crate::context::Context;
use crate::ui::Ui;
use crate::ui::neutral::neutral_line;
use crate::ui::span::{Mark, underline};

/// The wire's `decision` member, as far as people are shown it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Decision {
    pub(crate) verdict: String,
    pub(crate) reasons: Vec<Reason>,
    decision_factors: Factors,
    alternatives: Vec<Alternative>,
}

/// Why the verdict is not `allow`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Reason {
    pub(crate) rule: String,
    pub(crate) span: [usize; 2],
    pub(crate) message: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Factors {
    risk_level: String,
    command_familiarity: Option<f64>,
    argument_validity: Option<f64>,
    context_appropriateness: Option<f64>,
    efficiency: Option<f64>,
}

impl Decision {
    /// The numbers that the decision was made of, in a line.
    pub(crate) fn factors(&self) -> String {
        let factors = &self.decision_factors;
        let numbers = [
            ("familiar", factors.command_familiarity),
            ("arguments", factors.argument_validity),
            ("place", factors.context_appropriateness),
            ("efficient", factors.efficiency),
        ];
        let shown = numbers
            .iter()
            .filter_map(|(name, number)| Some(format!("{name} {:.2}", (*number)?)));
        shown.collect::<Vec<_>>().join(", ")
    }
}

/// What a measurement counted.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Measured {
    files: u64,
    directories: u64,
    bytes: u64,
    at_least: bool,
    items: Vec<serde_json::Value>,
}

/// A measurement in words; none where nothing could be counted.
pub(crate) fn counted(measured: &serde_json::Value) -> Option<String> {
    let measured = Measured::deserialize(measured).ok()?;
    if measured.items.is_empty() {
        return None;
    }
    let nothing = measured.files == 0 && measured.directories == 0;
    if nothing && !measured.at_least {
        return Some("nothing that is there".to_owned());
    }
    let count = |number: u64, one: &str, more: &str| match number {
        1 => format!("1 {one}"),
        number => format!("{number} {more}"),
    };
    Some(format!(
        "{}{}, {}, {}",
        if measured.at_least { "at least " } else { "" },
        count(measured.files, "file", "files"),
        count(measured.directories, "directory", "directories"),
        count(measured.bytes, "byte", "bytes"),
    ))
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Alternative {
    alternative: String,
    reasoning: String,
}

/// Shows a refusal that a decision stands behind.
pub(crate) fn tell(cx: &Context, command: &str, problem: &Problem) {
    if let Some(decision) = problem.decision.as_ref().filter(|_| !cx.ui.json) {
        let decision = Decision::deserialize(decision).unwrap_or_default();
        cx.ui.say(&show(&cx.ui, command, &decision));
        if let Some(words) = problem.measured.as_ref().and_then(counted) {
            cx.ui.say(&format!("  touches {words}\n"));
        }
    }
}

/// Asks for a yes where that helps. Returns the token to send back.
pub(crate) async fn ask(cx: &Context, problem: &Problem) -> Option<String> {
    let token = problem.confirmation_token.clone()?;
    if let Some(approval) = problem.approval.as_ref().filter(|_| cx.ui.may_ask) {
        cx.ui
            .say(&format!("  approval: {}\n", neutral_line(&approval.id)));
    }
    cx.ui.yes("Run it?").await.then_some(token)
}

/// The risk, the command with its parts underlined, and the alternatives.
pub(crate) fn show(ui: &Ui, command: &str, decision: &Decision) -> String {
    let risk = decision.decision_factors.risk_level.to_ascii_uppercase();
    let style = match risk.as_str() {
        "LOW" => Style::new().green().bold(),
        "MEDIUM" => Style::new().yellow().bold(),
        _ => Style::new().red().bold(),
    };
    let mut rules: Vec<_> = Vec::new();
    for rule in decision
        .reasons
        .iter()
        .map(|reason| neutral_line(&reason.rule))
    {
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    let mut text = format!(
        "{}  {}",
        ui.paint(&neutral_line(&risk), style),
        verdict(decision)
    );
    if !rules.is_empty() {
        text.push_str(&format!("  {}", rules.join(", ")));
    }
    text.push('\n');
    let marks: Vec<_> = decision.reasons.iter().map(mark).collect();
    text.push_str(&underline(command, &marks));
    for other in &decision.alternatives {
        text.push_str(&format!("  instead: {}", neutral_line(&other.alternative)));
        // Often the reason to do something else is the reason that stands there already.
        let said = decision
            .reasons
            .iter()
            .any(|reason| reason.message == other.reasoning);
        if !said && !other.reasoning.is_empty() {
            text.push_str(&format!("  ({})", neutral_line(&other.reasoning)));
        }
        text.push('\n');
    }
    text
}

fn verdict(decision: &Decision) -> &'static str {
    match decision.verdict.as_str() {
        "allow" => "may run",
        "confirm" => "needs a yes",
        "deny" => "is refused",
        _ => "was judged",
    }
}

fn mark(reason: &Reason) -> Mark {
    let [start, end] = reason.span;
    Mark {
        span: start..end.max(start),
        label: reason.message.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_is_said_in_words() {
        let said = |files: u64, at_least: bool| {
            let measured = serde_json::json!({
                "files": files, "directories": 1, "bytes": 2, "at_least": at_least, "items": [{}],
            });
            counted(&measured)
        };
        assert_eq!(said(1, false).unwrap(), "1 file, 1 directory, 2 bytes");
        assert_eq!(
            said(3, true).unwrap(),
            "at least 3 files, 1 directory, 2 bytes"
        );
    }

    #[test]
    fn a_decision_is_shown_like_an_error_of_a_compiler() {
        let decision = serde_json::json!({
            "verdict": "confirm",
            "reasons": [{ "rule": "fs.delete_outside", "span": [5, 16], "message": "deletes outside of the tree" }],
            "decision_factors": { "risk_level": "high", "command_familiarity": 1 },
            "alternatives": [{ "alternative": "mv /srv/x{,.old}", "reasoning": "can be undone", "confidence": 0.9 }],
        });
        let decision = Decision::deserialize(&decision).unwrap();
        insta::assert_snapshot!(show(&Ui::plain(), "sudo rm -r /srv/x", &decision), @r"
        HIGH  needs a yes  fs.delete_outside
          sudo rm -r /srv/x
               ^^^^^^^^^^^ deletes outside of the tree
          instead: mv /srv/x{,.old}  (can be undone)
        ");
    }
}
