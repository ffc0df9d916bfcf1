//! Commands that need a yes, and those for which there is none. What would be deleted here is not
//! there.

use crate::home::{Home, filters};
use crate::terminal::on_terminal;

const ASKS: [&str; 7] = [
    "run",
    "-v",
    "--color=never",
    "--",
    "rm",
    "-rfv",
    "/opt/wharf-no-such-dir",
];

#[test]
fn without_a_terminal_it_is_refused_with_its_reasons() {
    let home = Home::new();
    home.ok(&["run", "--", "true"]);
    let _filters = filters();
    insta::assert_snapshot!(home.seen(&ASKS), @r"
    --- stderr
    HIGH  needs a yes  delete-outside
      rm -rfv /opt/wharf-no-such-dir
              ^^^^^^^^^^^^^^^^^^^^^^ deletes outside of the working tree
      instead: ADVICE
      touches nothing that is there
    error[approval_required]: not run: it needs a yes, and there is nobody to ask here
      hint: approve it until TIME: wharf approvals approve APPROVAL
      hint: then run it again; --wait waits for the yes
    --- exit 125
    ");
}

#[test]
fn what_is_denied_is_refused_everywhere() {
    let home = Home::new();
    home.ok(&["run", "--", "true"]);
    let _filters = filters();
    insta::assert_snapshot!(home.seen(&["run", "--", "rm", "-rf", "/"]), @r"
    --- stderr
    CRITICAL  is refused  delete-root
      rm -rf /
             ^ deletes the system, or everything that a user has
    error[denied_by_policy]: The policy refuses this command; the decision says why.
    --- exit 125
    ");

    let (shown, code) = on_terminal(home.wharf(&["run", "--", "rm", "-rf", "/"]), "y\n");
    assert_eq!(code, Some(125));
    assert!(!shown.contains("Run it?"), "{shown}");
}

#[test]
fn a_yes_on_the_terminal_runs_it() {
    let home = Home::new();
    home.ok(&["run", "--", "true"]);
    let _filters = filters();

    let (shown, code) = on_terminal(home.wharf(&ASKS), "y\n");

    insta::assert_snapshot!(shown, @r"
    HIGH  needs a yes  delete-outside
      rm -rfv /opt/wharf-no-such-dir
              ^^^^^^^^^^^^^^^^^^^^^^ deletes outside of the working tree
      instead: ADVICE
      touches nothing that is there
      approval: APPROVAL
    Run it? [y/N] y
    ");
    assert_eq!(code, Some(0));
    let log = home.ok(&["audit", "tail", "-n", "2"]);
    assert!(
        log.contains("run.opened") && log.contains("confirm"),
        "{log}"
    );
}

#[test]
fn anything_else_is_a_no() {
    let home = Home::new();
    home.ok(&["run", "--", "true"]);
    for typed in ["n\n", "\n", "yeah\n", "\u{4}"] {
        let (shown, code) = on_terminal(home.wharf(&ASKS), typed);
        assert!(shown.contains("Run it? [y/N]"), "{shown}");
        assert_eq!(code, Some(125), "{typed:?}: {shown}");
    }
}

#[test]
fn no_input_means_no_question() {
    let home = Home::new();
    home.ok(&["run", "--", "true"]);
    let mut command = home.wharf(&["--no-input"]);
    command.args(ASKS);
    let (shown, code) = on_terminal(command, "y\n");
    assert!(!shown.contains("Run it?"), "{shown}");
    assert_eq!(code, Some(125));

    let mut command = home.wharf(&ASKS);
    command.env("WHARF_NO_INPUT", "1");
    let (shown, _) = on_terminal(command, "y\n");
    assert!(!shown.contains("Run it?"), "{shown}");
}

#[test]
fn explaining_runs_nothing() {
    let home = Home::new();
    insta::assert_snapshot!(home.seen(&["explain", "--shell", "cd /tmp &&\n\trm -rf ~/x \"漢字\" && ls"]), @r#"
    MEDIUM  may run
      cd /tmp &&
          rm -rf ~/x "漢字" && ls
      type     chain
      runs     cd, rm, ls
      does     delete HOME/x, delete 漢字
      factors  familiar 1.00, arguments 1.00, place 0.50, efficient 1.00
    --- stderr
    --- exit 0
    "#);
    let answer = home.ok(&["explain", "--json", "--", "ls"]);
    assert!(answer.contains(r#""risk_level":"low""#), "{answer}");
    assert!(home.ok(&["audit", "verify"]).starts_with("ok 0 entries"));
}

#[test]
fn what_would_be_lost_is_counted_first() {
    let home = Home::new();
    let command = "mkdir -p lost/deep && touch lost/a lost/deep/b && pwd";
    let place = home.ok(&["run", "--shell", command]);
    let place = place.trim();
    let words = [
        "explain",
        "--measure",
        "--cwd",
        place,
        "--",
        "rm",
        "-r",
        "lost",
    ];
    let said = home.ok(&words);
    assert!(said.contains("touches  2 files, 2 directories"), "{said}");
    home.ok(&["run", "--shell", "rm -r lost"]);
}

#[test]
fn rows_and_a_budget_take_the_place_of_the_output() {
    let home = Home::new();
    let rows = home.ok(&["run", "--data", "--", "df"]);
    let first = rows.lines().next().unwrap();
    let row: serde_json::Value = serde_json::from_str(first).unwrap();
    assert!(row.as_object().unwrap().len() > 3, "{first}");
    let text = home.ok(&["run", "--budget", "100", "--", "seq", "20000"]);
    assert!(
        text.len() < 1_000 && text.contains("/output?stream="),
        "{text}"
    );
    assert_eq!(
        home.output(&["run", "--budget", "99", "--", "ls"])
            .status
            .code(),
        Some(2)
    );
}

#[test]
fn for_programs_the_refusal_carries_the_decision() {
    let home = Home::new();
    let output = home.output(&["run", "--json", "--", "rm", "-rf", "/"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains(r#""verdict":"deny""#) && error.contains(r#""exit_code":125"#),
        "{error}"
    );
    assert!(output.stdout.is_empty());
}
