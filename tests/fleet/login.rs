//! Logins for the broker: each is accepted, and none is shown.

use super::common::{authority, client};
use super::harness::{Fleet, pattern, serve, tables};
use base64::Engine as _;
use nkeys::KeyPair;

/// A way to log in.
struct Way<'a> {
    /// What the broker is started with.
    broker: Vec<String>,
    /// Stands before the address.
    user: &'static str,
    /// Options of the program.
    options: Vec<String>,
    /// The same with a login that is wrong.
    wrong: (&'static str, Vec<String>),
    /// What nobody may see.
    secret: &'a str,
}

fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

/// Reads two inputs, and looks at everything that was said. Returns what a wrong login was told.
fn comes_through(way: &Way<'_>) -> Option<String> {
    let fleet = Fleet::start_with(&way.broker, way.user)?;
    let server = serve(&tables(2));
    let source = pattern(&server, 2);
    let options: Vec<&str> = way.options.iter().map(String::as_str).collect();
    let worker = fleet.worker("w", &options);
    let run = fleet.submit("out.csv", &[options.as_slice(), &[&source, "-v"]].concat());
    let (code, said) = run.end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(fleet.read("out.csv").lines().count(), 1 + 4);
    let url = fleet.url().replace(way.user, way.wrong.0);
    let wrong: Vec<&str> = way.wrong.1.iter().map(String::as_str).collect();
    let (code, refused) = fleet.submit("no.csv", &[wrong.as_slice(), &[&source, "-v", "--nats", &url]].concat()).end();
    assert!(matches!(code, Some(4 | 5)), "{code:?}: {refused}");
    for said in [said, worker.said(), refused.clone()] {
        assert!(!said.contains(way.secret) && !said.contains("wrong"), "{said}");
    }
    Some(refused)
}

#[test]
fn a_user_with_a_password_and_a_token_are_taken_from_the_address_and_not_shown() {
    for (broker, user, wrong) in [
        (words(["--user", "me", "--pass", "sword fish@sea/"]), "me:sword%20fish%40sea%2F@", "me:wrong@"),
        (words(["--auth", "swordfish"]), "swordfish@", "wrong@"),
    ] {
        let way = Way { broker, user, options: Vec::new(), wrong: (wrong, Vec::new()), secret: "fish" };
        let Some(refused) = comes_through(&way) else { return };
        assert!(refused.contains("look at the login"), "{refused}");
    }
}

#[test]
fn the_seed_of_an_nkey_is_read_from_a_file_and_not_shown() {
    // From the documentation of NATS.
    let (seed, key) = (
        "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY",
        "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4",
    );
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(at("nats.conf"), format!("authorization {{ users = [ {{ nkey: {key} }} ] }}\n")).expect("room");
    std::fs::write(at("seed"), format!("{seed}\n")).expect("room");
    let way = Way {
        broker: vec!["-c".to_owned(), at("nats.conf")],
        user: "",
        options: vec![format!("--nats-nkey={}", at("seed"))],
        wrong: ("", Vec::new()),
        secret: seed,
    };
    let Some(refused) = comes_through(&way) else { return };
    assert!(refused.contains("look at the login"), "{refused}");
}

/// Signs claims as `nsc` does.
fn token(by: &KeyPair, of: &KeyPair, name: &str, claims: &serde_json::Value) -> String {
    let base64 = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let head = serde_json::json!({"typ": "JWT", "alg": "ed25519-nkey"});
    let body = serde_json::json!({
        "jti": name, "iat": 1_700_000_000, "iss": by.public_key(), "sub": of.public_key(), "name": name, "nats": claims,
    });
    let text = format!("{}.{}", base64.encode(head.to_string()), base64.encode(body.to_string()));
    let signature = by.sign(text.as_bytes()).expect("a key that signs");
    format!("{text}.{}", base64.encode(signature))
}

/// The credentials file of a user, as `nsc` writes it.
fn credentials(user: &KeyPair, account: &KeyPair) -> String {
    let claims = serde_json::json!({"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1});
    let (token, seed) = (token(account, user, "me", &claims), user.seed().expect("a seed"));
    format!(
        "-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )
}

#[test]
fn a_credentials_file_with_a_token_and_a_seed_is_taken_and_not_shown() {
    let (operator, account, stranger) = (KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_account());
    let limits = serde_json::json!({
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
        "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1,
    });
    let of_operator = token(&operator, &operator, "op", &serde_json::json!({"type": "operator", "version": 2}));
    let claims = |limits: &serde_json::Value| serde_json::json!({"type": "account", "version": 2, "limits": limits});
    let of_account = token(&operator, &account, "fleet", &claims(&limits));
    // JetStream needs an account of the broker's own.
    let system = KeyPair::new_account();
    let of_system = token(&operator, &system, "system", &claims(&serde_json::json!({"subs": -1, "conn": -1})));
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let [account_key, system_key] = [&account, &system].map(KeyPair::public_key);
    let config = format!(
        "operator: {of_operator}\nsystem_account: {system_key}\nresolver: MEMORY\n\
         resolver_preload: {{ {account_key}: {of_account}, {system_key}: {of_system} }}\n"
    );
    std::fs::write(at("nats.conf"), config).expect("room");
    let user = KeyPair::new_user();
    std::fs::write(at("me.creds"), credentials(&user, &account)).expect("room");
    std::fs::write(at("other.creds"), credentials(&KeyPair::new_user(), &stranger)).expect("room");
    let secret = user.seed().expect("a seed");
    let way = Way {
        broker: vec!["-c".to_owned(), at("nats.conf")],
        user: "",
        options: vec![format!("--nats-creds={}", at("me.creds"))],
        wrong: ("", vec![format!("--nats-creds={}", at("other.creds"))]),
        secret: &secret,
    };
    let Some(refused) = comes_through(&way) else { return };
    assert!(refused.contains("look at the login"), "{refused}");
}

#[test]
fn a_broker_with_tls_is_trusted_by_its_own_authority_and_asks_for_a_certificate() {
    let tls = authority().parent().expect("a folder").to_owned();
    let at = |name: &str| tls.join(name).display().to_string();
    let (ca, cert) = (format!("--nats-ca={}", authority().display()), format!("--nats-cert={}", client().display()));
    let [file, key, clients] = ["server.pem", "server.key", "client-ca.pem"].map(at);
    let broker = words(["--tls", "--tlsverify", "--tlscert", &file, "--tlskey", &key, "--tlscacert", &clients]);
    let way = Way { broker, user: "", options: vec![ca.clone(), cert], wrong: ("", vec![ca]), secret: "PRIVATE KEY" };
    comes_through(&way);
}
