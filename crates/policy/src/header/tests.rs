use super::*;

fn parse(text: &str) -> Result<Header, String> {
    Header::parse("policy.toml", text).map_err(|error| error.to_string())
}

#[test]
fn everything_has_a_place() {
    let header = parse(
        r#"
default_role = "ops"
without = ["high-asks"]
[roles]
ops = ["user:anna", "token:ci-*"]
[classes.deploys]
programs = ["kubectl apply"]
effects = ["publish"]
[paths]
keys = ["~/.ssh/**"]
[targets]
production = ["prod-*"]
[hours.night]
days = ["fri-mon"]
from = "22:00"
until = "06:00"
[approvals]
requester_may_approve = false
open_minutes = 5
[examples.ops]
allow = ["ls", { run = "id", target = "prod-1", at = "sat 03:00" }]
"#,
    )
    .expect("legal");
    let anna = Who::user("anna");
    let roles: Vec<&str> = header.role_names(header.roles_of(&anna, &[])).collect();
    assert_eq!(roles, ["ops"]);
    assert_eq!(header.roles_of(&Who::user("eve"), &["read-only"]), 0b10);
    let ops = header.role_bit("ops");
    assert_eq!(header.roles_of(&Who::user("eve"), &["unheard-of"]), ops);
    assert!(header.targets[0].holds("prod-1", &[]));
    assert_eq!(header.examples[1].line, 21);
    assert_eq!(header.approvals.open_seconds, 300);
    assert!(!header.approvals.requester_may_approve);
}

#[test]
fn hours_go_over_midnight() {
    let header =
        parse("[hours.n]\ndays = [\"fri\"]\nfrom = \"22:00\"\nuntil = \"06:00\"").expect("legal");
    let at = |text: &str| header.hours[0].hold(Moment::parse(text).expect("a moment"));
    assert!(at("fri 22:00") && at("sat 05:59"));
    assert!(!at("fri 21:59") && !at("sat 06:00") && !at("fri 03:00") && !at("sat 23:00"));
}

#[test]
fn what_is_wrong_is_named_with_its_line_and_what_was_meant() {
    let wrong = |text: &str| parse(text).expect_err("refused");
    assert_eq!(
        wrong("\nrolse = 1"),
        "policy.toml:2: there is no key `rolse`; did you mean `roles`?"
    );
    assert_eq!(
        wrong("[classes.x]\nprograms = [\"a\"]\neffects = [\n  \"read\",\n  \"delte\",\n]"),
        "policy.toml:5: there is no effect `delte`; did you mean `delete`?"
    );
    assert_eq!(
        wrong("without = [\"hihg-asks\"]"),
        "policy.toml:1: there is no built-in policy `hihg-asks`; did you mean `high-asks`?"
    );
    assert_eq!(
        wrong("[examples.devloper]\nallow = []"),
        "policy.toml:1: there is no role `devloper`; did you mean `developer`?"
    );
    assert_eq!(
        wrong("[roles]\nx = [\"anna\"]"),
        "policy.toml:2: `anna` is nobody: write user:NAME, agent:NAME or token:NAME"
    );
    assert_eq!(
        wrong("[paths]\nx = [\"etc\"]"),
        "policy.toml:2: `etc` must start with /, ~/, ./ (the working tree) or **/"
    );
    assert_eq!(
        wrong("[hours.x]\nfrom = \"9\""),
        "policy.toml:2: `9` is no time: write 09:00"
    );
    assert!(wrong("a = ").starts_with("policy.toml:1: "));
    assert_eq!(
        wrong("[roles]\nx = 3"),
        "policy.toml:2: a role must be a list"
    );
}

#[test]
fn a_token_has_a_role_by_its_whole_name_or_its_id() {
    let header =
        parse("[roles]\nops = [\"token:acme/olga@x/ci\", \"token:key_1\"]").expect("legal");
    let has = |token: &str, token_id: &str| {
        let who = Who {
            token,
            token_id,
            ..Who::user("eve@x")
        };
        header.roles_of(&who, &[]) == header.role_bit("ops")
    };
    assert!(has("acme/olga@x/ci", "key_2") && has("acme/olga@x/other", "key_1"));
    assert!(!has("acme/eve@x/ci", "key_2") && !has("acme/eve@x/acme/olga@x/ci", "key_2"));
    assert!(!has("acme/eve@x/key_1", "key_2") && !has("", ""));
}

#[test]
fn there_are_so_many_roles_and_no_more() {
    let roles = |count: usize| {
        let lines: String = (0..count).map(|i| format!("r{i} = []\n")).collect();
        parse(&format!("[roles]\n{lines}"))
    };
    // Two are built in, and those in an organization.
    let own = MAX_ROLES - 2 - memberships().count();
    assert!(roles(own).is_ok());
    assert!(roles(own + 1).is_err());
}

#[test]
fn a_role_in_an_organization_comes_beside_the_others() {
    let header =
        parse("default_role = \"read-only\"\n[roles]\nadmin = [\"user:olga\"]").expect("legal");
    let roles = |who: &str, given: &[&str]| -> Vec<String> {
        let bits = header.roles_of(&Who::user(who), given);
        header.role_names(bits).map(str::to_owned).collect()
    };
    for role in memberships() {
        assert_eq!(roles("eve", &[role]), ["read-only", role]);
    }
    // In another organization it is another role, and none where the file does not name it.
    let acme = parse("[roles]\n\"acme/admin\" = []").expect("legal");
    let bits = acme.roles_of(&Who::user("eve"), &["acme/admin"]);
    let names: Vec<&str> = acme.role_names(bits).collect();
    assert_eq!(names, ["developer", "acme/admin"]);
    assert_eq!(roles("eve", &["acme/admin"]), ["read-only"]);
    for odd in [
        "acme/boss",
        "acme/x/admin",
        "/admin",
        "Acme/admin",
        "acme/admin/",
    ] {
        assert!(parse(&format!("[roles]\n\"{odd}\" = []")).is_err(), "{odd}");
    }
    assert!(header.widened().eq(["admin"]) && acme.widened().next().is_none());
    // One that the file gives is a role like another.
    assert_eq!(roles("olga", &[]), ["admin"]);
    assert_eq!(roles("olga", &["member"]), ["admin", "member"]);
    assert_eq!(
        roles("eve", &["developer", "viewer"]),
        ["developer", "viewer"]
    );
}
