//! Kubeconfigs as they are met, against a server with recorded objects, and against worse ones.

mod server;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use super::*;
use crate::host::Cause;
use server::{Answer, Authority, NOT_YET, NOW, OVER, Server, Setup};

/// Long enough for a busy machine, and for what must come to an end by itself.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_secs(1);

const NODE: &str = include_str!("node.json");
const CLASSES: &str = include_str!("runtimeclasses.json");

/// A cluster of one server, and the directory of a node in it.
struct World {
    directory: TempDir,
    authority: Authority,
    server: Server,
}

impl World {
    fn new() -> Self {
        Self::answering(|path| match path {
            "/api/v1/nodes/gpu-1" => Answer::Status(200, NODE.to_owned()),
            "/apis/node.k8s.io/v1/runtimeclasses" => Answer::Status(200, CLASSES.to_owned()),
            _ => Answer::Status(404, "{}".to_owned()),
        })
    }

    fn answering(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let authority = Authority::new();
        let setup = Setup { own: &authority, years: NOW, clients: &authority, strict: false };
        let server = Server::start(&setup, answer);
        Self { directory: tempfile::tempdir().unwrap(), authority, server }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// A kubeconfig as kubeadm writes it, with this user.
    fn kubeconfig(&self, user: &str) -> PathBuf {
        kubeconfig(self.directory.path(), self.server.address, &self.authority.pem(), user)
    }

    fn look(&self, user: &str, node: Option<&str>) -> Answers {
        look(&self.kubeconfig(user), node, LONG)
    }
}

fn kubeconfig(directory: &Path, address: SocketAddr, authority: &str, user: &str) -> PathBuf {
    let authority = STANDARD.encode(authority);
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: system:node@c\npreferences: {{}}\n\
         clusters:\n- name: c\n  cluster:\n    certificate-authority-data: {authority}\n    \
         server: https://{address}\ncontexts:\n- name: system:node@c\n  context:\n    cluster: c\n    \
         namespace: default\n    user: me\nusers:\n- name: me\n  user:\n{user}"
    );
    let path = directory.join("kubelet.conf");
    fs::write(&path, text).unwrap();
    path
}

fn look(kubeconfig: &Path, node: Option<&str>, deadline: Duration) -> Answers {
    let usual = Usual { kubeconfig: kubeconfig.to_owned(), node: node.map(str::to_owned) };
    client::look(&Access::default(), &usual, deadline)
}

const BY_FILE: &str = "    client-certificate: client.pem\n    client-key: client.pem\n";

fn told(answers: &Answers) -> (Option<i32>, String) {
    match &answers.node {
        Reading::Known(output) => {
            (output.code, String::from_utf8_lossy(&output.stdout).into_owned())
        }
        other => panic!("{other:?}"),
    }
}

/// Why nothing was told, which is the same of both.
fn why(answers: &Answers) -> String {
    match (&answers.node, &answers.classes) {
        (Reading::Unreadable(Cause::NoAnswer(why)), Reading::Unreadable(Cause::NoAnswer(_))) => {
            why.clone()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_node_is_that_of_the_certificate_and_its_objects_are_handed_on() {
    let world = World::new();
    world.put("client.pem", &world.authority.user("system:node:gpu-1", NOW));
    let answers = world.look(BY_FILE, Some("another-name"));
    assert_eq!(told(&answers), (Some(200), NODE.to_owned()));
    let classes = answers.classes.into_known().unwrap();
    assert_eq!((classes.code, classes.stdout), (Some(200), CLASSES.as_bytes().to_vec()));
    assert_eq!(
        world.server.asked(),
        [
            "GET /api/v1/nodes/gpu-1 with a certificate",
            "GET /apis/node.k8s.io/v1/runtimeclasses with a certificate"
        ]
    );
}

#[test]
fn a_certificate_that_was_rotated_counts_at_once() {
    let world = World::new();
    world.put("old.pem", &world.authority.user("system:node:gpu-1", OVER));
    world.put("new.pem", &world.authority.user("system:node:gpu-1", NOW));
    symlink("old.pem", world.path("client.pem")).unwrap();
    let refused = why(&world.look(BY_FILE, None));
    assert!(refused.ends_with("does not count: it expired on 2020-01-01T00:00:00Z"), "{refused}");
    assert!(world.server.asked().is_empty());
    fs::remove_file(world.path("client.pem")).unwrap();
    symlink("new.pem", world.path("client.pem")).unwrap();
    assert_eq!(told(&world.look(BY_FILE, None)).0, Some(200));
}

#[test]
fn a_certificate_of_the_future_tells_of_the_clock() {
    let world = World::new();
    world.put("client.pem", &world.authority.user("system:node:gpu-1", NOT_YET));
    let why = why(&world.look(BY_FILE, None));
    assert!(why.contains("only from 2110-01-01T00:00:00Z; is the clock right?"), "{why}");
}

#[test]
fn a_server_that_does_not_prove_itself_is_not_believed() {
    let (own, other) = (Authority::new(), Authority::new());
    for (signer, years, word) in [(&own, OVER, "expired"), (&other, NOW, "Signature")] {
        let setup = Setup { own: signer, years, clients: &own, strict: false };
        let server = Server::start(&setup, |_| Answer::Status(200, NODE.to_owned()));
        let directory = tempfile::tempdir().unwrap();
        let path = kubeconfig(directory.path(), server.address, &own.pem(), "    token: s3cret\n");
        let why = why(&look(&path, Some("gpu-1"), LONG));
        assert!(why.starts_with("the API server's certificate does not count: "), "{why}");
        assert!(why.contains(word) && !why.contains("s3cret"), "{why}");
        assert!(server.asked().is_empty());
    }
}

#[test]
fn a_server_that_turns_the_certificate_away_is_told_so() {
    let (own, other) = (Authority::new(), Authority::new());
    let setup = Setup { own: &own, years: NOW, clients: &other, strict: true };
    let server = Server::start(&setup, |_| Answer::Status(200, NODE.to_owned()));
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("client.pem"), own.user("system:node:gpu-1", NOW)).unwrap();
    let path = kubeconfig(directory.path(), server.address, &own.pem(), BY_FILE);
    let why = why(&look(&path, None, LONG));
    assert!(why.starts_with("the API server refuses the client certificate: "), "{why}");
}

#[test]
fn a_token_is_taken_from_its_file() {
    let world = World::new();
    world.put("token", "from-file\n");
    let answers = world.look("    token: stale\n    tokenFile: token\n", Some("gpu-1"));
    assert_eq!(told(&answers).0, Some(200));
    assert_eq!(world.server.asked()[0], "GET /api/v1/nodes/gpu-1 with Bearer from-file");
}

#[test]
fn a_refusal_is_handed_on_with_its_status() {
    for status in [401, 403, 404, 500] {
        let world = World::answering(move |_| Answer::Status(status, "{}".to_owned()));
        let answers = world.look("    token: t\n", Some("gpu-1"));
        assert_eq!(told(&answers), (Some(i32::from(status)), "{}".to_owned()));
    }
}

/// A user whose credentials a script of the test gives out.
fn plugin(world: &World, script: &str) -> String {
    let path = world.put("plugin", &format!("#!/bin/sh\n{script}\n"));
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    "    exec:\n      apiVersion: client.authentication.k8s.io/v1beta1\n      command: ./plugin\n      \
     args: [get-token, --cluster, c]\n      env: [{name: REGION, value: north}]\n      \
     interactiveMode: Never\n      provideClusterInfo: true\n"
        .to_owned()
}

const CREDENTIAL: &str =
    r#"{"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1beta1", "#;

#[test]
fn a_program_gives_out_a_token() {
    let world = World::new();
    let script = format!(
        "[ \"$*\" = 'get-token --cluster c' ] || exit 3\n[ -z \"$HOME\" ] || exit 4\n\
         printf %s \"$KUBERNETES_EXEC_INFO\" > {}\n\
         echo '{CREDENTIAL}\"status\": {{\"token\": \"of-'$REGION'\"}}}}'",
        world.path("info").display()
    );
    let user = plugin(&world, &script);
    assert_eq!(told(&world.look(&user, Some("gpu-1"))).0, Some(200));
    assert_eq!(world.server.asked()[0], "GET /api/v1/nodes/gpu-1 with Bearer of-north");
    let info: serde_json::Value =
        serde_json::from_slice(&fs::read(world.path("info")).unwrap()).unwrap();
    assert_eq!(info["apiVersion"], "client.authentication.k8s.io/v1beta1");
    assert_eq!(info["kind"], "ExecCredential");
    assert_eq!(info["spec"]["interactive"], false);
    let server = info["spec"]["cluster"]["server"].as_str().unwrap();
    assert_eq!(server, format!("https://{}", world.server.address));
}

#[test]
fn a_program_gives_out_a_certificate() {
    let world = World::new();
    let pem = world.authority.user("system:node:gpu-1", NOW);
    let (certificate, key) = pem.split_at(pem.find("-----BEGIN PRIVATE").unwrap());
    let status = serde_json::json!({ "clientCertificateData": certificate, "clientKeyData": key });
    world.put("credential.json", &format!("{CREDENTIAL}\"status\": {status}}}"));
    let user = plugin(&world, &format!("cat {}", world.path("credential.json").display()));
    assert_eq!(told(&world.look(&user, None)).0, Some(200));
    assert_eq!(world.server.asked()[0], "GET /api/v1/nodes/gpu-1 with a certificate");
}

#[test]
fn a_program_that_gives_out_nothing_is_named_and_what_it_printed_is_not() {
    let world = World::new();
    for (script, expected) in [
        ("echo s3cret; exit 7", "./plugin gave no credentials: it ended with 7"),
        ("kill -9 $$", "./plugin gave no credentials: signal 9 ended it"),
        ("echo s3cret", "what ./plugin printed are no credentials"),
        ("echo '{\"kind\": \"ExecCredential\"}'", "what ./plugin printed are no credentials"),
        (
            "echo '{\"kind\": \"X\", \"status\": {\"token\": \"s3cret\"}}'",
            "what ./plugin printed are no credentials",
        ),
    ] {
        let user = plugin(&world, script);
        assert_eq!(why(&world.look(&user, Some("gpu-1"))), expected, "{script}");
    }
    let user = plugin(&world, "").replace("Never", "Always");
    assert_eq!(
        why(&world.look(&user, Some("gpu-1"))),
        "./plugin gives out credentials only to a person"
    );
    let user = plugin(&world, "").replace("./plugin", "no-such-plugin");
    assert_eq!(why(&world.look(&user, Some("gpu-1"))), "no-such-plugin: not installed");
    assert!(world.server.asked().is_empty());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test looks at the clock")]
fn whatever_hangs_ends_at_the_deadline() {
    let started = std::time::Instant::now();
    let world = World::answering(|_| Answer::Never);
    let slow = |user: &str| why(&look(&world.kubeconfig(user), Some("gpu-1"), SHORT));
    // Of either, only its own answer is missing where the other came; here both are.
    assert_eq!(slow("    token: t\n"), "the API server gave no answer in 1 s");
    let user = plugin(&world, "sleep 1000");
    assert_eq!(slow(&user), "./plugin: no end in 1 s");
    // One that takes the connection, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let path =
        kubeconfig(world.directory.path(), address, &world.authority.pem(), "    token: t\n");
    assert_eq!(why(&look(&path, Some("gpu-1"), SHORT)), "the API server gave no answer in 1 s");
    assert!(started.elapsed() < LONG);
}

#[test]
fn an_answer_that_is_too_long_or_breaks_off_is_none() {
    let giant = World::answering(|_| Answer::Long(5 << 20));
    let why_giant = why(&giant.look("    token: t\n", Some("gpu-1")));
    assert_eq!(why_giant, "the API server's answer is larger than 4194304 bytes");
    let broken = World::answering(|_| Answer::Broken);
    let why_broken = why(&broken.look("    token: t\n", Some("gpu-1")));
    // Whether the head of the answer came through before is a matter of luck.
    let is_told = ["the API server's answer broke off: ", "the API server cannot be asked: "];
    assert!(is_told.iter().any(|words| why_broken.starts_with(words)), "{why_broken}");
}

#[test]
fn one_answer_may_be_missing_without_the_other() {
    let world = World::answering(|path| match path {
        "/api/v1/nodes/gpu-1" => Answer::Status(200, NODE.to_owned()),
        _ => Answer::Broken,
    });
    let answers = world.look("    token: t\n", Some("gpu-1"));
    assert_eq!(told(&answers).0, Some(200));
    assert!(answers.classes.cause().is_some());
}

#[test]
fn a_server_that_is_not_there_or_speaks_something_else_cannot_be_asked() {
    let authority = Authority::new();
    let directory = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let path = kubeconfig(directory.path(), address, &authority.pem(), "    token: t\n");
    let server = std::thread::spawn(move || {
        use std::io::Write as _;
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.6\r\n");
        }
    });
    let odd = why(&look(&path, Some("gpu-1"), LONG));
    assert!(odd.starts_with("the API server cannot be asked: "), "{odd}");
    server.join().unwrap();
    let gone = why(&look(&path, Some("gpu-1"), LONG));
    assert!(gone.contains("refused"), "{gone}");
}

#[test]
fn a_kubeconfig_that_is_none_is_told_with_its_path() {
    let world = World::new();
    let path = world.path("other.conf");
    let asked = |what: &str| {
        let why = why(&look(&path, Some("gpu-1"), LONG));
        let path = path.display().to_string();
        assert!(why.starts_with(&path), "{what}: {why}");
        why.replacen(&path, "", 1)
    };
    assert_eq!(asked("absent"), ": no such file");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(asked("a FIFO").contains("FIFO"));
    fs::remove_file(&path).unwrap();
    for (text, expected) in [
        ("", ""),
        ("\u{0}", ""),
        (
            "kind: KubeletConfiguration\napiVersion: kubelet.config.k8s.io/v1beta1\n",
            ": it is of the kind KubeletConfiguration, and no kubeconfig",
        ),
        ("kind: Config\n", ": no context is current"),
        ("kind: Config\ncurrent-context: x\n", ": there is no context \"x\""),
        (
            "kind: Config\ncurrent-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n",
            ": there is no cluster \"c\"",
        ),
        ("- [", ""),
        ("users: {s3cret: \"s3cret\"}\n", ""),
    ] {
        fs::write(&path, text).unwrap();
        let why = asked(text);
        assert!(why.contains(expected) && !why.contains("s3cret"), "{text:?}: {why}");
    }
    fs::write(&path, [0xff, 0xfe, b'k']).unwrap();
    assert_eq!(asked("binary"), ": it is not UTF-8");
    fs::write(&path, vec![b'#'; 2 << 20]).unwrap();
    assert!(asked("huge").contains("larger than"));
}

#[test]
fn what_a_kubeconfig_points_at_must_be_there() {
    let world = World::new();
    for user in [BY_FILE, "    tokenFile: client.pem\n"] {
        let why = why(&world.look(user, Some("gpu-1")));
        assert_eq!(why, format!("{}: no such file", world.path("client.pem").display()));
    }
    nix::unistd::mkfifo(&world.path("client.pem"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(why(&world.look(BY_FILE, None)).contains("FIFO"));
}

#[test]
fn a_name_that_is_not_known_or_is_no_name_is_not_asked_for() {
    let world = World::new();
    let user = "    token: t\n";
    assert_eq!(why(&world.look(user, None)), "the name of this node is not known");
    for name in ["", "a/../../secrets", "..", "a b", "a%2f", "a?x"] {
        let why = why(&world.look(user, Some(name)));
        assert_eq!(why, format!("{name:?} is no name of a node"));
    }
    assert!(world.server.asked().is_empty());
}

#[test]
fn a_kubeconfig_that_the_user_names_takes_the_place_of_the_kubelets() {
    let world = World::new();
    let own = world.kubeconfig("    token: t\n");
    let usual = Usual { kubeconfig: "/none".into(), node: Some("gpu-1".to_owned()) };
    let access = Access { kubeconfig: Some(own) };
    assert_eq!(told(&client::look(&access, &usual, LONG)).0, Some(200));
}
