//! Planted secrets that must not survive, and innocent commands that must.

use super::*;

const PLANTED: &[&str] = &[
    "mysql -u root -pCANARY db",
    "mysqldump --password=CANARY db",
    "mysql --password CANARY db",
    "sshpass -p CANARY ssh h",
    "sshpass -pCANARY ssh h",
    "curl -u user:CANARY https://x.y",
    "curl --user 'user:CANARY' https://x.y",
    "curl -uuser:CANARY https://x.y",
    "curl https://u:CANARY@x.y/z",
    "git clone https://u:CANARY@x.y/z.git",
    "git clone \"https://oauth2:CANARY@x.y/z.git\"",
    "curl -H 'Authorization: Bearer CANARY' x.y",
    "curl -H \"Authorization: Basic CANARY\" x.y",
    "curl -H Authorization:\\ CANARY x.y",
    "curl -H 'X-Api-Key: CANARY' x.y",
    "curl -H 'X-Auth-Token: CANARY' x.y",
    "curl -H 'PRIVATE-TOKEN: CANARY' x.y",
    "curl -H 'Cookie: session=CANARY' x.y",
    "curl 'https://x.y/z?api_key=CANARY&b=c'",
    "curl 'https://x.y/z?a=b&access_token=CANARY'",
    "curl -d '{\"user\":\"a\",\"password\":\"CANARY\"}' x.y",
    "curl -d '{\"accessToken\": \"CANARY\"}' x.y",
    "curl -d 'user=a&password=CANARY' x.y",
    "AWS_SECRET_ACCESS_KEY=CANARY aws s3 ls",
    "export GITHUB_TOKEN=CANARY",
    "export GITHUB_TOKEN=\"CANARY\"",
    "DB_PASSWORD='CANARY WORD' ./x",
    "env API_KEY=CANARY ./x",
    "sudo env MY_SECRET=CANARY ./x",
    "PGPASSWORD=CANARY psql -h x",
    "docker run -e DB_PASSWORD=CANARY x",
    "docker run --env=TOKEN=CANARY x",
    "docker login -u a -p CANARY x.y",
    "docker build --build-arg NPM_TOKEN=CANARY .",
    "helm install x y --set db.password=CANARY",
    "kubectl create secret generic x --from-literal=password=CANARY",
    "vault login token=CANARY",
    "gh auth login --token CANARY",
    "npm config set //registry/:_authToken=CANARY",
    "redis-cli -a CANARY ping",
    "mongosh -u a -p CANARY",
    "openssl rsa -passin pass:CANARY -in k",
    "zip -P CANARY a.zip b",
    "unzip -PCANARY a.zip",
    "7z x -pCANARY a.7z",
    "ldapsearch -w CANARY -x",
    "echo CANARY | sudo -S ls",
    "echo 'CANARY' | sudo -kS ls",
    "echo CANARY | docker login -u a --password-stdin x.y",
    "printf '%s' CANARY | gh auth login --with-token",
    "echo root:CANARY | chpasswd",
    "keytool -storepass CANARY -list",
    "twine upload -u a -p CANARY dist/x",
    "ansible-playbook -e ansible_password=CANARY x.yml",
    "terraform apply -var db_password=CANARY",
    "app --client-secret CANARY --x",
    "app --api-key=CANARY",
    "app --auth-token \"CANARY\" y",
    "wget --password=CANARY https://x.y",
    "wget --http-password=CANARY https://x.y",
    "psql postgresql://u:CANARY@h/db",
    "amqp-publish -u amqp://a:CANARY@h",
    "bash -c 'export TOKEN=CANARY; x'",
];

const SHAPED: &[&str] = &[
    "echo ghp_CANARY7890abcdefghij1234567890",
    "x github_pat_CANARY12345678901234567890abc",
    "x sk-CANARYabcdef1234567890abcdef",
    "x sk_live_CANARY1234567890",
    "x AKIACANARY1234567890",
    "x xoxb-CANARY-1234567890-abc",
    "x eyJCANARY.eyJzdWIiOiIxMjM0NTY3.abc",
    "x glpat-CANARY12345678901234",
    "x npm_CANARY12345678901234567890123456",
    "echo '-----BEGIN RSA PRIVATE KEY-----\nCANARY\n-----END RSA PRIVATE KEY-----' > k",
    "cat <<E\n-----BEGIN OPENSSH PRIVATE KEY-----\nCANARY",
];

const INNOCENT: &[&str] = &[
    "ls -la /tmp",
    "mysql -u root -p db",
    "mysql -P 3306 -h x db",
    "ssh -p 2222 user@host",
    "mkdir -p a/b",
    "cp -p a b",
    "docker run -p 80:80 nginx",
    "docker run -e MODE=dev x",
    "docker compose -p proj up",
    "curl -u user https://x.y",
    "curl https://x.y/z?page=2&size=3",
    "curl -H 'Content-Type: application/json' x.y",
    "curl -H 'Accept: text/html' x.y",
    "curl -d '{\"name\":\"a\"}' x.y",
    "git clone git@x.y:z.git",
    "git clone ssh://git@x.y/z.git",
    "git commit -m 'fix token parsing'",
    "git log --author=me --since=1.week",
    "grep -r password src",
    "grep -n 'TOKEN' .",
    "rg --type rust secret",
    "export PATH=$PATH:/x",
    "export TOKEN=$OTHER",
    "TOKEN=\"$(cat f)\" ./x",
    "PWD=/x ls",
    "FOO=bar make",
    "curl -H \"Authorization: \" x.y",
    "psql -U me -h x -p 5432 -d db",
    "psql postgresql://u@h/db",
    "psql postgresql://u:$PW@h/db",
    "npm install --save-dev tokenizer",
    "echo hello | sudo tee /etc/x",
    "echo 'a = b'",
    "kubectl get secret x -o yaml",
    "kubectl create secret generic x --from-file=a",
    "vault kv get secret/x",
    "app --password-file /run/x",
    "docker login --password-stdin x.y",
    "openssl x509 -in cert.pem -noout",
    "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----",
    "rsync -a -e 'ssh -p 22' a b",
    "tar -xpf x.tar",
    "zip -r a.zip b",
    "sha256sum e3b0c44298fc1c149afbf4c8996fb924 x",
    "python -m pip install sk-learn",
    "echo don't",
    "for i in a b; do echo \"$i\"; done",
    "x=1 y=2 z",
];

#[test]
fn no_planted_secret_survives() {
    for text in PLANTED.iter().chain(SHAPED) {
        let redacted = redact(text);
        assert!(!redacted.contains("CANARY"), "{text:?} became {redacted:?}");
        assert!(redacted.contains(MARK), "{text:?} became {redacted:?}");
    }
}

#[test]
fn innocent_commands_stay_untouched() {
    for text in INNOCENT {
        assert_eq!(redact(text), *text);
    }
}

#[test]
fn there_are_enough_examples() {
    assert!(
        PLANTED.len() + SHAPED.len() >= 50,
        "{}",
        PLANTED.len() + SHAPED.len()
    );
    assert!(INNOCENT.len() >= 40, "{}", INNOCENT.len());
}

#[test]
fn the_structure_stays() {
    assert_eq!(
        redact("mysql -u root -phunter2 db"),
        "mysql -u root -p[redacted] db"
    );
    assert_eq!(
        redact("curl -H 'Authorization: Bearer abc' x"),
        "curl -H 'Authorization: Bearer [redacted]' x"
    );
    assert_eq!(redact("TOKEN=abc ./x && ls"), "TOKEN=[redacted] ./x && ls");
    assert_eq!(
        redact("curl https://u:p@h/x"),
        "curl https://u:[redacted]@h/x"
    );
}

#[test]
fn redacting_twice_changes_nothing() {
    for text in PLANTED.iter().chain(SHAPED) {
        let once = redact(text).into_owned();
        assert_eq!(redact(&once), once, "{text:?}");
    }
}

#[test]
fn a_mebibyte_of_anything_takes_linear_time() {
    let pieces = [
        "a=",
        "-p ",
        "Authorization: ",
        "://a:b@",
        "\"",
        "'",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY-----",
        "token=",
        "echo a | sudo -S x;",
        "?token=",
        "{\"password\":\"",
        "mysql -pa ",
        "' ' ",
        "TOKEN=a ",
        "\\",
        "X-Token: \"",
    ];
    for piece in pieces {
        let text = piece.repeat((1 << 20) / piece.len());
        let started = std::time::Instant::now();
        let _ = redact(&text);
        assert!(
            started.elapsed().as_secs() < 10,
            "{piece:?} took {:?}",
            started.elapsed()
        );
    }
}
