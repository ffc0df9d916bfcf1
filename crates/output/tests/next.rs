//! Next steps after outputs that were recorded.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails it")]

use std::fs;
use std::path::Path;

use wharf_output::next::{NextStep, PackageManager, Surroundings, next_steps};
use wharf_shell::{Context, analyze};

fn steps_after(name: &str) -> Vec<NextStep> {
    let base = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/digest")
        .join(name);
    let sidecar = fs::read_to_string(base.with_extension("must")).unwrap();
    let header = |key: &str| {
        let prefix = format!("# {key}: ");
        sidecar
            .lines()
            .find_map(|line| line.strip_prefix(&prefix))
            .unwrap()
            .to_owned()
    };
    let analysis = analyze(&header("command"), &Context::default());
    let read = |stream: &str| fs::read(base.with_extension(stream)).unwrap_or_default();
    let around = Surroundings {
        package_manager: Some(PackageManager::Apt),
        is_root: true,
        programs: &[],
    };
    let exit_code = header("exit").parse().ok();
    next_steps(
        &analysis,
        exit_code,
        &read("stdout"),
        &read("stderr"),
        &around,
    )
}

#[test]
fn what_really_came_out_decides() {
    let cases = [
        (
            "cargo_test_fail",
            "cargo test -- --exact tests::parse tests::unwraps tests::wrong_sum",
        ),
        ("cargo_errors", "cargo add nothere"),
        ("cargo_no_crate", "cargo add nosuchcrate"),
        ("make_header_missing", "find . -name nothere.h"),
        ("make_link", "grep -rnF missing_symbol ."),
        ("s_cargo_link", "apt-get install -y libssl-dev"),
        (
            "unittest_fail",
            "python -m unittest test_unit.T.test_err test_unit.T.test_bad test_unit.T.test_list",
        ),
        ("pytest_import", "pip install no_such_module_here"),
        ("node_crash", "ls -la /app"),
        ("node_port", "ss -ltnp 'sport = :18999'"),
        ("npm_no_script", "npm run"),
        ("git_conflict", "git diff --name-only --diff-filter=U"),
        ("git_push_rejected", "git pull --rebase"),
        ("git_not_repo", "git rev-parse --show-toplevel"),
        ("docker_down", "systemctl status docker --no-pager"),
        ("kubectl_refused", "kubectl config current-context"),
        ("apt_missing", "apt-cache search libdoesnotexist-dev"),
        (
            "pip_missing",
            "pip index versions thispackagedoesnotexist-xyz-123",
        ),
        ("curl_refused", "ss -ltn 'sport = :9'"),
        ("tar_fail", "ls -la /home/dev/app"),
        ("s_script", "apt-get install -y awscli"),
        (
            "s_apt_lock",
            "ps -o pid,etime,cmd -C apt,apt-get,dpkg,unattended-upgr",
        ),
        ("s_tqdm", "df -h"),
        ("s_npm_eresolve", "npm explain react"),
        ("s_kubectl_describe", "kubectl logs POD --previous"),
        (
            "s_maven_fail",
            "mvn test -Dtest='CartTest#addsTax,CartTest#loads'",
        ),
        ("s_rspec", "bundle exec rspec ./spec/cart_spec.rb:10"),
        ("s_go_panic", "go test -run '^TestServer$' example.com/app"),
        ("mocha_fail", "npx mocha -g 'adds wrongly|deep|throws'"),
        ("webpack_fail", "ls -la ."),
    ];
    let mut wrong = Vec::new();
    for (name, command) in cases {
        let steps = steps_after(name);
        if !steps
            .iter()
            .any(|step| step.command.as_deref() == Some(command))
        {
            wrong.push(format!("{name}: wanted {command}\n  got {steps:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_refusal_is_never_answered_with_sudo() {
    let analysis = analyze("cat /etc/shadow", &Context::default());
    let stderr = b"cat: /etc/shadow: Permission denied\n";
    for step in next_steps(&analysis, Some(1), b"", stderr, &Surroundings::default()) {
        assert!(!step.command.unwrap_or_default().contains("sudo"));
    }
}
